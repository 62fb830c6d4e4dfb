// SPDX-License-Identifier: Apache-2.0

package sftpfault

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Packet types: draft-ietf-secsh-filexfer-02 section 3.
const (
	fxpInit          = 1
	fxpVersion       = 2
	fxpWrite         = 6
	fxpStatus        = 101
	fxpHandle        = 102
	fxpData          = 103
	fxpExtended      = 200
	fxpExtendedReply = 201

	fxFailure       = 4
	fxOpUnsupported = 8

	maxPacket = 300 << 10
)

func types() map[byte]Op {
	return map[byte]Op{
		3: Open, 4: Close, 5: Read, 6: Write, 7: Lstat, 8: Fstat, 9: Setstat, 10: Fsetstat, 11: Opendir, 12: Readdir,
		13: Remove, 14: Mkdir, 15: Rmdir, 16: Realpath, 17: Stat, 18: Rename,
	}
}

// handled reports whether the request is about a handle and not about a path.
func (o Op) handled() bool {
	switch o {
	case Close, Read, Write, Fstat, Fsetstat, Readdir, Fsync:
		return true
	}
	return false
}

// packet is one packet without its length: type, request id, and the rest.
type packet []byte

func (p packet) kind() byte { return p[0] }
func (p packet) id() uint32 { return binary.BigEndian.Uint32(p[1:]) }

func readPacket(r io.Reader) (packet, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n < 5 || n > maxPacket {
		return nil, fmt.Errorf("a packet of %d bytes", n)
	}
	p := make(packet, n)
	_, err := io.ReadFull(r, p)
	return p, err
}

func writePacket(w io.Writer, p packet) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...))
	return err
}

// str cuts a string off the front.
func str(b []byte) (s string, rest []byte) {
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
		return "", nil
	}
	n := binary.BigEndian.Uint32(b)
	return string(b[4 : 4+n]), b[4+n:]
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// parse tells what a request is about; subject is a path or handle.
func parse(p packet) (op Op, subject string, rest []byte) {
	body := p[5:]
	if p.kind() != fxpExtended {
		subject, rest = str(body)
		return types()[p.kind()], subject, rest
	}
	name, body := str(body)
	short, _, _ := strings.Cut(name, "@")
	subject, rest = str(body)
	return Op(short), subject, rest
}

func head(kind byte, id uint32) packet {
	return binary.BigEndian.AppendUint32(packet{kind}, id)
}

func status(id, code uint32) packet {
	p := binary.BigEndian.AppendUint32(head(fxpStatus, id), code)
	return appendString(appendString(p, "injected"), "en")
}

// data finds the data of a write or of the answer to a read: where their length stands.
func dataAt(p packet) int {
	if p.kind() == fxpData {
		return 5
	}
	handle, _ := str(p[5:])
	return 5 + 4 + len(handle) + 8
}

// corrupt flips a bit in the middle of the data.
func corrupt(p packet) packet {
	if at := dataAt(p) + 4; at < len(p) {
		p[at+(len(p)-at)/2] ^= 1
	}
	return p
}

// halve drops the second half of the data.
func halve(p packet) packet {
	at := dataAt(p)
	n := binary.BigEndian.Uint32(p[at:]) / 2
	binary.BigEndian.PutUint32(p[at:], n)
	return p[:at+4+int(n)]
}
