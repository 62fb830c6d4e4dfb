// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// Every request of an upload is broken over a server that works on one request after another, to which several are sent in one flight: a file of one packet, whose
// flush does not wait for its write, and a longer one.
func TestFlightBroken(t *testing.T) {
	ordered := sftpfault.Options{Ordered: true}
	for _, size := range []int{100, 2*faultPacket + 1} {
		data := noise(size)
		target := gateway.Target{Location: at("/x")}
		trace := traceOf(t, ordered, func(t *testing.T, f *far) error {
			r, err := f.upload(t.Context(), target, data)
			if err == nil && (!r.Fsynced || !r.Atomic || r.Bytes != int64(size)) {
				t.Errorf("receipt: %+v", r)
			}
			return err
		})
		var all []task
		for _, b := range breakages(trace) {
			for _, old := range []string{"", "old"} {
				if old == "" && b.Kind == sftpfault.Hang {
					continue
				}
				all = append(all, task{fmt.Sprintf("%d bytes, %v over %q", size, b, old), func(t *testing.T) { breakUpload(t, ordered, b, target, old, data) }})
			}
		}
		sideBySide(t, all)
		t.Logf("%d requests, broken in %d ways", len(trace), len(all))
	}
}

// overLanes is a conduit on which every large file takes several channels, and all of those are open.
func overLanes(t *testing.T, change func(*Config)) (*far, *sftpfault.Server) {
	t.Helper()
	f, s := overFaulty(t, sftpfault.Options{Ordered: true}, change)
	f.far = 0
	eventually(t, "all channels to be open", func() bool {
		ch := f.pool.spare()
		if ch != nil {
			defer f.pool.release(ch)
			defer func() {
				if other := f.pool.spare(); other != nil { // so that more are wanted
					f.pool.release(other)
				}
			}()
		}
		f.pool.mu.Lock()
		defer f.pool.mu.Unlock()
		return len(f.pool.links) == 1 && len(f.pool.links[0].working()) >= 2
	})
	return f, s
}

// The same where a file is written on several channels.
func TestLanesBroken(t *testing.T) {
	data := noise(5<<20 + 1)
	target := gateway.Target{Location: at("/x")}
	t.Run("without faults", func(t *testing.T) {
		f, s := overLanes(t, nil)
		for range 5 { // another channel takes part if it is open in time
			s.Trace()
			if _, err := f.upload(t.Context(), target, data); err != nil {
				t.Fatal(err)
			}
			if written := flushedBeforePublished(t, s.Trace()); written >= 2 {
				checkFinal(t, f, nil, "", data)
				return
			}
		}
		t.Error("no upload was written through two handles")
	})
	var all []task
	for _, k := range []struct {
		op  sftpfault.Op
		nth int
	}{{sftpfault.Open, 2}, {sftpfault.Write, 900}, {sftpfault.Fsync, 1}, {sftpfault.Fsync, 2}, {sftpfault.Fstat, 2}, {sftpfault.Fstat, 3}, {sftpfault.Close, 1}} {
		for _, b := range breakages([]sftpfault.Request{{Op: k.op}}) {
			b.Nth = k.nth
			if b.Kind == sftpfault.Hang && b.Done {
				continue // each takes its time, and the same as before it is done
			}
			all = append(all, task{b.String(), func(t *testing.T) {
				f, s := overLanes(t, func(cfg *Config) {
					if b.Kind == sftpfault.Hang {
						cfg.RequestTimeout = patience / 2 // there are many requests, and on a busy machine a good server can seem to hang
					}
				})
				f.put(t, "/x", []byte("old"))
				armed := s.Arm(b.Fault)
				_, err := f.upload(t.Context(), target, data)
				select {
				case <-armed.Struck():
				case <-time.After(100 * time.Millisecond): // the channels were not as many as they could be
					t.Logf("it did not strike: %v", err)
				}
				s.Disarm()
				checkFinal(t, f, err, "old", data)
				eventually(t, "no temporary to be left", func() bool { return len(temporaries(f.files(t))) == 0 })
				if err := uploadAgain(t, f, target, data); err != nil {
					t.Errorf("afterwards an upload fails: %v", err)
				}
			}})
		}
	}
	sideBySide(t, all)
}

// flushedBeforePublished fails where a handle was not flushed behind its last write when the file was renamed; it returns the number of
// handles that were written through.
func flushedBeforePublished(t *testing.T, trace []sftpfault.Request) int {
	t.Helper()
	unflushed, written := map[string]bool{}, map[string]bool{}
	for _, r := range trace {
		switch r.Op {
		case sftpfault.Write:
			unflushed[r.Handle], written[r.Handle] = true, true
		case sftpfault.Fsync:
			delete(unflushed, r.Handle)
		case sftpfault.PosixRename:
			if len(unflushed) > 0 {
				t.Errorf("published with %d of %d handles not flushed behind their last write", len(unflushed), len(written))
			}
		}
	}
	return len(written)
}

// A file that is exchanged after it was opened, and before another channel has opened it, is read as it was opened.
func TestLaneSeesAnotherFile(t *testing.T) {
	f, s := overLanes(t, nil)
	old, other := noise(2<<20), bytes.Repeat([]byte{7}, 2<<20)
	f.put(t, "/x", old)
	f.put(t, "/other", other)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(f.local("/other"), later, later); err != nil {
		t.Fatal(err)
	}
	f.far = time.Hour // until it is open
	d, err := f.Open(t.Context(), at("/x"), 0)
	if err != nil {
		t.Fatal(err)
	}
	f.far = 0
	ahead := d.(*download).ahead
	ahead.window = readsAtLeast // on a busy machine the server seems far away, and all would be asked for at once
	var held []*sftpfault.Armed
	for i := range maxLanes {
		held = append(held, s.Arm(sftpfault.Fault{Op: sftpfault.Open, Nth: i + 1, Kind: sftpfault.Hold}))
	}
	got := &exchanging{do: func() {
		others := ahead.lanes[1:]
		for i := range others {
			<-held[i].Struck()
		}
		if err := os.Rename(f.local("/other"), f.local("/x")); err != nil {
			t.Error(err)
		}
		s.Disarm()
		eventually(t, "the other channels to have it open", func() bool {
			return !slices.ContainsFunc(others, func(l *readLane) bool { return !done(l.opening) })
		})
	}}
	if _, err := d.WriteTo(got); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(got.Bytes(), old) {
		t.Error("the content is not that of the file that was opened")
	}
	if !strings.Contains(f.log.String(), "another channel has another file open") {
		t.Error("it was not found out that another channel had another file open")
	}
}

// exchanging does something before it takes the first bytes.
type exchanging struct {
	bytes.Buffer
	do func()
}

func (e *exchanging) Write(p []byte) (int, error) {
	if e.Len() == 0 {
		e.do()
	}
	return e.Buffer.Write(p)
}
