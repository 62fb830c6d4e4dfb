// SPDX-License-Identifier: Apache-2.0

package sftpfault

import "sync"

// Op is a kind of request, by the name of draft-ietf-secsh-filexfer-02 or of the extension without what follows the @.
type Op string

// The requests that a client of this program makes.
const (
	Open        Op = "open"
	Close       Op = "close"
	Read        Op = "read"
	Write       Op = "write"
	Lstat       Op = "lstat"
	Fstat       Op = "fstat"
	Setstat     Op = "setstat"
	Fsetstat    Op = "fsetstat"
	Opendir     Op = "opendir"
	Readdir     Op = "readdir"
	Remove      Op = "remove"
	Mkdir       Op = "mkdir"
	Rmdir       Op = "rmdir"
	Realpath    Op = "realpath"
	Stat        Op = "stat"
	Rename      Op = "rename"
	Fsync       Op = "fsync"
	PosixRename Op = "posix-rename"
	CheckFile   Op = "check-file-name"
)

// Kind is what goes wrong.
type Kind string

// Fail: the answer is a status. Hang: from here on nothing on this channel is answered. Cut: all connections are closed. Corrupt: one
// bit of the data of a read or write is wrong. Short: the second half of the data of a write is not stored, or a read brings only the
// first half. Hold: nothing goes on until the fault is released.
const (
	Fail    Kind = "fail"
	Hang    Kind = "hang"
	Cut     Kind = "cut"
	Corrupt Kind = "corrupt"
	Short   Kind = "short"
	Hold    Kind = "hold"
)

// Fault is one entry of the script. It strikes once.
type Fault struct {
	Op   Op
	Nth  int // the first is 1; counted from the moment when it is armed
	Kind Kind
	Done bool   // it strikes after the request has been carried out, before it is answered
	Code uint32 // status of Fail; SSH_FX_FAILURE when 0
}

// Armed is a fault on duty.
type Armed struct {
	Fault
	struck  chan struct{} // closed when it strikes
	release chan struct{} // closed by Release
	once    sync.Once
	seen    int // requests of its kind so far; guarded by the server's lock
}

// Struck is closed when the fault strikes.
func (a *Armed) Struck() <-chan struct{} { return a.struck }

// Release lets a held request go on.
func (a *Armed) Release() { a.once.Do(func() { close(a.release) }) }

// Request is one request that the server has seen.
type Request struct {
	Op   Op
	Path string // what it is about; the old name of a rename
	// Handle tells apart what is open, over all channels; empty where the request is about a name.
	Handle string
}

// Arm puts a fault on duty.
func (s *Server) Arm(f Fault) *Armed {
	a := &Armed{Fault: f, struck: make(chan struct{}), release: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, a)
	return a
}

// Disarm takes all faults that have not struck off duty, and releases those that hold something.
func (s *Server) Disarm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.script {
		a.Release()
	}
	s.script = nil
}

// Trace returns the requests since the last call, in the order in which they came.
func (s *Server) Trace() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.trace
	s.trace = nil
	return seen
}

// note puts a request into the trace and finds the fault that strikes it.
func (s *Server) note(r Request) *Armed {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, r)
	var found *Armed
	for _, a := range s.script {
		if a.Op != r.Op {
			continue
		}
		if a.seen++; a.seen == a.Nth && found == nil {
			found = a
			close(a.struck)
		}
	}
	return found
}
