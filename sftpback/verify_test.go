// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// digestOf is the Digest of a Target whose upload is data.
func digestOf(data []byte) func() []byte {
	return func() []byte {
		sum := sha256.Sum256(data)
		return sum[:]
	}
}

// What the server holds is read back before it is published; neither server computes digests, so that is also what becomes of
// "extension". The receipt says what was done.
func TestVerify(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		for _, how := range []gateway.Verification{gateway.VerifyReadback, gateway.VerifyExtension} {
			for _, size := range []int{0, 1, maxPacket + 1, 5<<20 + 3} {
				data := noise(size)
				r, err := f.upload(t.Context(), gateway.Target{Location: at("/x"), Verify: how, Digest: digestOf(data)}, data)
				if err != nil || r.Verified != gateway.VerifyReadback || r.Bytes != int64(size) {
					t.Errorf("%s of %d bytes: %+v, %v", how, size, r, err)
				}
				if got, err := os.ReadFile(f.local("/x")); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s of %d bytes: the server has %d, %v", how, size, len(got), err)
				}
			}
		}
		f.wantFiles(t, "x")
	})
}

// flipping writes one wrong bit.
type flipping struct{ *os.File }

func (f flipping) WriteAt(p []byte, at int64) (int, error) {
	wrong := bytes.Clone(p)
	wrong[len(wrong)/2] ^= 1
	return f.File.WriteAt(wrong, at)
}

// A server that stores another file of the same size is found out by content only, and nothing is published.
func TestServerStoresSomethingElse(t *testing.T) {
	f := overFake(t, &fake{write: func(f *os.File) io.WriterAt { return flipping{f} }}, nil)
	f.put(t, "/x", []byte("old"))
	data := noise(100_000)
	_, err := f.upload(t.Context(), gateway.Target{Location: at("/x"), Verify: gateway.VerifyReadback, Digest: digestOf(data)}, data)
	if !errors.Is(err, gateway.ErrCorrupted) || !gateway.IsTemporary(err) {
		t.Errorf("upload: %v", err)
	}
	f.wantFiles(t, "x")
	if got, err := os.ReadFile(f.local("/x")); err != nil || string(got) != "old" {
		t.Errorf("old file: %q, %v", got, err)
	}
	if _, err := f.upload(t.Context(), gateway.Target{Location: at("/y")}, data); err != nil {
		t.Errorf("by size alone it is not found out, as documented: %v", err)
	}
}

// What the server cannot do is refused before anything is opened, by Available and by Begin; what it can is done.
func TestRequire(t *testing.T) {
	both := gateway.Requirements{Fsync: true, Atomic: true}
	t.Run("openssh", func(t *testing.T) {
		f := overSSHD(t, nil)
		wantErr(t, "Available", f.Available(t.Context(), both), nil)
		r, err := f.upload(t.Context(), gateway.Target{Location: at("/x"), Require: both}, noise(1000))
		if err != nil || !r.Fsynced || !r.Atomic {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("embedded", func(t *testing.T) { // which has no fsync
		f := overEmbedded(t)
		f.home(t)
		wantErr(t, "Available", f.Available(t.Context(), gateway.Requirements{Atomic: true}), nil)
		err := f.Available(t.Context(), both)
		_, beginErr := f.Begin(t.Context(), gateway.Target{Location: at("/x"), Require: both})
		for _, err := range []error{err, beginErr} {
			if !errors.Is(err, gateway.ErrUnmet) || !gateway.IsTemporary(err) || !strings.Contains(err.Error(), extFsync) {
				t.Errorf("the error %v should be temporary and name %s", err, extFsync)
			}
		}
		f.wantFiles(t)
	})
}

func TestBadTarget(t *testing.T) {
	f := overEmbedded(t)
	for _, how := range []gateway.Verification{"luck", gateway.VerifyReadback} {
		if _, err := f.Begin(t.Context(), gateway.Target{Location: at("/x"), Verify: how}); err == nil {
			t.Errorf("verify by %q without a digest is let pass", how)
		}
	}
}

func TestParseCheckFile(t *testing.T) {
	sum := strings.Repeat("\x5a", sha256.Size)
	str := func(s string) string { return string(appendString(nil, s)) }
	const id = "\x00\x00\x00\x01"
	for name, c := range map[string]struct {
		packet  string
		ok      bool
		unknown bool // the server does not know the extension at all
	}{
		"with the name":       {"\xc9" + id + str("check-file") + str("sha256") + sum, true, false},
		"without":             {"\xc9" + id + str("sha256") + sum, true, false},
		"another algorithm":   {"\xc9" + id + str("md5") + sum[:16], false, false},
		"too short":           {"\xc9" + id + str("sha256") + sum[1:], false, false},
		"too long":            {"\xc9" + id + str("sha256") + sum + "x", false, false},
		"cut off":             {"\xc9" + id + "\x00\x00\x00\x07sha", false, false},
		"another type":        {"\xc8" + id + str("sha256") + sum, false, false},
		"unsupported":         {"\x65" + id + "\x00\x00\x00\x08", false, true},
		"failure":             {"\x65" + id + "\x00\x00\x00\x04", false, false},
		"a status without it": {"\x65" + id, false, false},
		"nothing":             {"\x65", false, false},
	} {
		got, err := parseCheckFile([]byte(c.packet))
		if (err == nil) != c.ok || c.ok && string(got) != sum || !c.ok && !errors.Is(err, errNoCheckFile) || (err == errNoCheckFile) != c.unknown {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

// Nothing is read back before its pace has let it pass, in either kind of far side: near, and so far away that much is asked for ahead.
func TestReadBackAtAPace(t *testing.T) {
	data := noise(5<<20 + 3)
	for name, far := range map[string]time.Duration{"near": time.Hour, "far away": 0} {
		t.Run(name, func(t *testing.T) {
			f, s := overLanes(t, nil)
			f.home(t)
			f.far = far
			target := gateway.Target{Location: at("/x"), Verify: gateway.VerifyReadback, Digest: digestOf(data)}
			reads, passed, most := 0, 0, len(data)
			full := errors.New("no more passes")
			pace := func(n int) error {
				for _, r := range s.Trace() {
					if r.Op == sftpfault.Read {
						reads++
					}
				}
				if reads*faultPacket > passed {
					t.Errorf("%d packets were asked for when %d bytes had passed", reads, passed)
				}
				if n > most-passed {
					return full
				}
				passed += n
				return nil
			}
			commit := func() (gateway.Receipt, error) {
				s.Trace()
				reads, passed = 0, 0
				u, err := f.Begin(t.Context(), target)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := u.ReadFrom(onlyReader{bytes.NewReader(data)}); err != nil {
					t.Fatal(err)
				}
				return u.Commit(t.Context(), gateway.Terms{Pace: pace})
			}
			if r, err := commit(); err != nil || r.Verified != gateway.VerifyReadback || passed != len(data) || reads == 0 {
				t.Errorf("%+v, %v; %d bytes have passed, %d packets", r, err, passed, reads)
			}
			f.wantFiles(t, "x")
			most = len(data) / 2
			if _, err := commit(); !errors.Is(err, full) {
				t.Errorf("when no more passes: %v", err)
			}
			if err := pace(0); err != nil || passed < most/2 { // what was asked for in the end, too
				t.Errorf("%v; %d bytes have passed", err, passed)
			}
			f.wantFiles(t, "x")
		})
	}
}
