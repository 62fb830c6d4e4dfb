// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
)

// faultPacket is small, so that a file of a few kilobytes takes several writes and reads.
const faultPacket = 4 << 10

// overFaulty is a conduit to a server that breaks on command.
func overFaulty(t *testing.T, o sftpfault.Options, change func(*Config)) (*far, *sftpfault.Server) {
	t.Helper()
	dir := t.TempDir()
	o.Dir, o.User = filepath.Join(dir, "srv"), "ftpgw"
	o.Packet = faultPacket
	if err := os.MkdirAll(filepath.Join(o.Dir, "in", "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key")
	var err error
	if o.AuthorizedKey, err = sftpserver.NewClientKey(key); err != nil {
		t.Fatal(err)
	}
	s, err := sftpfault.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
	})
	cfg := Config{
		Address: s.Addr(), User: o.User, Identity: key, HostKey: s.HostKeyLine(), Root: "/in", Connections: 1,
		DialTimeout: patience, RequestTimeout: patience, KeepAlive: patience,
	}
	if change != nil {
		change(&cfg)
	}
	c, log := run(t, cfg)
	f := &far{Conduit: c, root: filepath.Join(o.Dir, "in"), log: log}
	f.ready(t)
	return f, s
}

// breakage is one way to break one request.
type breakage struct {
	sftpfault.Fault
}

func (b breakage) String() string {
	when := "before"
	if b.Done {
		when = "done"
	}
	return fmt.Sprintf("%s %d %s %s", b.Op, b.Nth, b.Kind, when)
}

// hurry makes a server that hangs be found out soon.
func (b breakage) hurry(cfg *Config) {
	if b.Kind == sftpfault.Hang {
		cfg.RequestTimeout = 300 * time.Millisecond
	}
}

// breakages are all the ways to break each of the requests of a transfer that went well: each fails, hangs, and is cut off, before it
// was done and after.
func breakages(trace []sftpfault.Request) []breakage {
	var all []breakage
	count := map[sftpfault.Op]int{}
	for _, r := range trace {
		count[r.Op]++
		for _, kind := range []sftpfault.Kind{sftpfault.Fail, sftpfault.Hang, sftpfault.Cut} {
			for _, done := range []bool{false, true} {
				all = append(all, breakage{sftpfault.Fault{Op: r.Op, Nth: count[r.Op], Kind: kind, Done: done}})
			}
		}
	}
	return all
}

// task is a subtest.
type task struct {
	name string
	test func(t *testing.T)
}

// sideBySide runs subtests that mostly wait, more of them at once than there are processors.
func sideBySide(t *testing.T, all []task) {
	next := make(chan task)
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			for task := range next {
				t.Run(task.name, task.test)
			}
		})
	}
	for _, task := range all {
		next <- task
	}
	close(next)
	wg.Wait()
}

// traceOf runs a transfer on a server without faults and returns its requests.
func traceOf(t *testing.T, o sftpfault.Options, transfer func(t *testing.T, f *far) error) []sftpfault.Request {
	t.Helper()
	var trace []sftpfault.Request
	t.Run("without faults", func(t *testing.T) {
		f, s := overFaulty(t, o, nil)
		f.put(t, "/x", []byte("old"))
		s.Trace()
		if err := transfer(t, f); err != nil {
			t.Fatal(err)
		}
		trace = s.Trace()
	})
	return trace
}

// Every request of an upload is broken, in each way, before it was done and after: the final name is the old file or the new one as
// the result says, and nothing else is left.
func TestUploadBroken(t *testing.T) {
	data := noise(3*faultPacket + 1)
	for _, how := range []gateway.Verification{gateway.VerifySize, gateway.VerifyReadback, gateway.VerifyExtension} {
		target := gateway.Target{Location: at("/x"), Verify: how, Digest: digestOf(data)}
		trace := traceOf(t, sftpfault.Options{}, func(t *testing.T, f *far) error {
			r, err := f.upload(t.Context(), target, data)
			if err == nil && (r.Verified != how || !r.Fsynced || !r.Atomic) {
				t.Errorf("receipt: %+v", r)
			}
			return err
		})
		t.Run(string(how), func(t *testing.T) {
			var all []task
			for _, b := range breakages(trace) {
				if how != gateway.VerifySize && b.Nth == 1 && b.Op != sftpfault.Read && b.Op != sftpfault.CheckFile {
					continue // the same as without
				}
				for _, old := range []string{"", "old"} {
					if old == "" && b.Kind == sftpfault.Hang {
						continue // each takes its time, and the same as over an old file
					}
					all = append(all, task{fmt.Sprintf("%v over %q", b, old), func(t *testing.T) { breakUpload(t, sftpfault.Options{}, b, target, old, data) }})
				}
			}
			sideBySide(t, all)
			t.Logf("%d requests, broken in %d ways", len(trace), len(all))
		})
	}
}

// The same where the upload continues a file, whose state is compared first, and where the file is moved aside instead.
func TestRenameBroken(t *testing.T) {
	data := noise(faultPacket + 1)
	against := errors.New("the device has gone")
	var all []task
	for _, op := range []sftpfault.Op{sftpfault.Lstat, sftpfault.PosixRename} {
		for _, b := range breakages([]sftpfault.Request{{Op: op}}) {
			if op == sftpfault.Lstat {
				b.Nth = 2 // the first belongs to Begin
				all = append(all, task{"continued " + b.String(), func(t *testing.T) {
					f, s := overFaulty(t, sftpfault.Options{}, b.hurry)
					f.put(t, "/x", []byte("old"))
					info, err := os.Stat(f.local("/x"))
					if err != nil {
						t.Fatal(err)
					}
					s.Arm(b.Fault)
					base := &gateway.Base{Exists: true, Size: info.Size(), ModTime: info.ModTime()}
					_, err = f.upload(t.Context(), gateway.Target{Location: at("/x"), Base: base}, data)
					s.Disarm()
					checkFinal(t, f, err, "old", data)
					eventually(t, "no temporary to be left", func() bool { return len(temporaries(f.files(t))) == 0 })
				}})
				continue
			}
			all = append(all, task{"aside " + b.String(), func(t *testing.T) {
				f, s := overFaulty(t, sftpfault.Options{}, b.hurry)
				f.put(t, "/x", []byte("old"))
				s.Arm(b.Fault)
				u := f.begin(t, "/x")
				if _, err := u.Write(data); err != nil {
					t.Fatal(err)
				}
				_, err := u.Commit(t.Context(), gateway.Terms{Last: func() error { return against }, Aside: "x.partial"})
				s.Disarm()
				if !errors.Is(err, against) {
					t.Errorf("Commit: %v, want %v", err, against)
				}
				checkFinal(t, f, err, "old", data)
				if got, err := os.ReadFile(f.local("/x.partial")); err == nil && !bytes.Equal(got, data) || err != nil && !os.IsNotExist(err) {
					t.Errorf("aside there are %d bytes, %v", len(got), err)
				}
				eventually(t, "no temporary to be left", func() bool { return len(temporaries(f.files(t))) == 0 })
			}})
		}
	}
	sideBySide(t, all)
}

func breakUpload(t *testing.T, o sftpfault.Options, b breakage, target gateway.Target, old string, data []byte) {
	f, s := overFaulty(t, o, b.hurry)
	if old != "" {
		f.put(t, "/x", []byte(old))
	}
	err := struck(t, s, b.Fault, func() error {
		_, err := f.upload(t.Context(), target, data)
		return err
	})
	checkFinal(t, f, err, old, data)
	eventually(t, "no temporary to be left", func() bool { return len(temporaries(f.files(t))) == 0 })
	if err := uploadAgain(t, f, target, data); err != nil {
		t.Errorf("afterwards an upload fails: %v", err)
	}
}

// struck runs a transfer with a fault on duty, and again where the transfer failed before it could strike: on a busy machine even a
// good server can seem to hang.
func struck(t *testing.T, s *sftpfault.Server, fault sftpfault.Fault, transfer func() error) (err error) {
	t.Helper()
	eventually(t, fmt.Sprintf("%+v to strike", fault), func() bool {
		armed := s.Arm(fault)
		defer s.Disarm()
		if err = transfer(); err != nil {
			select {
			case <-armed.Struck():
				return true
			default:
				return false
			}
		}
		select {
		case <-armed.Struck(): // perhaps by what a transfer does not wait for
			return true
		case <-time.After(patience):
			t.Fatal("the transfer succeeds, and the fault has not struck")
			return false
		}
	})
	return err
}

// uploadAgain tries until the conduit has recovered: the loss of a connection may be noticed by the first who uses it.
func uploadAgain(t *testing.T, f *far, target gateway.Target, data []byte) (err error) {
	eventually(t, "an upload to succeed again", func() bool {
		_, err = f.upload(t.Context(), target, data)
		return err == nil || !gateway.IsTemporary(err)
	})
	return err
}

// checkFinal compares what stands under the final name with what the upload said.
func checkFinal(t *testing.T, f *far, err error, old string, data []byte) {
	t.Helper()
	got, readErr := os.ReadFile(f.local("/x"))
	isOld := readErr == nil && old != "" && string(got) == old || os.IsNotExist(readErr) && old == ""
	isNew := readErr == nil && bytes.Equal(got, data)
	switch {
	case err == nil && !isNew:
		t.Errorf("success, and under the final name there are %d bytes, %v", len(got), readErr)
	case err != nil && errors.Is(err, errUnknown) && (isOld || isNew):
	case err != nil && !isOld:
		t.Errorf("failure (%v), and under the final name there are %d bytes, %v", err, len(got), readErr)
	case errors.Is(err, io.EOF):
		t.Errorf("the error passes for the end of a file: %v", err)
	}
}

func temporaries(names []string) (found []string) {
	for _, n := range names {
		if strings.Contains(n, tempPrefix) {
			found = append(found, n)
		}
	}
	return found
}

// Every request of a download is broken: what arrives is the whole file, or an error says that it is not.
func TestDownloadBroken(t *testing.T) {
	data := noise(3*faultPacket + 1)
	trace := traceOf(t, sftpfault.Options{}, func(t *testing.T, f *far) error {
		f.put(t, "/x", data)
		_, err := f.download(t.Context(), "/x", 0)
		return err
	})
	var all []task
	for _, b := range breakages(trace) {
		all = append(all, task{b.String(), func(t *testing.T) {
			f, s := overFaulty(t, sftpfault.Options{}, b.hurry)
			f.put(t, "/x", data)
			var got []byte
			err := struck(t, s, b.Fault, func() (err error) {
				got, err = f.download(t.Context(), "/x", 0)
				return err
			})
			if err == nil && !bytes.Equal(got, data) {
				t.Errorf("success with %d bytes of %d", len(got), len(data))
			}
			if err != nil && !bytes.HasPrefix(data, got) {
				t.Errorf("%v, and the %d bytes before it are wrong", err, len(got))
			}
			if errors.Is(err, io.EOF) {
				t.Errorf("the error passes for the end of a file: %v", err)
			}
			eventually(t, "a download to succeed again", func() bool {
				got, err := f.download(t.Context(), "/x", 0)
				return err == nil && bytes.Equal(got, data)
			})
		}})
	}
	sideBySide(t, all)
}

// Each status that a server may answer while it stores a file, at the first, a middle and the last write, at the flush, the close and
// the rename: the class of the error says what it means, and nothing is published.
func TestStoringRefused(t *testing.T) {
	statuses := map[uint32]struct {
		want      error
		temporary bool
	}{
		3:  {os.ErrPermission, false}, // SSH_FX_PERMISSION_DENIED
		4:  {nil, true},               // SSH_FX_FAILURE: a quota, on OpenSSH
		12: {syscall.EROFS, true},     // SSH_FX_WRITE_PROTECT
		14: {syscall.ENOSPC, true},    // SSH_FX_NO_SPACE_ON_FILESYSTEM
		15: {syscall.EDQUOT, true},    // SSH_FX_QUOTA_EXCEEDED
	}
	f, s := overFaulty(t, sftpfault.Options{}, nil)
	f.put(t, "/x", []byte("old"))
	data := noise(3*faultPacket + 1)
	for code, c := range statuses {
		for _, at1 := range []sftpfault.Fault{
			{Op: sftpfault.Open, Nth: 1}, {Op: sftpfault.Write, Nth: 1}, {Op: sftpfault.Write, Nth: 2}, {Op: sftpfault.Write, Nth: 4},
			{Op: sftpfault.Fsync, Nth: 1}, {Op: sftpfault.Close, Nth: 1}, {Op: sftpfault.PosixRename, Nth: 1},
		} {
			fault := at1
			fault.Kind, fault.Code = sftpfault.Fail, code
			armed := s.Arm(fault)
			_, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, data)
			<-armed.Struck()
			s.Disarm()
			if err == nil || c.want != nil && !errors.Is(err, c.want) || gateway.IsTemporary(err) != c.temporary {
				t.Errorf("status %d at %s %d: %v, temporary %v", code, fault.Op, fault.Nth, err, gateway.IsTemporary(err))
			}
			checkFinal(t, f, err, "old", data)
			f.wantFiles(t, "x")
		}
	}
}

// A server that refuses the first piece has accepted nothing, whatever it says to those behind it.
func TestRefusedPieceIsNotAccepted(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{}, nil)
	var accepted atomic.Int64
	target := gateway.Target{Location: at("/x"), Accepted: func() { accepted.Add(1) }}
	armed := s.Arm(sftpfault.Fault{Op: sftpfault.Write, Nth: 1, Kind: sftpfault.Fail, Code: 14})
	if _, err := f.upload(t.Context(), target, noise(3*faultPacket+1)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("upload: %v", err)
	}
	<-armed.Struck()
	s.Disarm()
	if n := accepted.Load(); n != 0 {
		t.Errorf("told %d times of pieces that were accepted", n)
	}
	if _, err := f.upload(t.Context(), target, noise(3*faultPacket+1)); err != nil || accepted.Load() == 0 {
		t.Errorf("the next upload: %v, accepted %d", err, accepted.Load())
	}
}
