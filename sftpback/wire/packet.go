// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"errors"
)

// Packet types: draft-ietf-secsh-filexfer-02 section 3.
const (
	typeOpen          = 3
	typeClose         = 4
	typeRead          = 5
	typeWrite         = 6
	typeLstat         = 7
	typeFstat         = 8
	typeSetstat       = 9
	typeFsetstat      = 10
	typeOpendir       = 11
	typeReaddir       = 12
	typeRemove        = 13
	typeMkdir         = 14
	typeRmdir         = 15
	typeRealpath      = 16
	typeStat          = 17
	typeRename        = 18
	typeStatus        = 101
	typeHandle        = 102
	typeData          = 103
	typeName          = 104
	typeAttrs         = 105
	typeExtended      = 200
	typeExtendedReply = 201
)

const (
	headerSize = 4 + 1 + 4 // length, type, request id
	// maxHandle: section 6.3.
	maxHandle = 256
	// maxAnswer is the longest packet that a server may send: what OpenSSH sends at most, and a little more.
	maxAnswer = 256<<10 + 1<<10
)

// packet is a request that is being put together, from its length on.
type packet []byte

func newPacket(kind byte, size int) packet {
	p := make(packet, headerSize, headerSize+size)
	p[4] = kind
	return p
}

func (p packet) u32(n uint32) packet { return binary.BigEndian.AppendUint32(p, n) }
func (p packet) u64(n uint64) packet { return binary.BigEndian.AppendUint64(p, n) }
func (p packet) str(s string) packet { return append(p.u32(uint32(len(s))), s...) }
func (p packet) length() uint32      { return uint32(len(p) - 4) }
func (p packet) address(id uint32) {
	binary.BigEndian.PutUint32(p, p.length())
	binary.BigEndian.PutUint32(p[5:], id)
}
func (p packet) attrs(a attrs) packet   { return a.append(p) }
func (p packet) handle(h Handle) packet { return p.str(string(h)) }

// errShort says that an answer ends before what must be in it.
var errShort = errors.New("an answer is cut off")

// reader takes an answer apart. After the first thing that is not there everything is zero.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.rest) {
		r.err, r.rest = errShort, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) str() string {
	n := r.u32()
	if uint64(n) > uint64(len(r.rest)) {
		r.err, r.rest = errShort, nil
		return ""
	}
	return string(r.take(int(n)))
}
