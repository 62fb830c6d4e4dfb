// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"

	"github.com/ftpgw/ftpgw/gateway"
)

// sized is a file that lies about its size.
type sized struct {
	fs.FileInfo
	size int64
}

func (s sized) Size() int64 { return s.size }

func TestServerLosesBytes(t *testing.T) {
	f := overFake(t, &fake{stat: func(info fs.FileInfo) fs.FileInfo {
		if info.Mode().IsRegular() {
			return sized{info, info.Size() - 1}
		}
		return info
	}}, nil)
	_, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, noise(1000))
	if !gateway.IsTemporary(err) || !strings.Contains(err.Error(), "999 bytes of the 1000") {
		t.Errorf("upload: %v", err)
	}
	f.wantFiles(t)
}

// failingFile fails its later writes.
type failingFile struct {
	*os.File
	writes atomic.Int32
	err    error
}

func (f *failingFile) WriteAt(p []byte, at int64) (int, error) {
	if f.writes.Add(1) > 5 {
		return 0, f.err
	}
	return f.File.WriteAt(p, at)
}

func TestWriteFails(t *testing.T) {
	for name, c := range map[string]struct {
		err, want error
		temporary bool
	}{
		"failure": {errors.New("whatever"), nil, true},
		"refused": {sftp.ErrSSHFxPermissionDenied, fs.ErrPermission, false},
		"EOF":     {io.EOF, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := overFake(t, &fake{write: func(f *os.File) io.WriterAt { return &failingFile{File: f, err: c.err} }}, nil)
			_, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, noise(5<<20))
			if err == nil || gateway.IsTemporary(err) != c.temporary || c.want != nil && !errors.Is(err, c.want) || errors.Is(err, io.EOF) {
				t.Errorf("upload: %v", err)
			}
			eventually(t, "nothing to be left", func() bool { return len(f.files(t)) == 0 })
		})
	}
}

// emptyReads answers each read with no bytes and no end.
type emptyReads struct{ *os.File }

func (emptyReads) ReadAt([]byte, int64) (int, error) { return 0, nil }

func TestEmptyReadsForEver(t *testing.T) {
	f := overFake(t, &fake{read: func(f *os.File) io.ReaderAt { return emptyReads{f} }}, func(cfg *Config) { cfg.RequestTimeout = 200 * time.Millisecond })
	f.put(t, "/x", []byte("12345"))
	if _, err := f.download(t.Context(), "/x", 0); !gateway.IsTemporary(err) || !strings.Contains(err.Error(), "no answer to read") {
		t.Errorf("download: %v", err)
	}
}

// slowFile needs a while for each write.
type slowFile struct{ *os.File }

func (f slowFile) WriteAt(p []byte, at int64) (int, error) {
	time.Sleep(150 * time.Millisecond) // this is what is tested
	return f.File.WriteAt(p, at)
}

// A packet that queues behind others for longer than RequestTimeout is not lost while those are answered: a slow link is not a
// dead one. The library's server works on eight packets at a time, and sixty-four are under way.
func TestSlowServerIsNotDead(t *testing.T) {
	f := overFake(t, &fake{write: func(f *os.File) io.WriterAt { return slowFile{f} }}, func(cfg *Config) { cfg.RequestTimeout = time.Second })
	want := noise(4 << 20)
	if _, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, want); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(f.local("/x")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// shortReads gives back less than was asked for.
type shortReads struct{ *os.File }

func (s shortReads) ReadAt(p []byte, at int64) (int, error) {
	return s.File.ReadAt(p[:max(1, len(p)/3)], at)
}

func TestShortReads(t *testing.T) {
	f := overFake(t, &fake{read: func(f *os.File) io.ReaderAt { return shortReads{f} }}, nil)
	want := noise(1<<20 + 5)
	f.put(t, "/x", want)
	if got, err := f.download(t.Context(), "/x", 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// renamed is an entry under another name.
type renamed struct {
	fs.FileInfo
	name string
}

func (r renamed) Name() string { return r.name }

func TestHostileListing(t *testing.T) {
	f := overFake(t, &fake{list: func(infos []fs.FileInfo) []fs.FileInfo {
		for _, name := range []string{"", ".", "..", "/", "../../x/..", "a\x00b", ".ftpgw-x"} {
			infos = append(infos, renamed{infos[0], name})
		}
		return infos
	}}, nil)
	f.put(t, "/good", nil)
	infos, err := f.ReadDir(t.Context(), at("/"))
	if err != nil || len(infos) != 1 || infos[0].Name() != "good" {
		t.Errorf("ReadDir: %v, %v", infos, err)
	}
}

// Where REALPATH does not resolve links, nobody can tell where one leads.
func TestLexicalRealPath(t *testing.T) {
	f := overFake(t, &fake{}, nil)
	f.put(t, "/in/file", nil)
	for link, target := range map[string]string{"/l": "in", "/out": "/etc", "/lf": "in/file"} {
		if err := os.Symlink(target, f.local(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"/l", "/l/file", "/lf", "/out/passwd"} {
		wantErr(t, "Stat "+p, second(f.Stat(t.Context(), at(p))), fs.ErrPermission)
		wantErr(t, "Open "+p, second(f.Open(t.Context(), at(p), 0)), fs.ErrPermission)
	}
	wantErr(t, "Begin", second(f.Begin(t.Context(), gateway.Target{Location: at("/l/new")})), fs.ErrPermission)
	wantErr(t, "Stat without a link", second(f.Stat(t.Context(), at("/in/file"))), nil)
}

// Without posix-rename a new file can be published, and an old one stays.
func TestWithoutPosixRename(t *testing.T) {
	if err := sftp.SetSFTPExtensions(); err != nil { // for servers that are started from now on
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sftp.SetSFTPExtensions("hardlink@openssh.com", "posix-rename@openssh.com", "statvfs@openssh.com"); err != nil {
			t.Error(err)
		}
	})
	f := overFake(t, &fake{rename: func(from, to string) error {
		if _, err := os.Lstat(to); err == nil {
			return errors.New("it exists")
		}
		return os.Rename(from, to)
	}}, nil)
	r, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, []byte("old"))
	if err != nil || r.Atomic || r.Fsynced || r.Bytes != 3 {
		t.Errorf("new file: %+v, %v", r, err)
	}
	_, err = f.upload(t.Context(), gateway.Target{Location: at("/x")}, []byte("new"))
	wantErr(t, "replace", err, fs.ErrExist)
	if err == nil || !strings.Contains(err.Error(), "posix-rename") {
		t.Errorf("the error does not say why: %v", err)
	}
	f.put(t, "/y", []byte("y"))
	wantErr(t, "Rename over a file", f.Rename(t.Context(), at("/y"), at("/x")), fs.ErrExist)
	wantErr(t, "Rename", f.Rename(t.Context(), at("/y"), at("/z")), nil)
	f.wantFiles(t, "x", "z")
	if got, err := os.ReadFile(f.local("/x")); err != nil || string(got) != "old" {
		t.Errorf("old file: %q, %v", got, err)
	}
}

// stalledRename brings an upload to the moment just before its rename, lets prepare act, and lets it go on.
func stalledRename(t *testing.T, f *far, prepare, meanwhile func()) error {
	t.Helper()
	u := f.begin(t, "/x").(*upload)
	if _, err := u.Write([]byte("12345")); err != nil {
		t.Fatal(err)
	}
	unlock, err := f.locks.Lock(t.Context(), u.final)
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() { _, err := u.Commit(t.Context(), gateway.Terms{}); result <- err }()
	eventually(t, "the rename's turn", func() bool { return f.locks.Users(u.final) == 2 })
	prepare()
	unlock()
	meanwhile()
	return <-result
}

func overProxy(t *testing.T) (*far, *proxy) {
	var p *proxy
	f := overFake(t, &fake{}, func(cfg *Config) {
		p = newProxy(t, cfg.Address)
		cfg.Address = p.listener.Addr().String()
	})
	return f, p
}

func TestRenameAnswerLost(t *testing.T) {
	f, p := overProxy(t)
	err := stalledRename(t, f, func() { p.mute(false, true) }, func() {
		eventually(t, "the rename", func() bool { _, err := os.Stat(f.local("/x")); return err == nil })
		p.mute(false, false)
		p.cut()
	})
	if err != nil {
		t.Errorf("Commit: %v, although the file was published", err)
	}
	f.wantFiles(t, "x")
}

func TestRenameRequestLost(t *testing.T) {
	f, p := overProxy(t)
	err := stalledRename(t, f, func() { p.mute(true, false) }, func() {
		p.mute(false, false)
		p.cut()
	})
	// The request may have been sent after the cut or before it; in no case is there a half-truth.
	if _, statErr := os.Stat(f.local("/x")); (statErr == nil) != (err == nil) || err != nil && (!gateway.IsTemporary(err) || errors.Is(err, errUnknown)) {
		t.Errorf("Commit: %v, the file: %v", err, statErr)
	}
	eventually(t, "nothing hidden to be left", func() bool {
		for _, name := range f.files(t) {
			if strings.HasPrefix(name, tempPrefix) {
				return false
			}
		}
		return true
	})
}

// When the server does not come back, nobody can know, and the error says so.
func TestRenameOutcomeUnknown(t *testing.T) {
	f, p := overProxy(t)
	err := stalledRename(t, f, func() { p.mute(false, true) }, func() {
		eventually(t, "the rename", func() bool { _, err := os.Stat(f.local("/x")); return err == nil })
		if err := p.listener.Close(); err != nil {
			t.Error(err)
		}
		p.cut()
	})
	if !gateway.IsTemporary(err) || !errors.Is(err, errUnknown) {
		t.Errorf("Commit: %v", err)
	}
}

// The answer to the opening of the hidden file is lost: the file is removed later all the same.
func TestOpenAnswerLost(t *testing.T) {
	var p *proxy
	var once sync.Once
	s := &fake{write: func(f *os.File) io.WriterAt { once.Do(func() { p.mute(false, true) }); return f }}
	f := overFake(t, s, func(cfg *Config) {
		p = newProxy(t, cfg.Address)
		cfg.Address = p.listener.Addr().String()
	})
	result := make(chan error)
	go func() { _, err := f.Begin(t.Context(), gateway.Target{Location: at("/x")}); result <- err }()
	eventually(t, "the hidden file", func() bool { return len(f.files(t)) == 1 })
	p.cut()
	if err := <-result; !gateway.IsTemporary(err) {
		t.Errorf("Begin: %v", err)
	}
	p.mute(false, false)
	eventually(t, "the hidden file to be removed", func() bool { return len(f.files(t)) == 0 })
}

func TestDirectoryTakesTheName(t *testing.T) {
	f := overEmbedded(t)
	u := f.begin(t, "/x")
	if err := os.Mkdir(f.local("/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := u.Commit(t.Context(), gateway.Terms{})
	wantErr(t, "Commit", err, syscall.EISDIR)
	f.wantFiles(t)
}
