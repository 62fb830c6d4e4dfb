// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
)

// What is asked last decides, at whichever time it is asked; and it is asked when the file lies there whole, under its hidden name.
func TestLastWord(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		f.put(t, "/x", []byte("old"))
		gone := errors.New("the device has gone")
		for fatal := range 2 {
			u := f.begin(t, "/x")
			if _, err := u.Write(noise(3 << 20)); err != nil {
				t.Fatal(err)
			}
			asked := 0
			_, err := u.Commit(t.Context(), gateway.Terms{Last: func() error {
				if files := f.files(t); len(files) != 2 {
					t.Errorf("when asked there are %q, want the old file and a hidden one", files)
				}
				asked++
				if asked > fatal {
					return gone
				}
				return nil
			}})
			if !errors.Is(err, gone) {
				t.Errorf("Commit: %v, want %v", err, gone)
			}
			f.wantFiles(t, "x")
			if got, err := os.ReadFile(f.local("/x")); err != nil || string(got) != "old" {
				t.Errorf("old file: %q, %v", got, err)
			}
		}
	})
}

// A file that is moved aside is published under the name it is given, in the same directory, and the final name is left alone.
func TestCommitAs(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		f.put(t, "/x", []byte("old"))
		u, err := f.Begin(t.Context(), gateway.Target{Location: at("/x"), Base: &gateway.Base{}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write([]byte("a part")); err != nil {
			t.Fatal(err)
		}
		r, err := u.Commit(t.Context(), gateway.Terms{As: "x.partial-1"})
		if err != nil || r.Bytes != 6 || !strings.HasSuffix(r.Path, "/dev/x.partial-1") {
			t.Errorf("Commit: %+v, %v", r, err)
		}
		f.wantFiles(t, "x", "x.partial-1")
		if got, err := os.ReadFile(f.local("/x.partial-1")); err != nil || string(got) != "a part" {
			t.Errorf("moved aside: %q, %v", got, err)
		}
		if got, err := os.ReadFile(f.local("/x")); err != nil || string(got) != "old" {
			t.Errorf("old file: %q, %v", got, err)
		}
	})
}
