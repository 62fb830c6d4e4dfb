// SPDX-License-Identifier: Apache-2.0

package sftpserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/sftp"
)

// files answers the requests of one session from one directory. The library has made all paths absolute and clean.
type files struct {
	root *os.Root
	dir  string
}

var _ interface {
	sftp.FileReader
	sftp.FileWriter
	sftp.PosixRenameFileCmder
	sftp.LstatFileLister
	sftp.RealPathFileLister
} = (*files)(nil)

// below is p as os.Root takes it.
func below(p string) string {
	if rel := strings.TrimPrefix(path.Clean("/"+p), "/"); rel != "" {
		return rel
	}
	return "."
}

// status turns an error into one that the library translates to the right status. The library passes texts of errors on to the
// client, so they must not hold paths of this machine.
func status(err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return sftp.ErrSSHFxNoSuchFile
	case errors.Is(err, fs.ErrPermission), strings.HasSuffix(err.Error(), "path escapes from parent"): // os.Root has no sentinel for it
		return sftp.ErrSSHFxPermissionDenied
	default:
		return sftp.ErrSSHFxFailure
	}
}

// Fileread opens a file for reading.
func (f *files) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	info, err := f.root.Stat(below(r.Filepath))
	if err != nil {
		return nil, status(err)
	}
	if !info.Mode().IsRegular() {
		return nil, sftp.ErrSSHFxFailure
	}
	file, err := f.root.Open(below(r.Filepath))
	if err != nil {
		return nil, status(err)
	}
	return file, nil
}

// Filewrite opens a file for writing.
func (f *files) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	how := r.Pflags()
	flags := os.O_WRONLY
	for _, f := range []struct {
		set  bool
		flag int
	}{{how.Creat, os.O_CREATE}, {how.Excl, os.O_EXCL}, {how.Trunc, os.O_TRUNC}} {
		if f.set {
			flags |= f.flag
		}
	}
	file, err := f.root.OpenFile(below(r.Filepath), flags, 0o640)
	if err != nil {
		return nil, status(err)
	}
	return durableFile{file}, nil
}

// durableFile is flushed before it is closed.
type durableFile struct{ *os.File }

func (d durableFile) Close() error { return errors.Join(d.Sync(), d.File.Close()) }

// Filecmd changes names and attributes. Links are not made.
func (f *files) Filecmd(r *sftp.Request) error {
	p := below(r.Filepath)
	switch r.Method {
	case "Setstat":
		return status(f.setstat(p, r))
	case "Rename":
		if _, err := f.root.Lstat(below(r.Target)); err == nil {
			return sftp.ErrSSHFxFailure // version 3 does not replace (draft-ietf-secsh-filexfer-02 section 6.5)
		}
		return status(f.root.Rename(p, below(r.Target)))
	case "Mkdir":
		return status(f.root.Mkdir(p, 0o750))
	case "Rmdir", "Remove":
		info, err := f.root.Lstat(p)
		if err != nil {
			return status(err)
		}
		if info.IsDir() != (r.Method == "Rmdir") || p == "." {
			return sftp.ErrSSHFxFailure
		}
		return status(f.root.Remove(p))
	default:
		return sftp.ErrSSHFxOpUnsupported
	}
}

// PosixRename renames and replaces in one step.
func (f *files) PosixRename(r *sftp.Request) error {
	return status(f.root.Rename(below(r.Filepath), below(r.Target)))
}

func (f *files) setstat(p string, r *sftp.Request) error {
	set, to := r.AttrFlags(), r.Attributes()
	if set.Size {
		file, err := f.root.OpenFile(p, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(file.Truncate(int64(to.Size)), file.Close()); err != nil {
			return fmt.Errorf("truncate: %w", err)
		}
	}
	if set.Permissions {
		if err := f.root.Chmod(p, to.FileMode().Perm()); err != nil {
			return err
		}
	}
	if set.Acmodtime {
		return f.root.Chtimes(p, time.Unix(int64(to.Atime), 0), time.Unix(int64(to.Mtime), 0))
	}
	return nil
}

// Filelist lists a directory, or describes one file.
func (f *files) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	p := below(r.Filepath)
	switch r.Method {
	case "List":
		dir, err := f.root.Open(p)
		if err != nil {
			return nil, status(err)
		}
		infos, err := dir.Readdir(-1)
		if err := errors.Join(err, dir.Close()); err != nil {
			return nil, status(err)
		}
		return listing(infos), nil
	case "Stat":
		info, err := f.root.Stat(p)
		return listing{info}, status(err)
	default:
		return nil, sftp.ErrSSHFxOpUnsupported
	}
}

// Lstat describes a file or link.
func (f *files) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	info, err := f.root.Lstat(below(r.Filepath))
	return listing{info}, status(err)
}

// RealPath resolves symbolic links; one that leads out of the directory is refused.
func (f *files) RealPath(p string) (string, error) {
	p = path.Clean("/" + p)
	if _, err := f.root.Stat(below(p)); err != nil {
		return "", status(err) // decides whether it stays inside
	}
	base, err := filepath.EvalSymlinks(f.dir)
	if err != nil {
		return "", status(err)
	}
	found, err := filepath.EvalSymlinks(filepath.Join(f.dir, p))
	if err != nil {
		return "", status(err)
	}
	rel, err := filepath.Rel(base, found)
	if err != nil || rel != "." && !filepath.IsLocal(rel) {
		return "", sftp.ErrSSHFxPermissionDenied
	}
	return path.Join("/", filepath.ToSlash(rel)), nil
}

// listing is a list in memory.
type listing []fs.FileInfo

// ListAt copies a part of the list.
func (l listing) ListAt(to []fs.FileInfo, at int64) (int, error) {
	if at >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[at:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}
