// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"fmt"
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

// A file that something speaks against is moved aside where the terms name a place, and the final name is left alone.
func TestAside(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		f.put(t, "/x", []byte("old"))
		gone := &gateway.EvidenceError{Failed: gateway.ControlAlive, Reason: "the device has gone"}
		for when := range 2 {
			name := fmt.Sprintf("x.partial-%d", when)
			info, err := os.Stat(f.local("/x"))
			if err != nil {
				t.Fatal(err)
			}
			base := &gateway.Base{Exists: true, Size: 3, ModTime: info.ModTime()}
			u, err := f.Begin(t.Context(), gateway.Target{Location: at("/x"), Base: base})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := u.Write([]byte("a part")); err != nil {
				t.Fatal(err)
			}
			asked := 0
			r, err := u.Commit(t.Context(), gateway.Terms{Aside: name, Last: func() error {
				asked++
				if asked > when {
					return gone
				}
				return nil
			}})
			if !errors.Is(err, gone) || r.Bytes != 6 || !strings.HasSuffix(r.Path, "/dev/"+name) {
				t.Errorf("Commit: %+v, %v", r, err)
			}
			if got, err := os.ReadFile(f.local("/" + name)); err != nil || string(got) != "a part" {
				t.Errorf("moved aside: %q, %v", got, err)
			}
		}
		f.wantFiles(t, "x", "x.partial-0", "x.partial-1")
		if got, err := os.ReadFile(f.local("/x")); err != nil || string(got) != "old" {
			t.Errorf("old file: %q, %v", got, err)
		}
	})
}
