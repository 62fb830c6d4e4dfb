// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"
)

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a", `"`, `"a"`, `\`, "\xff", "\"\xff", "\x00\n", "ä\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := Entry{Meta: meta("/" + "x"), SHA256: digest(""), State: Waiting, LastError: s}
		e.Device = s
		line, err := encodeRecord(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRecord(line)
		if err != nil || got.LastError != s || got.Device != s {
			t.Errorf("%q comes back as %q, %q, %v", s, got.Device, got.LastError, err)
		}
	})
}

// FuzzRecord reads a file of any content as recovery does. Whatever it accepts comes out the same when it is written again, and can
// be held in the index.
func FuzzRecord(f *testing.F) {
	e := Entry{Meta: meta("/a"), SHA256: digest("content"), Size: 7, State: Waiting, Accepted: time.Unix(1, 0).UTC()}
	b, err := encodeTrailer(e, 7, nil)
	if err != nil {
		f.Fatal(err)
	}
	whole := append([]byte("content"), b...)
	f.Add(whole)
	f.Add(whole[1:])
	f.Add(trailer([]byte(`{"record":1}`+"\n"), 0, 0))
	f.Add(trailer(nil, 0, 1<<63))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, resum(b)} {
			sys := system()
			sys.open = func(path string) (file, error) {
				f, err := fstest.MapFS{path: {Data: b, Mode: 0o600}}.Open(path)
				return memFile{f.(readable)}, err
			}
			s := newSpool(Options{Dir: dir}, sys)
			s.keys = &keyring{dir: dir}
			foot, e, err := s.readRecord("file", make([]byte, 512))
			if err != nil {
				if !errors.Is(err, errDamaged) {
					t.Errorf("an error that is no damage: %v", err)
				}
				continue
			}
			if foot.data+foot.record+footerSize != int64(len(b)) {
				t.Errorf("%+v of %d bytes", foot, len(b))
			}
			line, err := encodeRecord(e)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := decodeRecord(line); err != nil || !same(e, again) {
				t.Errorf("%+v becomes %+v, %v", e, again, err)
			}
			x := newIndex()
			it := &item{entry: e}
			x.insert(it)
			x.delete(it)
			if len(x.dirs) != 0 {
				t.Errorf("something is left of %q", e.Full())
			}
		}
	})
}

// memFile is a file in memory, for reading.
type memFile struct{ readable }

type readable interface {
	fs.File
	io.ReaderAt
}

func (memFile) Write([]byte) (int, error) { return 0, fs.ErrPermission }
func (memFile) Sync() error               { return nil }

// resum gives what looks like a record the checksum that it must have, so that the fuzzer comes past it.
func resum(b []byte) []byte {
	at := bytes.IndexByte(b, '{')
	end := bytes.LastIndexByte(b, '}')
	if at < 0 || end < at {
		return b
	}
	return append(bytes.Clone(b[:at]), trailer(bytes.Clone(b[at:end+1]), int64(at), 0)...)
}
