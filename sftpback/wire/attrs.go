// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"io/fs"
	"math"
	"time"
)

// Flags of attributes: section 5.
const (
	attrSize        = 1 << 0
	attrIDs         = 1 << 1
	attrPermissions = 1 << 2
	attrTimes       = 1 << 3
	attrExtended    = 1 << 31
)

// attrs are the attributes that this program sends.
type attrs struct {
	flags       uint32
	permissions uint32
	seconds     uint32 // of both times
}

func (a attrs) append(p packet) packet {
	p = p.u32(a.flags)
	if a.flags&attrPermissions != 0 {
		p = p.u32(a.permissions)
	}
	if a.flags&attrTimes != 0 {
		p = p.u32(a.seconds).u32(a.seconds)
	}
	return p
}

func permissions(mode fs.FileMode) attrs {
	return attrs{flags: attrPermissions, permissions: posixMode(mode)}
}

func times(t time.Time) attrs { return attrs{flags: attrTimes, seconds: uint32(t.Unix())} }

// Kinds of files and special bits as POSIX has them, which is what servers send.
const (
	posixKind    = 0o170000
	posixSocket  = 0o140000
	posixSymlink = 0o120000
	posixBlock   = 0o060000
	posixDir     = 0o040000
	posixChar    = 0o020000
	posixPipe    = 0o010000
	posixSetuid  = 0o4000
	posixSetgid  = 0o2000
	posixSticky  = 0o1000
)

// posixMode is the permissions of a mode with its special bits, and not its kind.
func posixMode(mode fs.FileMode) uint32 {
	p := uint32(mode.Perm())
	for bit, posix := range map[fs.FileMode]uint32{fs.ModeSetuid: posixSetuid, fs.ModeSetgid: posixSetgid, fs.ModeSticky: posixSticky} {
		if mode&bit != 0 {
			p |= posix
		}
	}
	return p
}

func fileMode(posix uint32) fs.FileMode {
	mode := fs.FileMode(posix & 0o777)
	switch posix & posixKind {
	case posixSocket:
		mode |= fs.ModeSocket
	case posixSymlink:
		mode |= fs.ModeSymlink
	case posixBlock:
		mode |= fs.ModeDevice
	case posixDir:
		mode |= fs.ModeDir
	case posixChar:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case posixPipe:
		mode |= fs.ModeNamedPipe
	}
	if posix&posixSetuid != 0 {
		mode |= fs.ModeSetuid
	}
	if posix&posixSetgid != 0 {
		mode |= fs.ModeSetgid
	}
	if posix&posixSticky != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// info is what a server says of a file. What it does not say is zero.
type info struct {
	name string
	size uint64
	mode fs.FileMode
	time uint32 // seconds
}

func (i *info) Name() string       { return i.name }
func (i *info) Size() int64        { return int64(min(i.size, math.MaxInt64)) } // never less than nothing, whatever a server says
func (i *info) Mode() fs.FileMode  { return i.mode }
func (i *info) ModTime() time.Time { return time.Unix(int64(i.time), 0) }
func (i *info) IsDir() bool        { return i.mode.IsDir() }
func (i *info) Sys() any           { return nil }

func (r *reader) info(name string) *info {
	i := &info{name: name}
	flags := r.u32()
	if flags&attrSize != 0 {
		i.size = r.u64()
	}
	if flags&attrIDs != 0 {
		r.take(8)
	}
	if flags&attrPermissions != 0 {
		i.mode = fileMode(r.u32())
	}
	if flags&attrTimes != 0 {
		r.take(4) // of access
		i.time = r.u32()
	}
	if flags&attrExtended != 0 {
		for n := r.u32(); n > 0 && r.err == nil; n-- {
			r.str()
			r.str()
		}
	}
	return i
}
