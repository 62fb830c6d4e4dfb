// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// receive begins an upload and takes its data.
func (s *spooling) receive(t *testing.T, req gateway.UploadRequest, data string) *gateway.Incoming {
	t.Helper()
	req.Declared = policy.SizeUnknown
	in, err := s.Receive(t.Context(), s.device, req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Take(t.Context(), strings.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return in
}

// What the spool's disk has damaged is not sent to a device as if it were whole, and nothing is built upon it.
func TestDamagedFileIsNotPassedOn(t *testing.T) {
	dir := t.TempDir()
	s := newSpooling(t, dir, gateway.ForwardOptions{}, spooled("far"))
	s.put(t, "/x")
	id := s.store.Lookup("far", "/relay/x")[0].ID
	file, err := os.OpenFile(filepath.Join(dir, "entries", id[:13], id), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("y"), 1); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for offset := range int64(3) { // the damage is behind where the download begins, at it, and in front of it
		out, err := s.Send(t.Context(), s.device, gateway.DownloadRequest{Path: "/x", Offset: offset})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Bring(t.Context(), io.Discard); !errors.Is(err, spool.ErrDamaged) {
			t.Errorf("a device got it from byte %d: %v", offset, err)
		}
		out.Abort(errors.New("test"))
	}
	if _, err := s.Digest(t.Context(), s.device, "/x", io.Discard); err == nil {
		t.Error("a device got its digest")
	}
	for _, req := range []gateway.UploadRequest{{Op: policy.Append, Path: "/x"}, {Op: policy.Upload, Path: "/x", Offset: 2}} {
		req.Declared = policy.SizeUnknown
		in, err := s.Receive(t.Context(), s.device, req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Take(t.Context(), strings.NewReader("more")); err == nil {
			t.Errorf("%s at %d: it was continued", req.Op, req.Offset)
		}
		in.Abort(errors.New("test"))
	}
}

// A device that goes away need not wait until all has been read that stands in front of what it wanted.
func TestDownloadEndsBeforeItsFirstByte(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	s.put(t, "/x")
	out, err := s.Send(t.Context(), s.device, gateway.DownloadRequest{Path: "/x", Offset: 2})
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := out.Bring(ctx, io.Discard); !errors.Is(err, gone) {
		t.Errorf("brought: %v", err)
	}
	out.Abort(gone)
}

// Of two who continue one file at the same time one is told to try again: otherwise what the other one has added would be lost.
func TestTwoAppendsAtTheSameTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{}, spooled("far"))
		s.put(t, "/log")
		var asked atomic.Int64
		both := make(chan struct{})
		present := func() error {
			if asked.Add(1) == 4 { // each is asked twice, the second time when the file is about to appear
				close(both)
			}
			if asked.Load() > 2 {
				select {
				case <-both:
				case <-time.After(time.Second):
				}
			}
			return nil
		}
		results := make(chan error, 2)
		for range 2 {
			in := s.receive(t, gateway.UploadRequest{Op: policy.Append, Path: "/log"}, "+more")
			go func() { results <- in.Commit(t.Context(), gateway.Ending{Present: present}) }()
		}
		a, b := <-results, <-results
		if (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), gateway.ErrChanged) {
			t.Errorf("%v, %v", a, b)
		}
	})
}

// A directory is renamed at once with all versions of the files below it.
func TestRenameOfDirectoryWithTwoVersions(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{}, spooled("far"))
		s.down.Store(true)
		s.put(t, "/d/x", "/d/x", "/d/y")
		begun := time.Now()
		if err := s.Rename(t.Context(), s.device, "/d", "/e"); err != nil {
			t.Error(err)
		}
		if err := s.Rename(t.Context(), s.device, "/e/y", "/e/y"); err != nil {
			t.Errorf("to its own name: %v", err)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("it took %s", took)
		}
		if n := len(s.store.Lookup("far", "/relay/e/x")); n != 2 {
			t.Errorf("%d versions", n)
		}
	})
}

// While nobody knows whether a file was published, and the far side cannot be asked, its name stays: otherwise it could end up under
// two names, or under one that was removed.
func TestNothingIsChangedInDoubt(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	s.failWith(func(step memremote.Step, name string) error {
		if step == memremote.Publish { // it happens, and the answer is lost
			s.far.Put(name, []byte("/x"))
			s.down.Store(true)
			return away{}
		}
		return nil
	})
	stop := s.run(t)
	defer stop()
	s.put(t, "/x")
	until(t, "the breaker opens", func() bool { return len(s.log.events(audit.SpoolSuspended)) == 1 })
	if err := s.Rename(t.Context(), s.device, "/x", "/y"); !gateway.IsTemporary(err) {
		t.Errorf("rename: %v", err)
	}
	if err := s.Remove(t.Context(), s.device, "/x"); !gateway.IsTemporary(err) {
		t.Errorf("remove: %v", err)
	}
	s.failWith(nil)
	s.down.Store(false)
	if err := s.Rename(t.Context(), s.device, "/x", "/y"); err != nil {
		t.Errorf("rename when it is known: %v", err)
	}
	s.Forwarder().Up("far")
	until(t, "delivery", s.empty)
	if got := s.there("/x", "/y"); len(got) != 1 || got[0] != "/y" {
		t.Errorf("there: %q", got)
	}
}

// A file that goes straight across does not overtake one of its name that was accepted while it was on its way.
func TestStraightIsOvertakenByHeld(t *testing.T) {
	straight, held := all("far"), spooled("far")
	straight.Ops, held.Name = []policy.Operation{policy.Append}, "held"
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, held)
	p, err := policy.New([]policy.Rule{straight, held})
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(p)
	in := s.receive(t, gateway.UploadRequest{Op: policy.Append, Path: "/x"}, "straight")
	s.put(t, "/x")
	if err := in.Commit(t.Context(), gateway.Ending{}); !gateway.IsTemporary(err) {
		t.Errorf("commit: %v", err)
	}
	if len(s.there("/x")) != 0 {
		t.Error("it is published, and will be replaced by what was accepted before")
	}
}

// That a name is a directory across the conduit is found out with the delivery, as is said in docs/spool.md. The file is kept, its device
// sees it still, and it is delivered once there is room for it.
func TestFileInThePlaceOfADirectoryAcross(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	s.far.Put("/relay/dir/old", []byte("old"))
	s.put(t, "/dir", "/next")
	defer s.run(t)()
	until(t, "the rest is delivered", func() bool { return len(s.there("/next")) == 1 && len(s.log.events(audit.SpoolAside)) == 1 })
	aside := s.log.events(audit.SpoolAside)[0]
	if aside.Path != "/dir" || !strings.Contains(aside.Cause, syscall.EISDIR.Error()) {
		t.Errorf("on record: %s, %s", aside.Path, aside.Cause)
	}
	if got := s.fetch(t, "/dir", 0); got != "/dir" {
		t.Errorf("its device gets %q", got)
	}
	for _, remove := range []func() error{
		func() error { return s.far.Remove(t.Context(), gateway.Location{Home: "/relay", Path: "/dir/old"}) },
		func() error { return s.far.RemoveDir(t.Context(), gateway.Location{Home: "/relay", Path: "/dir"}) },
	} {
		if err := remove(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Forwarder().Retry(t.Context(), aside.Entry, "uid 0"); err != nil {
		t.Fatal(err)
	}
	until(t, "it is delivered, too", func() bool { return len(s.there("/dir")) == 1 })
}

// What the device can see to be impossible is refused, and not accepted to be set aside later.
func TestHeldFilesAndDirectories(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	s.down.Store(true)
	if err := s.Mkdir(t.Context(), s.device, "/made"); err != nil {
		t.Fatal(err)
	}
	s.put(t, "/file", "/dir/x")
	for path, want := range map[string]error{"/made": syscall.EISDIR, "/dir": syscall.EISDIR, "/file/x": syscall.ENOTDIR, "/file/x/y": syscall.ENOTDIR} {
		if err := s.upload(path, strings.NewReader("x")); !errors.Is(err, want) {
			t.Errorf("upload to %s: %v", path, err)
		}
	}
	for path, want := range map[string]error{"/dir": fs.ErrExist, "/made": fs.ErrExist, "/file/x": syscall.ENOTDIR} {
		s.put(t, "/moved")
		if err := s.Rename(t.Context(), s.device, "/moved", path); !errors.Is(err, want) {
			t.Errorf("rename to %s: %v", path, err)
		}
	}
	s.down.Store(false) // and nothing is delivered yet
	if infos, _, err := s.ReadDir(t.Context(), s.device, "/made"); err != nil || len(infos) != 0 {
		t.Errorf("a directory that is held, and empty: %v %v", infos, err)
	}
	if err := s.Mkdir(t.Context(), s.device, "/made/below"); err != nil {
		t.Errorf("mkdir below it: %v", err)
	}
}

// Who waits for a name gets it before it is delivered under it, even if the delivery has waited for longer.
func TestDeliveryGivesWayToWhoWaits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, spooled("far"))
		if err := s.upload("/x", strings.NewReader(strings.Repeat("x", 4<<20))); err != nil {
			t.Fatal(err)
		}
		s.failWith(func(step memremote.Step, _ string) error {
			switch step {
			case memremote.Change:
				time.Sleep(10 * time.Second)
				return fmt.Errorf("rename: %w", fs.ErrPermission)
			case memremote.Write:
				time.Sleep(time.Second)
			}
			return nil
		})
		go func() { _ = s.Rename(t.Context(), s.device, "/x", "/y") }()
		time.Sleep(time.Second)
		defer s.run(t)()
		time.Sleep(time.Second)
		if err := s.SetModTime(t.Context(), s.device, "/x", time.Now()); err != nil {
			t.Error(err)
		}
	})
}

// What an operator has been told to be held is not delivered, though the device renames it in the same moment.
func TestHoldOfRenamed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 2}, spooled("far"))
		s.put(t, "/x")
		s.failWith(func(step memremote.Step, _ string) error {
			if step == memremote.Change || step == memremote.Commit {
				time.Sleep(10 * time.Second)
			}
			return nil
		})
		s.log.after = func(r audit.Record) {
			if r.Event == audit.SpoolHeld {
				time.Sleep(5 * time.Second)
			}
		}
		go func() { _ = s.Rename(t.Context(), s.device, "/x", "/dir/y") }()
		time.Sleep(time.Second)
		held := make(chan error, 1)
		go func() {
			_, err := s.Forwarder().Hold(t.Context(), "0000000000000000", "uid 0")
			held <- err
		}()
		time.Sleep(time.Second)
		defer s.run(t)()
		time.Sleep(time.Minute)
		if err := <-held; (len(s.there("/dir/y")) == 1) == (err == nil) {
			t.Errorf("hold: %v, there: %q", err, s.there("/dir/y"))
		}
	})
}

// The time that a device has set is set, too, where the end of the delivery was not known at first.
func TestTimeOfWhatIsFound(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 1}, spooled("far"))
	s.put(t, "/x")
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := s.SetModTime(t.Context(), s.device, "/x", when); err != nil {
		t.Fatal(err)
	}
	var published atomic.Bool
	s.failWith(func(step memremote.Step, name string) error {
		if step == memremote.Publish && !published.Swap(true) { // it happens, and the answer is lost
			s.far.Put(name, []byte("/x"))
			return away{}
		}
		return nil
	})
	defer s.run(t)()
	until(t, "delivery", s.empty)
	info, err := s.Stat(t.Context(), s.device, "/x")
	if err != nil || !info.ModTime().Equal(when) {
		t.Errorf("%v %v", info, err)
	}
}
