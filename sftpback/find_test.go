// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// A file that was there a short time ago is opened before it is known whether it still is. What is there now counts.
func TestFileIsReplaced(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		outside := filepath.Join(f.root, "outside")
		if err := os.WriteFile(outside, []byte("not yours"), 0o644); err != nil {
			t.Fatal(err)
		}
		f.put(t, "/other", []byte("other"))
		for name, c := range map[string]struct {
			replace func(file string) error
			want    error
			content string
		}{
			"by a link out of the home": {func(file string) error { return os.Symlink(outside, file) }, fs.ErrPermission, ""},
			"by a link within the home": {func(file string) error { return os.Symlink("other", file) }, nil, "other"},
			"by a directory":            {func(file string) error { return os.Mkdir(file, 0o755) }, syscall.EISDIR, ""},
			"by nothing":                {func(string) error { return nil }, fs.ErrNotExist, ""},
			"by another file":           {func(file string) error { return os.WriteFile(file, []byte("new"), 0o644) }, nil, "new"},
		} {
			for how, see := range map[string]func() error{
				"read":   func() error { return second(f.download(t.Context(), "/x", 0)) },
				"seen":   func() error { return second(f.Stat(t.Context(), at("/x"))) },
				"listed": func() error { return second(f.ReadDir(t.Context(), at("/"))) },
			} {
				t.Run(how+", replaced "+name, func(t *testing.T) {
					f.put(t, "/x", []byte("old"))
					defer func() {
						if err := os.RemoveAll(f.local("/x")); err != nil {
							t.Error(err)
						}
					}()
					if err := see(); err != nil {
						t.Fatal(err)
					}
					if !f.filesLately.has(path.Join(f.cfg.Root, "dev", "x")) {
						t.Fatal("the file is not remembered")
					}
					if err := os.Remove(f.local("/x")); err != nil {
						t.Fatal(err)
					}
					if err := c.replace(f.local("/x")); err != nil {
						t.Fatal(err)
					}
					got, err := f.download(t.Context(), "/x", 0)
					wantErr(t, "download", err, c.want)
					if string(got) != c.content {
						t.Errorf("content: %q", got)
					}
				})
			}
		}
	})
}

// A named pipe in the place of a file blocks the server's end of a channel. The device has its answer at once, and others are not held up.
func TestFileIsReplacedByPipe(t *testing.T) {
	f := overSSHD(t, func(cfg *Config) { cfg.Connections = 1 })
	f.put(t, "/x", []byte("old"))
	f.put(t, "/y", []byte("other"))
	if _, err := f.Stat(t.Context(), at("/x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.local("/x")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(f.local("/x"), 0o644); err != nil {
		t.Fatal(err)
	}
	defer func() { // lets the server's process go that waits for a writer
		w, err := os.OpenFile(f.local("/x"), os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			err = w.Close()
		}
		if err != nil && !errors.Is(err, syscall.ENXIO) { // it has gone already
			t.Error(err)
		}
	}()
	for range 2 { // at the second time it is not remembered any more
		_, err := f.download(t.Context(), "/x", 0)
		wantErr(t, "download", err, fs.ErrPermission)
	}
	for range 2 * maxChannels {
		if got, err := f.download(t.Context(), "/y", 0); err != nil || string(got) != "other" {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// What was opened through a link is not read, even if the link leads into the home by the time that the server is asked where it leads.
func TestLinkIsExchanged(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{Ordered: true}, nil)
	outside := filepath.Join(f.root, "outside")
	if err := os.WriteFile(outside, []byte("not yours"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.put(t, "/other", []byte("other"))
	f.put(t, "/x", []byte("old"))
	if _, err := f.Stat(t.Context(), at("/x")); err != nil {
		t.Fatal(err)
	}
	link := func(to string) {
		if err := errors.Join(os.Remove(f.local("/x")), os.Symlink(to, f.local("/x"))); err != nil {
			t.Error(err)
		}
	}
	link("../outside")
	held := s.Arm(sftpfault.Fault{Op: sftpfault.Realpath, Nth: 1, Kind: sftpfault.Hold})
	go func() {
		<-held.Struck()
		link("other")
		held.Release()
	}()
	got, err := f.download(t.Context(), "/x", 0)
	wantErr(t, "download", err, nil)
	if string(got) != "other" {
		t.Errorf("content: %q", got)
	}
}

// The same if by then the file is there again.
func TestFileIsExchangedTwice(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{Ordered: true}, nil)
	outside := filepath.Join(f.root, "outside")
	if err := os.WriteFile(outside, []byte("not yours"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.put(t, "/x", []byte("old"))
	if _, err := f.Stat(t.Context(), at("/x")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(f.local("/x")), os.Symlink("../outside", f.local("/x"))); err != nil {
		t.Fatal(err)
	}
	held := s.Arm(sftpfault.Fault{Op: sftpfault.Realpath, Nth: 1, Kind: sftpfault.Hold})
	go func() {
		<-held.Struck()
		if err := errors.Join(os.Remove(f.local("/x")), os.WriteFile(f.local("/x"), []byte("new"), 0o644)); err != nil {
			t.Error(err)
		}
		held.Release()
	}()
	got, err := f.download(t.Context(), "/x", 0)
	wantErr(t, "download", err, nil)
	if string(got) != "new" {
		t.Errorf("content: %q", got)
	}
}

// A link to a named pipe in the place of a file blocks no more than the channel either, and not for as long as a request may take.
func TestFileIsReplacedByLinkToPipe(t *testing.T) {
	f := overSSHD(t, func(cfg *Config) { cfg.Connections, cfg.RequestTimeout, cfg.KeepAlive = 1, time.Hour, time.Hour })
	f.put(t, "/x", []byte("old"))
	f.put(t, "/y", []byte("other"))
	if _, err := f.Stat(t.Context(), at("/x")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(f.local("/x")), syscall.Mkfifo(f.local("/pipe"), 0o644), os.Symlink("pipe", f.local("/x"))); err != nil {
		t.Fatal(err)
	}
	defer func() { // lets the server's process go that waits for a writer
		w, err := os.OpenFile(f.local("/pipe"), os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			err = w.Close()
		}
		if err != nil && !errors.Is(err, syscall.ENXIO) { // it has gone already
			t.Error(err)
		}
	}()
	channels := f.pool.links[0].working()
	_, err := f.download(t.Context(), "/x", 0)
	if !gateway.IsTemporary(err) {
		t.Errorf("download: %v", err)
	}
	_, err = f.download(t.Context(), "/x", 0) // it is not remembered any more
	wantErr(t, "download", err, fs.ErrPermission)
	for range 2 * maxChannels {
		if got, err := f.download(t.Context(), "/y", 0); err != nil || string(got) != "other" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if strings.Contains(f.log.String(), "connection lost") {
		t.Error("the connection was lost")
	}
	for _, ch := range channels {
		ch.watchdog.mu.Lock()
		if n := len(ch.watchdog.waiting); n > 0 {
			t.Errorf("%d requests are still waited for, because of which the connection will be given up", n)
		}
		ch.watchdog.mu.Unlock()
	}
}
