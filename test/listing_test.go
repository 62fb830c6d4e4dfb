// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A directory of 5,000 entries is listed completely, and alike, by LIST, NLST and MLSD.
func TestListingOf5000Entries(t *testing.T) {
	t.Parallel()
	const count = 5000
	g := startGateway(t, setup{})
	var want []string
	for i := range count {
		name := fmt.Sprintf("record-%05d.dat", i)
		want = append(want, name)
		writeFile(t, filepath.Join(g.home(0), "many", name), strings.NewReader(name))
	}
	f := g.login(0)
	var list []string
	for _, line := range lines(f.get("LIST /many")) {
		fields := strings.Fields(line)
		list = append(list, fields[len(fields)-1])
	}
	f.expect(250, "CWD /many")
	nlst := lines(f.get("NLST"))
	mlsd := factNames(t, f.get("MLSD"))
	for verb, got := range map[string][]string{"LIST": list, "NLST": nlst, "MLSD": mlsd} {
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %d names, or others than the %d on the server", verb, len(got), count)
		}
	}
}
