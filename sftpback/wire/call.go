// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Call is a request that is under way, or has been answered. Its methods wait for the answer.
type Call struct {
	done chan struct{} // closed when the rest is set
	name string        // of the file that attributes are about
	into []byte        // where the data of a READ go
	n    int           // bytes of it that were read

	kind byte
	body []byte
	err  error
}

// Done is closed when the answer is there.
func (k *Call) Done() <-chan struct{} { return k.done }

func (k *Call) end(err error) {
	k.err = err
	close(k.done)
}

// fill reads the body of the answer.
func (k *Call) fill(in *bufio.Reader, four []byte, size int) error {
	if k.kind != typeData {
		k.body = make([]byte, size)
		if _, err := io.ReadFull(in, k.body); err != nil {
			return lost(err)
		}
		return nil
	}
	if size < len(four) {
		return errShort
	}
	if _, err := io.ReadFull(in, four); err != nil {
		return lost(err)
	}
	n := int64(binary.BigEndian.Uint32(four))
	if n > int64(len(k.into)) || n > int64(size-len(four)) {
		return fmt.Errorf("the server sends %d bytes where %d were asked for", n, len(k.into))
	}
	k.n = int(n)
	if _, err := io.ReadFull(in, k.into[:k.n]); err != nil {
		return lost(err)
	}
	if _, err := in.Discard(size - len(four) - k.n); err != nil {
		return lost(err)
	}
	return nil
}

// answer waits, and takes a status that is no success for the error that it is.
func (k *Call) answer(kind byte) (reader, error) {
	<-k.done
	if k.err != nil {
		return reader{}, k.err
	}
	if k.kind == typeStatus {
		if err := parseStatus(k.body); err != nil || kind == typeStatus {
			return reader{}, err
		}
	}
	if k.kind != kind {
		return reader{}, fmt.Errorf("the server answers with type %d instead of %d", k.kind, kind)
	}
	return reader{rest: k.body}, nil
}

// Status is the outcome of a request that has no other answer.
func (k *Call) Status() error {
	_, err := k.answer(typeStatus)
	return err
}

// Handle is the outcome of OPEN and OPENDIR.
func (k *Call) Handle() (Handle, error) {
	r, err := k.answer(typeHandle)
	if err != nil {
		return "", err
	}
	h := r.str()
	if r.err == nil && len(h) > maxHandle {
		r.err = fmt.Errorf("the server sends a handle of %d bytes", len(h))
	}
	return Handle(h), r.err
}

// Info is the outcome of STAT, LSTAT and FSTAT.
func (k *Call) Info() (fs.FileInfo, error) {
	r, err := k.answer(typeAttrs)
	if err != nil {
		return nil, err
	}
	i := r.info(k.name)
	return i, r.err
}

// Data is the outcome of READ: how many bytes there are. io.EOF is the end of the file.
func (k *Call) Data() (int, error) {
	_, err := k.answer(typeData)
	return k.n, err
}

// Names is the outcome of READDIR: some of the entries, those of the directory itself and its parent left out. io.EOF is the end.
func (k *Call) Names() ([]fs.FileInfo, error) {
	r, err := k.answer(typeName)
	if err != nil {
		return nil, err
	}
	count := r.u32()
	list := make([]fs.FileInfo, 0, min(count, 1024)) // what a server says of a number is no reason to have memory for it
	for ; count > 0 && r.err == nil; count-- {
		name := r.str()
		r.take(int(r.u32())) // how ls would show it
		if i := r.info(name); r.err == nil && name != "." && name != ".." {
			list = append(list, i)
		}
	}
	return list, r.err
}

// Path is the outcome of REALPATH.
func (k *Call) Path() (string, error) {
	r, err := k.answer(typeName)
	if err != nil {
		return "", err
	}
	if n := r.u32(); r.err == nil && n != 1 {
		return "", fmt.Errorf("the server names %d paths for one", n)
	}
	p := r.str()
	return p, r.err
}

// FileSystem is the outcome of statvfs@openssh.com.
func (k *Call) FileSystem() (FileSystem, error) {
	r, err := k.answer(typeExtendedReply)
	if err != nil {
		return FileSystem{}, err
	}
	var f [11]uint64
	for i := range f {
		f[i] = r.u64()
	}
	return FileSystem{Fragment: f[1], Available: f[4], Files: f[5], FilesAvailable: f[7], Flags: f[9]}, r.err
}

// FileSystem is what OpenSSH's PROTOCOL, section 4.4, tells of one: as much of statvfs(3) as is used here.
type FileSystem struct {
	Fragment              uint64 // bytes of a block, in which Available counts
	Available             uint64 // blocks for those who are not root
	Files, FilesAvailable uint64 // inodes
	Flags                 uint64
}

// Codes of a Status: draft-ietf-secsh-filexfer-02 section 7.
const (
	CodeOK               = 0
	CodeEOF              = 1
	CodeNoSuchFile       = 2
	CodePermissionDenied = 3
	CodeFailure          = 4
	CodeUnsupported      = 8
)

// Status is an answer by which a server refuses. The codes that the standard library has an error for become that: io.EOF,
// fs.ErrNotExist, fs.ErrPermission.
type Status struct {
	Code    uint32
	Message string // the server's, for operators
}

func (s *Status) Error() string {
	return fmt.Sprintf("the server says: %q (status %d)", s.Message, s.Code)
}

func parseStatus(body []byte) error {
	r := &reader{rest: body}
	code := r.u32()
	if r.err != nil {
		return r.err
	}
	switch code {
	case CodeOK:
		return nil
	case CodeEOF:
		return io.EOF
	case CodeNoSuchFile:
		return fs.ErrNotExist
	case CodePermissionDenied:
		return fs.ErrPermission
	}
	return &Status{Code: code, Message: r.str()} // some old servers leave the message out
}

// IsCode reports whether err is a Status with this code.
func IsCode(err error, code uint32) bool {
	var s *Status
	return errors.As(err, &s) && s.Code == code
}
