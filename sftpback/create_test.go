// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// In a directory that files were made in lately the hidden file is made before it is known whether the path is still the same. Where it
// is another, nothing stays of that, and the upload goes where it would have gone otherwise.
func TestDirectoryIsReplaced(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		outside := filepath.Join(f.root, "outside")
		if err := os.MkdirAll(outside, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			replace func(dir string) error
			want    error
			files   []string // below the home, and links
		}{
			"by a link out of the home": {func(dir string) error { return os.Symlink(outside, dir) }, fs.ErrPermission, []string{"dir"}},
			"by a link within the home": {func(dir string) error { return os.Symlink("other", dir) }, nil, []string{"dir", "other/x"}},
			"by a file":                 {func(dir string) error { return os.WriteFile(dir, nil, 0o644) }, syscall.ENOTDIR, []string{"dir"}},
			"by nothing":                {func(string) error { return nil }, fs.ErrNotExist, nil},
			"under the name of the file": {func(dir string) error { return os.MkdirAll(filepath.Join(dir, "x"), 0o755) },
				syscall.EISDIR, nil},
		} {
			t.Run(name, func(t *testing.T) {
				if err := os.RemoveAll(f.local("/")); err != nil {
					t.Fatal(err)
				}
				for _, dir := range []string{"/dir", "/other"} {
					if err := os.MkdirAll(f.local(dir), 0o755); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := f.upload(t.Context(), gateway.Target{Location: at("/dir/first")}, []byte("1")); err != nil {
					t.Fatal(err)
				}
				if !f.dirsLately.has(path.Join(f.cfg.Root, "dev", "dir")) {
					t.Fatal("the directory is not remembered")
				}
				if err := os.RemoveAll(f.local("/dir")); err != nil {
					t.Fatal(err)
				}
				if err := c.replace(f.local("/dir")); err != nil {
					t.Fatal(err)
				}
				_, err := f.upload(t.Context(), gateway.Target{Location: at("/dir/x")}, []byte("2"))
				wantErr(t, "upload", err, c.want)
				f.wantFiles(t, c.files...)
				if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
					t.Errorf("outside of the home: %v, %v", left, err)
				}
			})
		}
	})
}

// The same where the server has made the hidden file and says that it has failed to.
func TestDirectoryIsReplacedAndOpenFails(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{Ordered: true}, nil)
	f.put(t, "/dir/x/y", nil)
	if _, err := f.upload(t.Context(), gateway.Target{Location: at("/dir/first")}, []byte("1")); err != nil {
		t.Fatal(err)
	}
	s.Arm(sftpfault.Fault{Op: sftpfault.Open, Nth: 1, Kind: sftpfault.Fail, Done: true})
	_, err := f.upload(t.Context(), gateway.Target{Location: at("/dir/x")}, []byte("2"))
	wantErr(t, "upload", err, syscall.EISDIR)
	eventually(t, "the hidden file to be removed", func() bool { return len(temporaries(f.files(t))) == 0 })
}

// Nothing is written to a file that was made through a link, even if the directory is there again by the time that the server is asked
// where the link leads.
func TestDirectoryIsExchangedTwice(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{Ordered: true}, nil)
	outside := filepath.Join(f.root, "outside")
	if err := os.MkdirAll(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := f.upload(t.Context(), gateway.Target{Location: at("/first")}, []byte("1")); err != nil {
		t.Fatal(err)
	}
	f.put(t, "/dir/other", nil)
	if _, err := f.upload(t.Context(), gateway.Target{Location: at("/dir/first")}, []byte("1")); err != nil {
		t.Fatal(err)
	}
	aside := filepath.Join(f.root, "aside")
	if err := errors.Join(os.Rename(f.local("/dir"), aside), os.Symlink("../outside", f.local("/dir"))); err != nil {
		t.Fatal(err)
	}
	held := s.Arm(sftpfault.Fault{Op: sftpfault.Realpath, Nth: 1, Kind: sftpfault.Hold})
	go func() {
		<-held.Struck()
		if err := errors.Join(os.Remove(f.local("/dir")), os.Rename(aside, f.local("/dir"))); err != nil {
			t.Error(err)
		}
		held.Release()
	}()
	_, err := f.upload(t.Context(), gateway.Target{Location: at("/dir/x")}, []byte("2"))
	wantErr(t, "upload", err, nil)
	f.wantFiles(t, "dir/first", "dir/other", "dir/x", "first")
	left, err := os.ReadDir(outside)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left { // it has another name now than the one by which it was made
		if info, err := e.Info(); err != nil || info.Size() > 0 {
			t.Errorf("outside of the home: %d bytes, %v", info.Size(), err)
		}
	}
}
