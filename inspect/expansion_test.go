// SPDX-License-Identifier: Apache-2.0

package inspect_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/ftpgw/ftpgw/inspect"
)

const plenty = 64 << 20

// measured writes a file in pieces and says what it holds.
func measured(t testing.TB, file []byte, limit int64) inspect.Expanded {
	t.Helper()
	x := inspect.NewExpansion(limit)
	for piece := 1; len(file) > 0; piece = piece*3%8191 + 1 {
		n, err := x.Write(file[:min(piece, len(file))])
		if err != nil {
			t.Fatal(err)
		}
		file = file[n:]
	}
	return x.Finish()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(content)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func zstandard(t testing.TB, content []byte, options ...zstd.EOption) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, options...)
	must(t, err)
	defer w.Close()
	return w.EncodeAll(content, nil)
}

// member is a file in an archive.
type member struct {
	name    string
	content []byte
}

func tarred(t testing.TB, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		must(t, w.WriteHeader(&tar.Header{Name: m.name, Size: int64(len(m.content)), Mode: 0o644, Format: tar.FormatGNU}))
		_, err := w.Write(m.content)
		must(t, err)
	}
	must(t, w.Close())
	return out.Bytes()
}

// zipped makes an archive whose sizes stand behind the files, or with raw in front of them.
func zipped(t testing.TB, method uint16, raw bool, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range members {
		if !raw {
			f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: method})
			must(t, err)
			_, err = f.Write(m.content)
			must(t, err)
			continue
		}
		f, err := w.CreateRaw(&zip.FileHeader{Name: m.name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(m.content), CompressedSize64: uint64(len(m.content)), UncompressedSize64: uint64(len(m.content))})
		must(t, err)
		_, err = f.Write(m.content)
		must(t, err)
	}
	must(t, w.SetComment("a comment"))
	must(t, w.Close())
	return out.Bytes()
}

func decoded(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	return b
}

// hellos are 6000 bytes, and bzip2 and xz what "bzip2" and "xz" make of them.
var hellos = []byte(strings.Repeat("hello\n", 1000))

const (
	bzip2Hellos = "QlpoOTFBWSZTWcx3Y78ABdvBAAAQAkSgAFBmgE1UY2pBlSD9SDKkG1SDhdyRThQkMx3Y78A="
	xzHellos    = "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4BdvACddADQZSe6N3V3x8PcXRFCFYsMIgtxhE2Az4ZG1aVMlHrpxT6vr+2SMAAAA3KIPXDe4JDgAAUPwLgAAAE8kQEKxxGf7AgAAAAAEWVo="
)

// sparseTar is what gzip makes of a tar archive with a file of 1 GiB that is one hole.
const sparseTar = "H4sIAAAAAAACA+3QvQmAQAwG0BvlRlAUF3ECG9uDU/f3p1RUELSQ95ovkEBC+vC+YtHU9ZaLfR7rslojth/cFqZh7HKMIac0Xs3d9R8rT77wygIAAAAAAAAAAAB+YgZU2X5zACgAAA=="

// archives are sound files with what they hold.
func archives(t testing.TB) map[string]struct {
	file []byte
	want int64
} {
	t.Helper()
	a, b := member{"a", hellos}, member{"b", []byte("x")}
	type sound = struct {
		file []byte
		want int64
	}
	return map[string]sound{
		"nothing": {nil, 0}, "text": {hellos, 0}, "binary": {bytes.Repeat([]byte{1, 2, 0x80}, 100_000), 0},
		"gzip": {gzipped(t, hellos), 6000}, "two gzip": {append(gzipped(t, hellos), gzipped(t, hellos)...), 12000}, "gzip of nothing": {gzipped(t, nil), 0},
		"zstd": {zstandard(t, hellos), 6000}, "bzip2": {decoded(t, bzip2Hellos), 6000}, "xz": {decoded(t, xzHellos), 6000},
		"two bzip2": {append(decoded(t, bzip2Hellos), decoded(t, bzip2Hellos)...), 12000},
		"tar":       {tarred(t, a, b), 6001}, "tar.gz": {gzipped(t, tarred(t, a, b)), int64(len(tarred(t, a, b)))},
		"deflated zip": {zipped(t, zip.Deflate, false, a, b, member{"c/", nil}), 6001}, "stored zip": {zipped(t, zip.Store, true, a, b), 6001},
		"zip of nothing": {zipped(t, zip.Deflate, false), 0}, "zip in zip": {zipped(t, zip.Deflate, false, a, member{"n.zip", zipped(t, zip.Deflate, false, a, a, a)}), 18000},
		"gz in zip": {zipped(t, zip.Store, true, member{"a.gz", gzipped(t, hellos)}), 6000},
		"four deep": {gzipped(t, gzipped(t, gzipped(t, gzipped(t, hellos)))), 6000},
	}
}

func TestExpansionIsMeasured(t *testing.T) {
	for name, tt := range archives(t) {
		if got := measured(t, tt.file, plenty); got.Fault != nil || got.Over || got.Size != tt.want {
			t.Errorf("%s: %+v, want %d", name, got, tt.want)
		}
		if tt.want == 0 {
			continue
		}
		if got := measured(t, tt.file, tt.want); got.Fault != nil || got.Over {
			t.Errorf("%s at its limit: %+v", name, got)
		}
		if got := measured(t, tt.file, tt.want-1); !got.Over || got.Fault != nil {
			t.Errorf("%s one byte above the limit: %+v", name, got)
		}
	}
}

// What is cut off anywhere is damaged, and never a smaller file.
func TestDamagedArchiveIsNotJudged(t *testing.T) {
	for name, tt := range archives(t) {
		// The end of a tar archive is two blocks of zeros, which unpackers do not need; one gzip or bzip2 of two is whole.
		if tt.want == 0 || strings.HasPrefix(name, "two") || name == "tar" {
			continue
		}
		for n := 8; n < len(tt.file); n += 1 + len(tt.file)/300 {
			if got := measured(t, tt.file[:n], plenty); got.Fault == nil {
				t.Errorf("%s cut to %d of %d: %+v", name, n, len(tt.file), got)
			}
		}
		if got := measured(t, append(bytes.Clone(tt.file), "more"...), plenty); got.Fault == nil {
			t.Errorf("%s with something behind it: %+v", name, got)
		}
	}
}

// changed is a file with one text in the place of another of the same length.
func changed(t testing.TB, file []byte, from, to string) []byte {
	t.Helper()
	if len(from) != len(to) || !bytes.Contains(file, []byte(from)) {
		t.Fatalf("%q cannot take the place of %q", to, from)
	}
	return bytes.ReplaceAll(file, []byte(from), []byte(to))
}

func TestWhatCannotBeJudged(t *testing.T) {
	deflated := zipped(t, zip.Deflate, false, member{"a", hellos}, member{"b", hellos})
	stored := zipped(t, zip.Store, true, member{"a", hellos})
	central := bytes.Index(stored, []byte("PK\x01\x02"))
	lying := bytes.Clone(stored)
	lying[central+24] ^= 1 // the size in the directory alone
	overlapping := bytes.Clone(deflated)
	second := bytes.LastIndex(overlapping, []byte("PK\x01\x02"))
	copy(overlapping[second+42:], []byte{0, 0, 0, 0}) // both files are the first
	marked := bytes.Clone(stored)
	marked[6] |= 1
	hidden := bytes.Clone(stored)
	hidden = append(hidden[:len(hidden)-len("a comment")], "PK\x05\x06 hide"...)
	foreign := bytes.Clone(stored)
	foreign[8] = 99
	deep := hellos
	for range inspect.MaxNesting + 1 {
		deep = gzipped(t, deep)
	}
	polyglot := tarred(t, member{"\x1f\x8b\x08name", hellos})
	for want, file := range map[string][]byte{
		"encrypted":                     marked,
		"its directory does not":        lying,
		"does not describe what is in":  overlapping,
		"a second end in its comment":   hidden,
		"more than 4 deep":              deep,
		"zip archive stands behind":     append([]byte("\x7fELF\x02\x01\x01"), stored...),
		"for gzip and for tar":          polyglot,
		"7z-compressed":                 []byte("7z\xbc\xaf\x27\x1c\x00\x04" + strings.Repeat("\x00", 100)),
		"vnd.rar":                       []byte("Rar!\x1a\x07\x01\x00" + strings.Repeat("\x00", 100)),
		"window":                        zstandard(t, bytes.Repeat(hellos, 4000), zstd.WithWindowSize(32<<20), zstd.WithSingleSegment(false)),
		"not as its descriptor":         changed(t, deflated, "PK\x07\x08", "PK\x07\x09"),
		"method 99":                     foreign,
		"dictionary size exceeds":       changed(t, decoded(t, xzHellos), "\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3", "\x02\x00\x21\x01\x1c\x00\x00\x00\x10\xcf\x58\xcc"),
		"something stands behind its":   append(tarred(t, member{"a", hellos}), stored...),
		"a file in it is not as its he": changed(t, stored, "hello\nhello", "hello\nHello"),
	} {
		if got := measured(t, file, plenty); got.Fault == nil || !strings.Contains(got.Fault.Error(), want) {
			t.Errorf("%q: %+v", want, got)
		}
	}
}

// A file of many small ones costs more work than its size tells, so their number is bounded, at all depths together.
func TestManyFilesAreNotJudged(t *testing.T) {
	const most = 65535
	many := make([]member, most)
	for i := range many {
		many[i].name = "a"
	}
	if got := measured(t, zipped(t, zip.Store, true, many...), plenty); got.Fault != nil || got.Size != 0 {
		t.Errorf("%d files: %+v", most, got)
	}
	for name, file := range map[string][]byte{
		"one more": zipped(t, zip.Store, true, append(many, member{"b", nil})...), "the archive itself": gzipped(t, zipped(t, zip.Store, true, many...)),
	} {
		if got := measured(t, file, plenty); got.Fault == nil || !strings.Contains(got.Fault.Error(), "more than 65535 files") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A small file that would be a huge one is given up at the limit, in little memory, and nothing of it is left running.
func TestBombIsGivenUp(t *testing.T) {
	defer goleak.VerifyNone(t)
	var zeros bytes.Buffer
	w := gzip.NewWriter(&zeros)
	block := make([]byte, 1<<20)
	for range 256 {
		_, err := w.Write(block)
		must(t, err)
	}
	must(t, w.Close())
	sparse, err := gzip.NewReader(bytes.NewReader(decoded(t, sparseTar)))
	must(t, err)
	holes, err := io.ReadAll(sparse)
	must(t, err)
	for name, file := range map[string][]byte{"gzip": zeros.Bytes(), "gzip in zip": zipped(t, zip.Deflate, false, member{"a", zeros.Bytes()}),
		"gzip in tar": tarred(t, member{"a", nil}, member{"b", zeros.Bytes()}), "sparse tar": holes} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := measured(t, file, 1<<20)
		runtime.ReadMemStats(&after)
		if !got.Over || got.Size > 2<<20 {
			t.Errorf("%s: %+v", name, got)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
			t.Errorf("%s: %d bytes were allocated", name, grown)
		}
	}
}

// Stop ends a Write that a slow decoder holds up, and leaves nothing running.
func TestExpansionIsStopped(t *testing.T) {
	defer goleak.VerifyNone(t)
	x := inspect.NewExpansion(1 << 50)
	var endless bytes.Buffer
	w, err := zstd.NewWriter(&endless)
	must(t, err)
	for range 512 {
		_, err := w.Write(make([]byte, 1<<20))
		must(t, err)
	}
	must(t, w.Close())
	timer := time.AfterFunc(10*time.Millisecond, x.Stop)
	defer timer.Stop()
	_, _ = x.Write(endless.Bytes())
	x.Stop()
	if got := x.Finish(); got.Fault == nil {
		t.Errorf("%+v", got)
	}
}

// An archive that is judged is read by the standard library in the same way.
func FuzzZip(f *testing.F) {
	f.Add(zipped(f, zip.Deflate, false, member{"a", hellos}, member{"b", nil}))
	f.Add(zipped(f, zip.Store, true, member{"a", []byte("hello")}))
	f.Fuzz(func(t *testing.T, file []byte) {
		got := measured(t, file, 1<<24)
		if got.Fault != nil || got.Over || !bytes.HasPrefix(file, []byte("PK\x03\x04")) {
			return
		}
		r, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatalf("%+v, but the library says %v", got, err)
		}
		var size int64
		for _, member := range r.File {
			if member.Method != zip.Store && member.Method != zip.Deflate {
				return
			}
			if strings.HasSuffix(member.Name, "/") && member.UncompressedSize64 > 0 {
				return // the library takes a directory with something in it for damaged
			}
			rc, err := member.Open()
			must(t, err)
			n, err := io.Copy(io.Discard, rc)
			if err != nil {
				t.Fatalf("%+v, but the library says %v", got, err)
			}
			size += n
		}
		if size > got.Size {
			t.Errorf("%d bytes were measured, the library has %d", got.Size, size)
		}
	})
}

func FuzzExpansion(f *testing.F) {
	for _, tt := range archives(f) {
		f.Add(tt.file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if got := measured(t, file, 1<<24); got.Fault != nil && strings.Contains(got.Fault.Error(), "its decoder broke") {
			t.Errorf("%+v", got)
		}
	})
}
