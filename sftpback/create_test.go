// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
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
