// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net"
	"strings"
	"testing"
)

// A zone that cannot listen says what to look at.
func TestListenHints(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for address, want := range map[string]string{
		taken.Addr().String(): "ss -ltnp 'sport = :" + strings.TrimPrefix(taken.Addr().String(), "127.0.0.1:") + "'",
		"192.0.2.1:2121":      "no address of this machine", // TEST-NET-1 (RFC 5737)
	} {
		_, err := net.Listen("tcp", address)
		var hint *hintError
		if !errors.As(withListenHint(err), &hint) || !strings.Contains(hint.hint, want) {
			t.Errorf("listen at %s: %v has no hint with %q", address, err, want)
		}
	}
	if other := errors.New("something else"); withListenHint(other) != other {
		t.Error("an error that is none of listening got a hint")
	}
}
