// SPDX-License-Identifier: Apache-2.0

package test

import (
	"path/filepath"
	"testing"
)

// Two devices' sessions send a file of the same name at the same time: one whole file or the other is there in the end, and at
// every moment in between none or a whole one.
func TestTwoUploadsToOneName(t *testing.T) {
	t.Parallel()
	const size, pieces = 4 << 20, 16
	g := startGateway(t, setup{})
	a, b := g.login(0), g.login(0)
	dataA, dataB := content(t, size, 1), content(t, size, 2)
	connA, connB := a.data("STOR /same"), b.data("STOR /same")
	for i := range pieces {
		part := func(p []byte) []byte { return p[i*size/pieces : (i+1)*size/pieces] }
		write(t, connA, part(dataA))
		write(t, connB, part(dataB))
	}
	stored := filepath.Join(g.home(0), "same")
	_ = connA.Close()
	replyA := a.read()
	if replyA.code == 226 && digestFile(t, stored) != digest(t, pattern(size, 1)) {
		t.Error("after the first 226 the file is not the first one")
	}
	_ = connB.Close()
	replyB := b.read()
	last := byte(1)
	if replyB.code == 226 {
		last = 2
	}
	if replyA.code != 226 && replyB.code != 226 {
		t.Fatalf("both were refused: %v and %v", replyA, replyB)
	}
	if digestFile(t, stored) != digest(t, pattern(size, last)) {
		t.Errorf("after %v and %v the file is not upload %d", replyA, replyB, last)
	}
	if files := filesBelow(t, g.server.Root); len(files) != 1 {
		t.Errorf("on the server: %q", files)
	}
}
