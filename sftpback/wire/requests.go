// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"io/fs"
	"time"
)

// Handle is an open file or directory on the server.
type Handle string

// Flags of Open: draft-ietf-secsh-filexfer-02 section 6.3.
const (
	FlagRead      = 0x01
	FlagWrite     = 0x02
	FlagCreate    = 0x08
	FlagExclusive = 0x20
)

// room is what stands in front of the data in a WRITE, at most.
const room = headerSize + 4 + maxHandle + 8 + 4

// Room is how many bytes a buffer for Write has in front of the data.
const Room = room

// Open opens a file that is there.
func (c *Client) Open(path string, flags uint32) *Call {
	return c.send(newPacket(typeOpen, 12+len(path)).str(path).u32(flags).attrs(attrs{}), &Call{})
}

// Create makes a file that must not be there, for writing, with this mode as far as the server's umask lets it.
func (c *Client) Create(path string, mode fs.FileMode) *Call {
	return c.send(newPacket(typeOpen, 16+len(path)).str(path).u32(FlagWrite|FlagCreate|FlagExclusive).attrs(permissions(mode)), &Call{})
}

// CloseHandle closes a file or directory.
func (c *Client) CloseHandle(h Handle) *Call { return c.ofHandle(typeClose, h) }

// Fstat asks for the attributes of an open file. name is that of the Info.
func (c *Client) Fstat(h Handle, name string) *Call {
	return c.send(newPacket(typeFstat, 4+len(h)).handle(h), &Call{name: name})
}

// Fchmod sets the mode of an open file.
func (c *Client) Fchmod(h Handle, mode fs.FileMode) *Call {
	return c.send(newPacket(typeFsetstat, 12+len(h)).handle(h).attrs(permissions(mode)), &Call{})
}

// Fsync has the file flushed to stable storage (fsync@openssh.com: OpenSSH's PROTOCOL, section 4.6).
func (c *Client) Fsync(h Handle) *Call {
	return c.send(newPacket(typeExtended, 32+len(h)).str("fsync@openssh.com").handle(h), &Call{})
}

// Read asks for as many bytes as there is room for. The buffer belongs to the Call until that has ended.
func (c *Client) Read(h Handle, at int64, into []byte) *Call {
	return c.send(newPacket(typeRead, 16+len(h)).handle(h).u64(uint64(at)).u32(uint32(len(into))), &Call{into: into})
}

// Write sends the data of a buffer that has Room in front of them, which is overwritten. When Write returns they have been sent, and the
// buffer is the caller's again.
func (c *Client) Write(h Handle, at int64, buffer []byte) *Call {
	size := headerSize + 4 + len(h) + 8 + 4
	p := packet(buffer[Room-size:])
	p[4] = typeWrite
	_ = p[:headerSize].handle(h).u64(uint64(at)).u32(uint32(len(buffer) - Room)) // in place: the data stand behind it
	return c.send(p, &Call{})
}

// Stat asks about a file, or what a link leads to.
func (c *Client) Stat(path string) *Call {
	return c.send(newPacket(typeStat, 4+len(path)).str(path), &Call{name: base(path)})
}

// Lstat asks about a file, or a link itself.
func (c *Client) Lstat(path string) *Call {
	return c.send(newPacket(typeLstat, 4+len(path)).str(path), &Call{name: base(path)})
}

// Opendir opens a directory, and Readdir reads some of its entries.
func (c *Client) Opendir(path string) *Call { return c.ofPath(typeOpendir, path) }

// Readdir reads the next entries.
func (c *Client) Readdir(h Handle) *Call { return c.ofHandle(typeReaddir, h) }

// Remove removes a file, Rmdir an empty directory.
func (c *Client) Remove(path string) *Call { return c.ofPath(typeRemove, path) }

// Rmdir removes an empty directory.
func (c *Client) Rmdir(path string) *Call { return c.ofPath(typeRmdir, path) }

// Mkdir makes a directory, with the mode that the server gives it.
func (c *Client) Mkdir(path string) *Call {
	return c.send(newPacket(typeMkdir, 8+len(path)).str(path).attrs(attrs{}), &Call{})
}

// Realpath asks for the absolute path without links.
func (c *Client) Realpath(path string) *Call { return c.ofPath(typeRealpath, path) }

// Rename renames where nothing stands under the new name.
func (c *Client) Rename(from, to string) *Call {
	return c.send(newPacket(typeRename, 8+len(from)+len(to)).str(from).str(to), &Call{})
}

// PosixRename renames and replaces, in one step (posix-rename@openssh.com: OpenSSH's PROTOCOL, section 4.3).
func (c *Client) PosixRename(from, to string) *Call {
	return c.send(newPacket(typeExtended, 40+len(from)+len(to)).str("posix-rename@openssh.com").str(from).str(to), &Call{})
}

// Chmod sets permissions and special bits.
func (c *Client) Chmod(path string, mode fs.FileMode) *Call {
	return c.send(newPacket(typeSetstat, 12+len(path)).str(path).attrs(permissions(mode)), &Call{})
}

// Chtimes sets both times, to the second.
func (c *Client) Chtimes(path string, t time.Time) *Call {
	return c.send(newPacket(typeSetstat, 16+len(path)).str(path).attrs(times(t)), &Call{})
}

// StatVFS asks about the file system (statvfs@openssh.com: OpenSSH's PROTOCOL, section 4.4).
func (c *Client) StatVFS(path string) *Call {
	return c.send(newPacket(typeExtended, 32+len(path)).str("statvfs@openssh.com").str(path), &Call{})
}

func (c *Client) ofPath(kind byte, path string) *Call {
	return c.send(newPacket(kind, 4+len(path)).str(path), &Call{})
}

func (c *Client) ofHandle(kind byte, h Handle) *Call {
	return c.send(newPacket(kind, 4+len(h)).handle(h), &Call{})
}

// base is the last component.
func base(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}
