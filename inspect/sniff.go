// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// sniffSize is how much of a file its kind is told by, in bytes; what mimetype reads at most, too.
const sniffSize = 3072

// container names the kind of archive or compressed file that something begins like: "zip", "tar", "gzip", "bzip2", "zstd" or
// "xz", and "" where it holds no other file. The error says why it cannot be judged.
func container(head []byte) (string, error) {
	var kinds []string
	for _, s := range []struct{ kind, magic string }{
		{"zip", "PK\x03\x04"}, {"zip", "PK\x05\x06"}, {"zip", "PK\x07\x08"}, {"gzip", "\x1f\x8b"}, {"bzip2", "BZh"}, {"xz", "\xfd7zXZ\x00"}, {"zstd", "\x28\xb5\x2f\xfd"},
	} {
		if bytes.HasPrefix(head, []byte(s.magic)) {
			kinds = append(kinds, s.kind)
		}
	}
	// RFC 8878, 3.1.2: frames to be skipped may come first.
	if len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte("\x2a\x4d\x18")) {
		kinds = append(kinds, "zstd")
	}
	if isTar(head) {
		kinds = append(kinds, "tar")
	}
	if len(kinds) > 1 {
		return "", fmt.Errorf("it can be taken for %s", strings.Join(kinds, " and for "))
	}
	if len(kinds) == 1 {
		return kinds[0], nil
	}
	for m := mimetype.Detect(head); m != nil; m = m.Parent() {
		if media, _, _ := strings.Cut(m.String(), ";"); slices.Contains(unreadable(), media) {
			return "", fmt.Errorf("it is %s, which is not looked into", media)
		}
	}
	return "", nil
}

// unreadable are the media types of what holds other files in a way that is not read here.
func unreadable() []string {
	return []string{"application/x-7z-compressed", "application/vnd.rar", "application/vnd.ms-cab-compressed", "application/x-installshield",
		"application/lzip", "application/x-cpio", "application/x-archive", "application/vnd.debian.binary-package", "application/x-rpm", "application/x-ms-installer"}
}

// tarBlock is the size of a header of a tar archive, in bytes.
const tarBlock = 512

// isTar recognises a header by its checksum (POSIX.1-1988 ustar): the sum of its bytes, signed or not, that of the checksum itself
// taken for blanks, as an octal number. The first bytes are a file's name, and may be anything.
func isTar(head []byte) bool {
	if len(head) < tarBlock {
		return false
	}
	want, err := octal(head[148:156])
	if err != nil {
		return false
	}
	var unsigned, signed int64
	for i, b := range head[:tarBlock] {
		if i >= 148 && i < 156 {
			b = ' '
		}
		unsigned += int64(b)
		signed += int64(int8(b))
	}
	return want == unsigned || want == signed
}

var errNoOctal = errors.New("not an octal number")

func octal(field []byte) (n int64, err error) {
	digits := bytes.Trim(field, " \x00")
	if len(digits) == 0 {
		return 0, errNoOctal
	}
	for _, d := range digits {
		if d < '0' || d > '7' {
			return 0, errNoOctal
		}
		n = n<<3 | int64(d-'0')
	}
	return n, nil
}
