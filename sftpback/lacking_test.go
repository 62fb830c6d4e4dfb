// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// What a server lacks, or offers and then does not do: without a requirement the receipt says what was not achieved, with one nothing
// is published.
func TestServerLacks(t *testing.T) {
	fsync, atomic := gateway.Requirements{Fsync: true}, gateway.Requirements{Atomic: true}
	for name, c := range map[string]struct {
		options         sftpfault.Options
		require         gateway.Requirements
		fsynced, atomic bool
		known           bool // from the beginning
	}{
		"no fsync":             {sftpfault.Options{Without: []sftpfault.Op{sftpfault.Fsync}}, fsync, false, true, true},
		"hollow fsync":         {sftpfault.Options{Hollow: []sftpfault.Op{sftpfault.Fsync}}, fsync, false, true, false},
		"no posix-rename":      {sftpfault.Options{Without: []sftpfault.Op{sftpfault.PosixRename}}, atomic, true, false, true},
		"hollow posix-rename":  {sftpfault.Options{Hollow: []sftpfault.Op{sftpfault.PosixRename}}, atomic, true, false, false},
		"nothing":              {sftpfault.Options{Without: []sftpfault.Op{sftpfault.Fsync, sftpfault.PosixRename}}, fsync, false, false, true},
		"nothing, but offered": {sftpfault.Options{Hollow: []sftpfault.Op{sftpfault.Fsync, sftpfault.PosixRename}}, atomic, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := overFaulty(t, c.options, nil)
			r, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, []byte("old"))
			if err != nil || r.Fsynced != c.fsynced || r.Atomic != c.atomic {
				t.Errorf("without a requirement: %+v, %v", r, err)
			}
			if err := f.Available(t.Context(), c.require); (err != nil) != c.known || err != nil && !errors.Is(err, gateway.ErrUnmet) {
				t.Errorf("Available: %v", err)
			}
			for _, p := range []string{"/x", "/y"} {
				_, err = f.upload(t.Context(), gateway.Target{Location: at(p), Require: c.require}, []byte("new"))
				if !errors.Is(err, gateway.ErrUnmet) || !gateway.IsTemporary(err) {
					t.Errorf("%s with a requirement: %v", p, err)
				}
			}
			_, err = f.upload(t.Context(), gateway.Target{Location: at("/x")}, []byte("new"))
			if (err == nil) != c.atomic || err != nil && !errors.Is(err, fs.ErrExist) {
				t.Errorf("replace: %v", err)
			}
			f.wantFiles(t, "x")
			want := "old"
			if c.atomic {
				want = "new"
			}
			if got, err := os.ReadFile(f.local("/x")); err != nil || string(got) != want {
				t.Errorf("the file is %q, %v; want %q", got, err, want)
			}
		})
	}
}

// A server that computes no digest is read back from, and is not asked twice.
func TestNoCheckFile(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{Without: []sftpfault.Op{sftpfault.CheckFile}}, nil)
	data := noise(2 * faultPacket)
	for range 3 {
		r, err := f.upload(t.Context(), gateway.Target{Location: at("/x"), Verify: gateway.VerifyExtension, Digest: digestOf(data)}, data)
		if err != nil || r.Verified != gateway.VerifyReadback {
			t.Errorf("%+v, %v", r, err)
		}
	}
	asked := 0
	for _, r := range s.Trace() {
		if r.Op == sftpfault.CheckFile {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the server was asked %d times", asked)
	}
}

// A temporary that cannot be removed now is removed by the sweep of the next run.
func TestRemoveRefused(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{}, nil)
	s.Arm(sftpfault.Fault{Op: sftpfault.Remove, Nth: 1, Kind: sftpfault.Fail})
	later := s.Arm(sftpfault.Fault{Op: sftpfault.Remove, Nth: 2, Kind: sftpfault.Fail})
	u := f.begin(t, "/x")
	if _, err := u.Write(noise(2 * faultPacket)); err != nil {
		t.Fatal(err)
	}
	u.Abort(errors.New("the device went away"))
	<-later.Struck()
	if left := temporaries(f.files(t)); len(left) != 1 {
		t.Fatalf("left: %q", left)
	}
	next, _ := run(t, f.Conduit.cfg)
	if err := next.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if swept, err := next.Sweep(t.Context(), []string{"/dev"}); err != nil || len(swept) != 1 {
		t.Errorf("swept: %q, %v", swept, err)
	}
	f.wantFiles(t)
}
