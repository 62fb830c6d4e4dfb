// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/durable"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// noting has a conduit note its directories in a file of the test's.
func noting(t *testing.T) (path string, change func(*Config)) {
	path = filepath.Join(t.TempDir(), "temporaries")
	return path, func(c *Config) { c.TempDirs = path }
}

// another is the next run of the same installation.
func (f *far) another(t *testing.T) *Conduit {
	t.Helper()
	next, _ := run(t, f.Conduit.cfg)
	if err := next.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return next
}

// leave begins an upload that nobody ends before the next run.
func (f *far) leave(t *testing.T, l gateway.Location) {
	t.Helper()
	u, err := f.Begin(context.Background(), gateway.Target{Location: l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Abort(context.Canceled) })
}

func (f *far) mkdir(t *testing.T, p string) string {
	t.Helper()
	dir := filepath.Join(f.root, p)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What a run has left where no device has its home is removed by the next run, and nothing of anybody else's.
func TestSweepOutsideHomes(t *testing.T) {
	_, change := noting(t)
	f := overSSHD(t, change)
	dir, below, foreign := f.mkdir(t, "filed/2026"), f.mkdir(t, "filed/2026/other"), f.mkdir(t, "filed/2025")
	f.leave(t, gateway.Location{Home: "/", Path: "/filed/2026/x"})
	f.leave(t, gateway.Location{Home: "/gone", Path: "/x"})
	stale := ".ftpgw-test0001-0123456789abcdef.part"
	keep := []string{
		filepath.Join(dir, ".ftpgw-other000-0123456789abcdef.part"), filepath.Join(dir, "x"),
		filepath.Join(below, stale), filepath.Join(foreign, stale), // nobody has noted these directories
	}
	for _, p := range keep {
		if err := os.WriteFile(p, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	next := f.another(t)
	removed, err := next.Sweep(t.Context(), []string{"/dev"})
	slices.Sort(removed)
	if err != nil || len(removed) != 2 || filepath.Dir(removed[0]) != dir || filepath.Dir(removed[1]) != filepath.Join(f.root, "gone") {
		t.Errorf("removed %q, %v", removed, err)
	}
	for _, p := range keep {
		if _, err := os.Stat(p); err != nil {
			t.Errorf("kept: %v", err)
		}
	}
	if left := f.another(t).dirs.left(); len(left) != 0 {
		t.Errorf("the run behind that looks into %v", left)
	}
}

// A directory that a link has taken the place of is not followed out of the home.
func TestSweepBehindALink(t *testing.T) {
	_, change := noting(t)
	f := overSSHD(t, change)
	f.mkdir(t, "dev/events")
	f.leave(t, at("/events/x"))
	elsewhere := f.mkdir(t, "elsewhere")
	if err := os.Rename(f.local("/events"), filepath.Join(elsewhere, "events")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "events"), f.local("/events")); err != nil {
		t.Fatal(err)
	}
	if removed, err := f.another(t).Sweep(t.Context(), nil); err != nil || len(removed) != 0 {
		t.Errorf("removed %q, %v", removed, err)
	}
}

// What cannot be removed is tried again by the run behind that.
func TestSweepOutsideHomesAgain(t *testing.T) {
	_, change := noting(t)
	f, s := overFaulty(t, sftpfault.Options{}, change)
	f.mkdir(t, "filed")
	f.leave(t, gateway.Location{Home: "/", Path: "/filed/x"})
	next := f.another(t)
	s.Arm(sftpfault.Fault{Op: sftpfault.Remove, Nth: 1, Kind: sftpfault.Fail})
	if removed, err := next.Sweep(t.Context(), nil); err == nil || len(removed) != 0 {
		t.Errorf("removed %q, %v", removed, err)
	}
	if removed, err := f.another(t).Sweep(t.Context(), nil); err != nil || len(removed) != 1 {
		t.Errorf("removed %q, %v", removed, err)
	}
}

// A directory is noted before anything is made in it, and forgotten no sooner than that is gone.
func TestNotedBeforehand(t *testing.T) {
	path, change := noting(t)
	f, s := overFaulty(t, sftpfault.Options{}, change)
	armed := s.Arm(sftpfault.Fault{Op: sftpfault.Open, Nth: 1, Kind: sftpfault.Hold})
	begun := make(chan struct{})
	var u gateway.Upload
	var err error
	go func() {
		defer close(begun)
		u, err = f.Begin(context.Background(), gateway.Target{Location: at("/x")})
	}()
	<-armed.Struck()
	if text, err := os.ReadFile(path); err != nil || string(text) != "\"/dev\" \"/\"\n" {
		t.Errorf("while the file is being made: %q, %v", text, err)
	}
	armed.Release()
	if <-begun; err != nil {
		t.Fatal(err)
	}
	dir := f.dirs.own[gateway.Location{Home: "/dev", Path: "/"}]
	if dir.count != 1 {
		t.Errorf("%d temporaries are known", dir.count)
	}
	later := s.Arm(sftpfault.Fault{Op: sftpfault.Remove, Nth: 1, Kind: sftpfault.Hold})
	ended := make(chan struct{})
	go func() { u.Abort(context.Canceled); close(ended) }()
	<-later.Struck()
	f.dirs.mu.Lock()
	if dir.count != 1 {
		t.Errorf("%d temporaries are known while the last one is being removed", dir.count)
	}
	f.dirs.mu.Unlock()
	later.Release()
	<-ended
	if dir.count != 0 {
		t.Errorf("%d temporaries are known in the end", dir.count)
	}
}

// However an upload ends, what is known of its directory is the truth: otherwise it would be noted for ever, or not any more.
func TestCountOfTemporaries(t *testing.T) {
	for _, b := range []breakage{
		{sftpfault.Fault{Op: sftpfault.Open, Nth: 1, Kind: sftpfault.Fail}},
		{sftpfault.Fault{Op: sftpfault.Open, Nth: 1, Kind: sftpfault.Cut, Done: true}},
		{sftpfault.Fault{Op: sftpfault.Write, Nth: 1, Kind: sftpfault.Cut}},
		{sftpfault.Fault{Op: sftpfault.PosixRename, Nth: 1, Kind: sftpfault.Fail}},
		{sftpfault.Fault{Op: sftpfault.PosixRename, Nth: 1, Kind: sftpfault.Cut}},
		{sftpfault.Fault{Op: sftpfault.PosixRename, Nth: 1, Kind: sftpfault.Cut, Done: true}},
		{sftpfault.Fault{Op: sftpfault.Fsync, Nth: 9, Kind: sftpfault.Fail}}, // nothing goes wrong
	} {
		t.Run(b.String(), func(t *testing.T) {
			_, change := noting(t)
			f, s := overFaulty(t, sftpfault.Options{}, change)
			s.Arm(b.Fault)
			_, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, noise(3*faultPacket))
			t.Log(err)
			s.Disarm()
			eventually(t, "no temporary is left, and none is known", func() bool {
				f.dirs.mu.Lock()
				defer f.dirs.mu.Unlock()
				return f.dirs.own[gateway.Location{Home: "/dev", Path: "/"}].count == 0 && len(temporaries(f.files(t))) == 0
			})
		})
	}
}

// An upload that is given up before its file was made, or was known to be made, has left nothing.
func TestNothingLeftOfWhatWasNotBegun(t *testing.T) {
	_, change := noting(t)
	f, s := overFaulty(t, sftpfault.Options{}, change)
	for _, name := range []string{"a directory that is not known", "one that is"} {
		armed := s.Arm(sftpfault.Fault{Op: sftpfault.Lstat, Nth: 1, Kind: sftpfault.Hold})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-armed.Struck(); cancel(); armed.Release() }()
		if _, err := f.Begin(ctx, gateway.Target{Location: at("/x")}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if dir := f.dirs.own[gateway.Location{Home: "/dev", Path: "/"}]; dir != nil && dir.count != 0 {
			t.Errorf("%s: %+v", name, dir)
		}
		f.wantFiles(t)
		s.Disarm()
		f.begin(t, "/y").Abort(nil)
	}
}

// The file stays small, whatever names there are and however many, and has every directory in which something may be.
func TestNotedDirectories(t *testing.T) {
	path := filepath.Join(t.TempDir(), "temporaries")
	d, err := openTempDirs(path)
	if err != nil {
		t.Fatal(err)
	}
	var busy []gateway.Location
	var all sync.WaitGroup
	for i := range 3 * idleDirs {
		l := gateway.Location{Home: "/", Path: fmt.Sprintf("/\xff \"\n%d", i)}
		if i%100 == 0 {
			busy = append(busy, l)
		}
		all.Go(func() {
			if err := d.enter(l); err != nil {
				t.Error(err)
			}
			if i%100 != 0 {
				d.leave(l)
			}
		})
		if i%10 == 0 {
			all.Wait()
		}
	}
	all.Wait()
	next, err := openTempDirs(path)
	if err != nil {
		t.Fatal(err)
	}
	left := next.left()
	if most := idleDirs + len(busy) + 10; len(left) > most {
		t.Errorf("%d directories are noted, want %d at most", len(left), most)
	}
	for _, l := range busy {
		if !slices.Contains(left, l) {
			t.Errorf("%q is not noted", l)
		}
	}
	own, unswept := gateway.Location{Home: "/dev", Path: "/"}, left[0]
	if err := next.enter(own); err != nil {
		t.Fatal(err)
	}
	if err := next.swept(left[1:]); err != nil {
		t.Fatal(err)
	}
	last, err := openTempDirs(path)
	if got := last.left(); err != nil || len(got) != 2 || !slices.Contains(got, unswept) || !slices.Contains(got, own) {
		t.Errorf("behind the sweep: %q, %v", got, err)
	}
}

// A file that cannot be written stops no upload, and is written as soon as that is possible; one that was damaged stops no start.
func TestNotesThatCannotBeKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	d, err := openTempDirs(filepath.Join(dir, "temporaries"))
	if err != nil {
		t.Fatal(err)
	}
	l := gateway.Location{Home: "/dev", Path: "/a"}
	if err := d.enter(l); err == nil {
		t.Error("there is no directory for it")
	}
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.enter(l); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(d.path)
	if err != nil || !strings.Contains(string(text), `"/a"`) {
		t.Errorf("noted: %q, %v", text, err)
	}
	if err := os.WriteFile(d.path, append([]byte("what\n\"/\"\n\"/\" /\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	next, err := openTempDirs(d.path)
	if got := next.left(); err == nil || len(got) != 1 || got[0] != l {
		t.Errorf("of a damaged file: %q, %v", got, err)
	}
}
