// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
	"github.com/ftpgw/ftpgw/spool"
)

// away is what a conduit says that is down.
type away struct{}

func (away) Error() string   { return "the conduit is down" }
func (away) Temporary() bool { return true }

// spooling is a world with a spool.
type spooling struct {
	*world
	store *spool.Spool
	down  atomic.Bool  // the far side
	clock atomic.Int64 // nanoseconds by which the gateway's clock is wrong
	mu    sync.Mutex
	fail  func(s memremote.Step, name string) error
}

func spooled(conduit string) policy.Rule {
	r := all(conduit)
	r.Deliver.Acknowledge, r.Deliver.Offline = policy.Spooled, policy.ShowSpool
	return r
}

func newSpooling(t *testing.T, dir string, o gateway.ForwardOptions, rule policy.Rule, counts ...*quota.Store) *spooling {
	t.Helper()
	p, err := policy.New([]policy.Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	store, err := spool.Open(spool.Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	s := &spooling{store: store, world: &world{far: &memremote.Remote{}, near: &memremote.Remote{}, log: &memlog{}}}
	s.device = gateway.Session{ID: "s1", Zone: "bay", Device: "relay", Home: "/relay"}
	s.far.Fail = s.failing
	s.Gateway = gateway.New(gateway.Options{
		Policy: p, Remotes: map[string]gateway.Remote{"far": s.far}, Log: s.log, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Now:   func() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) },
		Spool: store, Forward: o, Quota: slices.Concat(counts, []*quota.Store{nil})[0],
	})
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *spooling) failing(step memremote.Step, name string) error {
	if s.down.Load() {
		return away{}
	}
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		return fail(step, name)
	}
	return nil
}

func (s *spooling) failWith(fail func(memremote.Step, string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// run starts the forwarder; what it returns stops it and waits. So does the end of the test, before the spool is closed.
func (s *spooling) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Forwarder().Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *spooling) empty() bool {
	u, err := s.store.Usage()
	return err == nil && u.Waiting.Entries == 0
}

func (l *memlog) events(e audit.Event) (list []audit.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.Event == e {
			list = append(list, r)
		}
	}
	return list
}

// With the conduit down a device is told that its file is complete, finds it, and it is delivered later, with a record of either.
func TestSpooledUpload(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 2}, spooled("far"))
	s.down.Store(true)
	stop := s.run(t)
	defer stop()
	if err := s.upload("/events/a.dat", strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	committed := s.log.events(audit.TransferCommitted)
	if len(committed) != 1 {
		t.Fatalf("%d records of the upload", len(committed))
	}
	r := committed[0]
	if r.Acknowledge != "spooled" || !r.Receipt.Fsynced || !strings.HasPrefix(r.Receipt.Path, "spool:") {
		t.Errorf("record %+v %+v", r, r.TransferFields)
	}
	info, err := s.Stat(t.Context(), s.device, "/events/a.dat")
	if err != nil || info.Size() != 5 {
		t.Errorf("stat: %v %v", info, err)
	}
	if got := s.fetch(t, "/events/a.dat", 1); got != "ello" {
		t.Errorf("fetched %q", got)
	}
	if err := s.EnterDirectory(t.Context(), s.device, "/events/later"); err != nil {
		t.Errorf("a directory that may be there: %v", err)
	}
	until(t, "the breaker opens", func() bool { return len(s.log.events(audit.SpoolSuspended)) == 1 })
	s.down.Store(false)
	s.Forwarder().Up("far")
	until(t, "delivery", s.empty)
	if data, _ := s.far.Get("/relay/events/a.dat"); string(data) != "hello" {
		t.Errorf("far side: %q", data)
	}
	until(t, "the breaker closes", func() bool { return len(s.log.events(audit.SpoolResumed)) == 1 })
	d := s.log.events(audit.SpoolDelivered)
	if len(d) != 1 || d[0].SHA256 != r.SHA256 || d[0].Transfer != r.Transfer || d[0].Rule != "all" || !d[0].Receipt.Atomic || d[0].Entry == "" {
		t.Errorf("delivered: %+v", d)
	}
}

// What is acknowledged when it is spooled asks nothing of the far side, which may take its time to say that it is not there.
func TestSpooledUploadAsksNobody(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	s.failWith(func(step memremote.Step, name string) error {
		t.Errorf("the far side was asked: %s %s", step, name)
		return nil
	})
	if err := s.upload("/x", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
}

func (s *spooling) fetch(t *testing.T, name string, offset int64) string {
	t.Helper()
	out, err := s.Send(t.Context(), s.device, gateway.DownloadRequest{Path: name, Offset: offset})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := out.Bring(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := out.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func names(infos []fs.FileInfo) (list []string) {
	for _, i := range infos {
		n := i.Name()
		if i.IsDir() {
			n += "/"
		}
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// The device sees one file system, whether the conduit is up or down.
func TestOneFileSystem(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	s.far.Put("/relay/old", []byte("old"))
	s.far.Put("/relay/both", []byte("across"))
	for name, text := range map[string]string{"/both": "held here", "/new": "n", "/dir/deep/x": "x"} {
		if err := s.upload(name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	list := func(dir string) []string {
		infos, _, err := s.ReadDir(t.Context(), s.device, dir)
		if err != nil {
			t.Errorf("list %s: %v", dir, err)
		}
		return names(infos)
	}
	if got := list("/"); !slices.Equal(got, []string{"both", "dir/", "new", "old"}) {
		t.Errorf("conduit up: %q", got)
	}
	if got := list("/dir"); !slices.Equal(got, []string{"deep/"}) {
		t.Errorf("a directory of held files: %q", got)
	}
	if info, err := s.Stat(t.Context(), s.device, "/both"); err != nil || info.Size() != 9 {
		t.Errorf("what is held stands in front: %v %v", info, err)
	}
	s.down.Store(true)
	if got := list("/"); !slices.Equal(got, []string{"both", "dir/", "new"}) {
		t.Errorf("conduit down: %q", got)
	}
	if _, err := s.Stat(t.Context(), s.device, "/old"); !gateway.IsTemporary(err) {
		t.Errorf("what may be there: %v", err)
	}
	if err := s.Mkdir(t.Context(), s.device, "/made"); err != nil {
		t.Errorf("mkdir: %v", err)
	}
	if err := s.Rename(t.Context(), s.device, "/new", "/made/newer"); err != nil {
		t.Errorf("rename: %v", err)
	}
	if err := s.Remove(t.Context(), s.device, "/both"); err != nil {
		t.Errorf("remove: %v", err)
	}
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := s.SetModTime(t.Context(), s.device, "/made/newer", when); err != nil {
		t.Errorf("mfmt: %v", err)
	}
	if got := list("/made"); !slices.Equal(got, []string{"newer"}) {
		t.Errorf("after the rename: %q", got)
	}
	if n := len(s.log.events(audit.SpoolDiscarded)); n != 1 {
		t.Errorf("%d records of what was given up", n)
	}
	s.down.Store(false)
	stop := s.run(t)
	defer stop()
	until(t, "delivery", s.empty)
	if got := list("/"); !slices.Equal(got, []string{"both", "dir/", "made/", "old"}) {
		t.Errorf("delivered: %q", got)
	}
	if data, _ := s.far.Get("/relay/both"); string(data) != "across" {
		t.Errorf("a file across was changed by what was given up: %q", data)
	}
	info, err := s.Stat(t.Context(), s.device, "/made/newer")
	if err != nil || !info.ModTime().Equal(when) {
		t.Errorf("its time: %v %v", info, err)
	}
}

func TestOfflineRefuse(t *testing.T) {
	r := spooled("far")
	r.Deliver.Offline = policy.RefuseOffline
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, r)
	if err := s.upload("/x", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	s.down.Store(true)
	if _, _, err := s.ReadDir(t.Context(), s.device, "/"); !gateway.IsTemporary(err) {
		t.Errorf("list: %v", err)
	}
	if err := s.Rename(t.Context(), s.device, "/x", "/y"); err != nil {
		t.Errorf("rename of what is held: %v", err)
	}
	if err := s.Remove(t.Context(), s.device, "/y"); err != nil {
		t.Errorf("removal of what is held: %v", err)
	}
}

// Files of one device for one directory come in order, whatever fails in between; others need not wait for them.
func TestOrder(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 4}, spooled("far"))
	var mu sync.Mutex
	var order []string
	failures := map[string]int{}
	s.failWith(func(step memremote.Step, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if step != memremote.Commit {
			return nil
		}
		if strings.HasPrefix(name, "/relay/a/") && failures[name] < 1 {
			failures[name]++
			return away{}
		}
		order = append(order, name)
		return nil
	})
	for i := range 3 {
		for _, dir := range []string{"/a", "/b"} {
			if err := s.upload(fmt.Sprintf("%s/%d", dir, 9-i), strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop := s.run(t)
	defer stop()
	until(t, "delivery", s.empty)
	for _, dir := range []string{"/relay/a", "/relay/b"} {
		var got []string
		for _, name := range order {
			if strings.HasPrefix(name, dir) {
				got = append(got, strings.TrimPrefix(name, dir))
			}
		}
		if !slices.Equal(got, []string{"/9", "/8", "/7"}) {
			t.Errorf("%s: %q", dir, got)
		}
	}
	if n := len(s.log.events(audit.SpoolRetry)); n != 3 {
		t.Errorf("%d retries on record", n)
	}
}

// What can never be delivered is set aside with an alarm, and does not hold up the rest; when the cause is removed, it is delivered.
func TestSetAside(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 1}, spooled("far"))
	s.failWith(func(step memremote.Step, name string) error {
		if step == memremote.Begin && name == "/relay/bad" {
			return fmt.Errorf("open: %w", fs.ErrPermission)
		}
		return nil
	})
	for _, name := range []string{"/bad", "/good"} {
		if err := s.upload(name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	stop := s.run(t)
	defer stop()
	until(t, "delivery", s.empty)
	if _, ok := s.far.Get("/relay/good"); !ok {
		t.Error("the other file was held up")
	}
	aside := s.log.events(audit.SpoolAside)
	if len(aside) != 1 || aside[0].Path != "/bad" || !strings.Contains(aside[0].Cause, "permission") {
		t.Fatalf("on record: %+v", aside)
	}
	if _, err := s.Stat(t.Context(), s.device, "/bad"); err != nil {
		t.Errorf("the device does not see it any more: %v", err)
	}
	s.failWith(nil)
	if _, err := s.Forwarder().Retry(t.Context(), aside[0].Entry, "uid 0"); err != nil {
		t.Fatal(err)
	}
	until(t, "delivery", func() bool { _, ok := s.far.Get("/relay/bad"); return ok })
}

// A stop between the rename across the conduit and the end of the entry delivers nothing twice, and a stop before it loses nothing.
func TestStoppedInBetween(t *testing.T) {
	dir := t.TempDir()
	s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, spooled("far"))
	if err := s.upload("/x", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	refused := 0
	s.log.refuse = func(r audit.Record) error { // the first record of the delivery: the file is across then, and the entry stays
		if r.Event == audit.SpoolDelivered && refused == 0 {
			refused++
			return syscall.EIO
		}
		return nil
	}
	commits := 0
	s.failWith(func(step memremote.Step, _ string) error {
		if step == memremote.Commit {
			commits++
		}
		return nil
	})
	stop := s.run(t)
	defer stop()
	until(t, "delivery", s.empty)
	if data, _ := s.far.Get("/relay/x"); string(data) != "content" {
		t.Errorf("far side: %q", data)
	}
	if commits != 1 || refused != 1 {
		t.Errorf("published %d times, %d records failed", commits, refused)
	}
	d := s.log.events(audit.SpoolDelivered)
	if len(d) != 1 || d[0].Receipt.Verified != "readback" {
		t.Errorf("on record: %+v", d)
	}
}

// A device renames what is being delivered: the delivery gives way, and the file arrives under its new name alone.
func TestRenameDuringDelivery(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 1}, spooled("far"))
	begun := make(chan struct{})
	var once sync.Once
	resume := make(chan struct{})
	s.failWith(func(step memremote.Step, name string) error {
		if step == memremote.Begin && strings.HasSuffix(name, ".tmp") {
			once.Do(func() { close(begun) })
			<-resume
		}
		return nil
	})
	if err := s.upload("/f.tmp", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	stop := s.run(t)
	defer stop()
	<-begun
	renamed := make(chan error, 1)
	go func() { renamed <- s.Rename(t.Context(), s.device, "/f.tmp", "/f.dat") }()
	until(t, "the rename asks for the name", func() bool {
		return len(s.log.events(audit.DecisionAllowed)) > 0
	})
	close(resume)
	if err := <-renamed; err != nil {
		t.Fatal(err)
	}
	until(t, "delivery", s.empty)
	infos, _, err := s.ReadDir(t.Context(), s.device, "/")
	if got := names(infos); err != nil || !slices.Equal(got, []string{"f.dat"}) {
		t.Errorf("far side: %q %v", got, err)
	}
}

// A file that goes straight across must not be overtaken by an older one that waits.
func TestStraightBehindHeld(t *testing.T) {
	straight := all("far")
	straight.Name, straight.MinSize = "straight", 10
	held := spooled("far")
	held.MaxSize = 9
	_ = straight
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, held)
	if err := s.upload("/x", strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	p, err := policy.New([]policy.Rule{straight})
	if err != nil {
		t.Fatal(err)
	}
	s.SetPolicy(p)
	if err := s.upload("/x", strings.NewReader("newer and longer")); !gateway.IsTemporary(err) {
		t.Errorf("upload: %v", err)
	}
}

// A continued file is one whole file in the spool, and nobody continues what somebody else has changed.
func TestAppendToHeld(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	s.down.Store(true)
	if err := s.upload("/log", strings.NewReader("one")); err != nil {
		t.Fatal(err)
	}
	begin := func() *gateway.Incoming {
		in, err := s.Receive(t.Context(), s.device, gateway.UploadRequest{Op: policy.Append, Path: "/log", Declared: policy.SizeUnknown})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Take(t.Context(), strings.NewReader("+two")); err != nil {
			t.Fatal(err)
		}
		return in
	}
	first, second := begin(), begin()
	if err := first.Commit(t.Context(), gateway.Ending{}); err != nil {
		t.Fatal(err)
	}
	if err := second.Commit(t.Context(), gateway.Ending{}); !errors.Is(err, gateway.ErrChanged) {
		t.Errorf("second: %v", err)
	}
	if got := s.fetch(t, "/log", 0); got != "one+two" {
		t.Errorf("got %q", got)
	}
}

// The files of a COMTRADE record come together, the configuration last; what is missing is waited for no longer than the rule says.
func TestSets(t *testing.T) {
	r := spooled("far")
	r.Deliver.Set, r.Deliver.SetTimeout, r.Deliver.SetOverdue = policy.ComtradeSet, time.Hour, policy.HoldOverdue
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 1}, r)
	var mu sync.Mutex
	var order []string
	s.failWith(func(step memremote.Step, name string) error {
		if step == memremote.Commit {
			mu.Lock()
			order = append(order, strings.TrimPrefix(name, "/relay"))
			mu.Unlock()
		}
		return nil
	})
	stop := s.run(t)
	defer stop()
	for _, name := range []string{"/f1.CFG", "/f1.hdr", "/other.txt"} {
		if err := s.upload(name, strings.NewReader(name)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "what is in no set", func() bool { _, ok := s.far.Get("/relay/other.txt"); return ok })
	if err := s.upload("/f1.dat", strings.NewReader("d")); err != nil {
		t.Fatal(err)
	}
	until(t, "the set", s.empty)
	if !slices.Equal(order, []string{"/other.txt", "/f1.hdr", "/f1.dat", "/f1.CFG"}) {
		t.Errorf("order %q", order)
	}
}

func TestOverdueSets(t *testing.T) {
	for _, overdue := range []policy.Overdue{policy.PublishOverdue, policy.HoldOverdue} {
		t.Run(string(overdue), func(t *testing.T) {
			r := spooled("far")
			r.Deliver.Set, r.Deliver.SetTimeout, r.Deliver.SetOverdue = policy.ComtradeSet, time.Millisecond, overdue
			s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 1}, r)
			stop := s.run(t)
			defer stop()
			if err := s.upload("/f1.cfg", strings.NewReader("c")); err != nil {
				t.Fatal(err)
			}
			until(t, "its time passes", s.empty)
			if overdue == policy.PublishOverdue {
				until(t, "delivery", func() bool { _, ok := s.far.Get("/relay/f1.cfg"); return ok })
				if n := len(s.log.events(audit.SpoolReleased)); n != 1 {
					t.Errorf("%d records of the release", n)
				}
				return
			}
			until(t, "it is on record that it is held", func() bool { return len(s.log.events(audit.SpoolHeld)) > 0 })
			held := s.log.events(audit.SpoolHeld)
			if len(held) != 1 {
				t.Fatalf("%d records of what is held", len(held))
			}
			if _, ok := s.far.Get("/relay/f1.cfg"); ok {
				t.Error("it was published")
			}
			if _, err := s.Forwarder().Release(t.Context(), held[0].Entry, "uid 0"); err != nil {
				t.Fatal(err)
			}
			until(t, "delivery", func() bool { _, ok := s.far.Get("/relay/f1.cfg"); return ok })
		})
	}
}
