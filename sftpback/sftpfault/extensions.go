// SPDX-License-Identifier: Apache-2.0

package sftpfault

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// limits is limits@openssh.com: OpenSSH's PROTOCOL, section 4.8. It belongs to the opening of a channel and is no part of scripts.
const limits Op = "limits"

// version is the answer to SSH_FXP_INIT.
func (s *Server) version() packet {
	p := head(fxpVersion, 3)
	for _, e := range []struct {
		op   Op
		name string
	}{{Fsync, "fsync@openssh.com"}, {PosixRename, "posix-rename@openssh.com"}, {limits, "limits@openssh.com"}} {
		if s.offers(e.op) {
			p = appendString(appendString(p, e.name), "1")
		}
	}
	return p
}

func (s *Server) offers(op Op) bool {
	if op == limits {
		return s.options.Packet > 0
	}
	return !slices.Contains(s.options.Without, op)
}

// own answers the extensions that the files' side does not know; nil for everything else.
func (c *session) own(op Op, path string, rest []byte, id uint32) packet {
	switch op {
	case Fsync, PosixRename, CheckFile, limits:
		if !c.server.offers(op) {
			return status(id, fxOpUnsupported)
		}
	}
	switch op {
	case Fsync:
		return c.server.fsync(path, id)
	case CheckFile:
		return c.server.checkFile(path, id)
	case limits:
		p := head(fxpExtendedReply, id)
		for _, n := range []int{maxPacket, c.server.options.Packet, c.server.options.Packet, 0} {
			p = binary.BigEndian.AppendUint64(p, uint64(n))
		}
		return p
	}
	return nil
}

func (s *Server) fsync(path string, id uint32) packet {
	f, err := os.OpenFile(filepath.Join(s.options.Dir, filepath.FromSlash(path)), os.O_WRONLY, 0)
	if err != nil {
		return status(id, fxFailure)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return status(id, fxFailure)
	}
	return status(id, 0)
}

// checkFile computes the SHA-256 of a whole file, whatever part and algorithms are asked for.
func (s *Server) checkFile(path string, id uint32) packet {
	f, err := os.Open(filepath.Join(s.options.Dir, filepath.FromSlash(path)))
	if err != nil {
		return status(id, fxFailure)
	}
	defer f.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, f); err != nil {
		return status(id, fxFailure)
	}
	p := appendString(appendString(head(fxpExtendedReply, id), "check-file"), "sha256")
	return digest.Sum(p)
}
