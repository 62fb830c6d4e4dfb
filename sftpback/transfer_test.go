// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

func TestRoundTrip(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		for _, size := range []int{0, 1, safePacket - 1, safePacket, safePacket + 1, maxPacket - 1, maxPacket, maxPacket + 1, 5<<20 + 3} {
			p := fmt.Sprintf("/f%d", size)
			want := noise(size)
			r, err := f.upload(t.Context(), gateway.Target{Location: at(p)}, want)
			if err != nil {
				t.Fatalf("%d bytes up: %v", size, err)
			}
			wantReceipt := gateway.Receipt{Bytes: int64(size), Atomic: true, Verified: gateway.VerifySize, Fsynced: f.sshd != nil, Path: f.Conduit.cfg.Root}
			if f.Conduit.cfg.Root == "/" {
				wantReceipt.Path = ""
			}
			wantReceipt.Path += "/dev" + p
			if r != wantReceipt {
				t.Errorf("receipt: %+v, want %+v", r, wantReceipt)
			}
			if got, err := os.ReadFile(f.local(p)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes up: the server has %d bytes, equal %v, %v", size, len(got), bytes.Equal(got, want), err)
			}
			if info, err := os.Stat(f.local(p)); err == nil && info.Mode().Perm()&^0o640 != 0 {
				t.Errorf("mode is %v", info.Mode())
			}
			for _, offset := range []int{0, size / 3, size} {
				got, err := f.download(t.Context(), p, int64(offset))
				if err != nil || !bytes.Equal(got, want[offset:]) {
					t.Errorf("%d bytes down from %d: got %d, equal %v, %v", size, offset, len(got), bytes.Equal(got, want[offset:]), err)
				}
			}
		}
	})
}

func TestWriteInPieces(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		want := noise(3<<20 + 17)
		u := f.begin(t, "/pieces")
		for rest, n := want, 1; len(rest) > 0; n = n*3 + 1 {
			n = min(n, len(rest), 700_000)
			if got, err := u.Write(rest[:n]); got != n || err != nil {
				t.Fatalf("Write: %d, %v", got, err)
			}
			rest = rest[n:]
		}
		if _, err := u.Commit(t.Context(), gateway.Terms{}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f.local("/pieces")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	})
}

// A file is invisible until Commit: under its final name, and in listings.
func TestNothingVisibleBeforeCommit(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		u := f.begin(t, "/new")
		if _, err := u.Write(noise(3 << 20)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(f.local("/new")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the final name exists: %v", err)
		}
		if infos, err := f.ReadDir(t.Context(), at("/")); err != nil || len(infos) != 0 {
			t.Errorf("listing: %v, %v", infos, err)
		}
		if n := len(f.files(t)); n != 1 {
			t.Errorf("%d files on the server, want the hidden one", n)
		}
		if _, err := u.Commit(t.Context(), gateway.Terms{}); err != nil {
			t.Fatal(err)
		}
		f.wantFiles(t, "new")
	})
}

// While a large file is under way its upload tells that the server has begun to take it, and not before the server has.
func TestAcceptedPieces(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		accepted := make(chan int64, 1000)
		u, err := f.Begin(t.Context(), gateway.Target{Location: at("/large"), Accepted: func() {
			var size int64
			for _, name := range f.files(t) {
				if info, err := os.Stat(f.local("/" + name)); err == nil {
					size += info.Size()
				}
			}
			accepted <- size
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write(noise(3 << 20)); err != nil {
			t.Fatal(err)
		}
		if size := <-accepted; size == 0 { // before Commit
			t.Error("told before there was anything on the server")
		}
		if _, err := u.Commit(t.Context(), gateway.Terms{}); err != nil {
			t.Fatal(err)
		}
		f.wantFiles(t, "large")
	})
}

// Whoever reads the final name while it is replaced sees the old file or the new one.
func TestReplaceIsAtomic(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		versions := [][]byte{noise(300_001), noise(200_003)}
		f.put(t, "/x", versions[0])
		stop := make(chan struct{})
		var reader sync.WaitGroup
		reads := 0
		reader.Go(func() {
			for {
				got, err := os.ReadFile(f.local("/x"))
				if err != nil || !bytes.Equal(got, versions[0]) && !bytes.Equal(got, versions[1]) {
					t.Errorf("a reader sees %d bytes, %v", len(got), err)
					return
				}
				reads++
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		for i := range 20 {
			if _, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, versions[(i+1)%2]); err != nil {
				t.Error(err)
			}
		}
		close(stop)
		reader.Wait()
		t.Logf("%d reads", reads)
	})
}

func TestAbort(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		f.put(t, "/x", []byte("old"))
		for _, size := range []int{0, 10, 3 << 20} {
			u := f.begin(t, "/x")
			if _, err := u.Write(noise(size)); err != nil {
				t.Fatal(err)
			}
			u.Abort(errors.New("the device went away"))
			u.Abort(errors.New("twice"))
			f.wantFiles(t, "x")
			if _, err := u.Write([]byte("late")); err == nil {
				t.Error("Write after Abort succeeds")
			}
			if _, err := u.Commit(t.Context(), gateway.Terms{}); err == nil {
				t.Error("Commit after Abort succeeds")
			}
		}
		if got, err := os.ReadFile(f.local("/x")); err != nil || string(got) != "old" {
			t.Errorf("old file: %q, %v", got, err)
		}
	})
}

// The error of the device's connection comes back as it is, and a cancelled Commit leaves nothing.
func TestUploadEndsEarly(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		f.home(t)
		broken := errors.New("connection reset")
		u := f.begin(t, "/x")
		n, err := u.ReadFrom(io.MultiReader(bytes.NewReader(noise(1000)), iotest.ErrReader(broken)))
		if n != 1000 || err != broken {
			t.Errorf("ReadFrom: %d, %v", n, err)
		}
		u.Abort(err)
		f.wantFiles(t)

		u = f.begin(t, "/x")
		if _, err := u.Write(noise(3 << 20)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := u.Commit(ctx, gateway.Terms{}); !errors.Is(err, context.Canceled) || !gateway.IsTemporary(err) {
			t.Errorf("Commit: %v", err)
		}
		f.wantFiles(t)
		if err := f.Available(t.Context(), gateway.Requirements{}); err != nil {
			t.Errorf("after a cancellation: %v", err)
		}
	})
}

func TestBase(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		when := time.Unix(1_700_000_000, 0)
		for name, c := range map[string]struct {
			base gateway.Base
			want error
		}{
			"same":          {gateway.Base{Exists: true, Size: 3, ModTime: when.Add(300 * time.Millisecond)}, nil},
			"other size":    {gateway.Base{Exists: true, Size: 4, ModTime: when}, gateway.ErrChanged},
			"other time":    {gateway.Base{Exists: true, Size: 3, ModTime: when.Add(time.Second)}, gateway.ErrChanged},
			"it was not":    {gateway.Base{}, gateway.ErrChanged},
			"it is no more": {gateway.Base{Exists: true, Size: 3, ModTime: when}, gateway.ErrChanged},
		} {
			f.put(t, "/x", []byte("old"))
			if err := os.Chtimes(f.local("/x"), when, when); err != nil {
				t.Fatal(err)
			}
			if name == "it is no more" {
				if err := os.Remove(f.local("/x")); err != nil {
					t.Fatal(err)
				}
			}
			_, err := f.upload(t.Context(), gateway.Target{Location: at("/x"), Base: &c.base}, []byte("new!"))
			if !errors.Is(err, c.want) || gateway.IsTemporary(err) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			for _, left := range f.files(t) {
				if strings.HasPrefix(left, tempPrefix) {
					t.Errorf("%s: %s is left", name, left)
				}
			}
		}
	})
}

// Of two uploads that continue the same file, one wins.
func TestBaseRace(t *testing.T) {
	f := overSSHD(t, nil)
	f.home(t)
	const n = 8
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, errs[i] = f.upload(t.Context(), gateway.Target{Location: at("/x"), Base: &gateway.Base{}}, noise(1000+i))
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, gateway.ErrChanged) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d uploads won", won)
	}
	f.wantFiles(t, "x")
}

func TestUploadTargets(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		f.put(t, "/dir/file", nil)
		for p, want := range map[string]error{
			"/":                            syscall.EISDIR,
			"/dir":                         syscall.EISDIR,
			"/missing/x":                   fs.ErrNotExist,
			"/dir/file/x":                  syscall.ENOTDIR,
			"/" + strings.Repeat("n", 256): syscall.ENAMETOOLONG,
			"/.ftpgw-x":                    fs.ErrPermission,
			"/../x":                        gateway.ErrBadName,
			"/a\x00b":                      gateway.ErrBadName,
		} {
			_, err := f.upload(t.Context(), gateway.Target{Location: at(p)}, []byte("x"))
			if !errors.Is(err, want) || gateway.IsTemporary(err) {
				t.Errorf("%q: %v, want %v", p, err, want)
			}
		}
		long := "/" + strings.Repeat("n", 255)
		if _, err := f.upload(t.Context(), gateway.Target{Location: at(long)}, []byte("x")); err != nil {
			t.Errorf("a name of 255 bytes: %v", err)
		}
		f.wantFiles(t, "dir/file", long[1:])
	})
}

// Each upload uses a name of its own, and a channel for as long as it lasts; there are more of them than channels.
func TestManyAtOnce(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		const n = 50
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				p, want := fmt.Sprintf("/f%02d", i), noise(100_000+i)
				if _, err := f.upload(t.Context(), gateway.Target{Location: at(p)}, want); err != nil {
					t.Error(err)
					return
				}
				if got, err := f.download(t.Context(), p, 0); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, %v", p, len(got), err)
				}
			})
		}
		wg.Wait()
		if got := len(f.files(t)); got != n {
			t.Errorf("%d files, want %d", got, n)
		}
		f.pool.mu.Lock()
		defer f.pool.mu.Unlock()
		for _, l := range f.pool.links {
			for _, ch := range l.working() {
				if ch.busy != 0 {
					t.Errorf("a channel is still held by %d", ch.busy)
				}
			}
		}
	})
}

func TestDownloadRefusals(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		f.put(t, "/x", []byte("12345"))
		f.put(t, "/dir/y", nil)
		if err := syscall.Mkfifo(f.local("/pipe"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			path   string
			offset int64
			want   error
		}{
			{"/x", 6, gateway.ErrBadOffset},
			{"/x", -1, gateway.ErrBadOffset},
			{"/dir", 0, syscall.EISDIR},
			{"/pipe", 0, fs.ErrPermission},
			{"/none", 0, fs.ErrNotExist},
			{"/x/y", 0, syscall.ENOTDIR},
		} {
			if d, err := f.Open(t.Context(), at(c.path), c.offset); !errors.Is(err, c.want) || errors.Is(err, io.EOF) {
				t.Errorf("%s at %d: %v, want %v", c.path, c.offset, err, c.want)
				if err == nil {
					_ = d.Close()
				}
			}
		}
	})
}

// A file that shrinks is an error that says so, not a short success. One of a single packet may have been read whole before: it is
// asked for together with the opening.
func TestDownloadShrinks(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		for _, size := range []int64{1000, 6 << 20} {
			const single = 1000
			f.put(t, "/x", noise(int(size)))
			d, err := f.Open(t.Context(), at("/x"), 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(f.local("/x"), size/2); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			_, err = d.WriteTo(&got)
			whole := size == single && err == nil && bytes.Equal(got.Bytes(), noise(single))
			told := gateway.IsTemporary(err) && !errors.Is(err, io.EOF) && strings.Contains(err.Error(), fmt.Sprint(size/2)) && strings.Contains(err.Error(), fmt.Sprint(size))
			if !whole && !told {
				t.Errorf("%d: %d bytes, %v", size, got.Len(), err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// limitedWriter fails after some bytes.
type limitedWriter struct {
	left int
	err  error
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return w.left, w.err
	}
	w.left -= len(p)
	return len(p), nil
}

func TestDownloadWriterFails(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		f.put(t, "/x", noise(8<<20))
		gone := errors.New("the device went away")
		d, err := f.Open(t.Context(), at("/x"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := d.WriteTo(&limitedWriter{left: 1 << 20, err: gone}); err != gone || n != 1<<20 {
			t.Errorf("WriteTo: %d, %v", n, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}
