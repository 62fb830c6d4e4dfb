// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// Error is the failure of an operation on a conduit, for operators: it names the conduit, the operation and the remote path.
type Error struct {
	Conduit string
	Op      string // "upload", "stat", ...
	Path    string // on the server
	Err     error

	temporary bool
}

func (e *Error) Error() string {
	text := "conduit " + e.Conduit + ": " + e.Op
	if e.Path != "" {
		text += " " + e.Path
	}
	return text + ": " + e.Err.Error()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether trying again can help: the connection was lost, did not answer, could not be made, or the server was
// unable to store what it was sent.
func (e *Error) Temporary() bool { return e.temporary }

// fault makes err an *Error. It is applied once, where a method of the Conduit returns.
func (c *Conduit) fault(op, remote string, err error) error {
	if err == nil {
		return nil
	}
	if own := (*Error)(nil); errors.As(err, &own) {
		return err
	}
	return &Error{Conduit: c.cfg.Name, Op: op, Path: remote, Err: withoutEOF(err), temporary: isTransient(err)}
}

// transient marks an error after which trying again can help.
type transient struct{ err error }

func (t *transient) Error() string   { return t.err.Error() }
func (t *transient) Unwrap() error   { return t.err }
func (t *transient) Temporary() bool { return true }

func isTransient(err error) bool {
	if t := (*transient)(nil); errors.As(err, &t) {
		return true
	}
	// A file system becomes read-only when its disk fails, and is put right by somebody, as a full one is.
	for _, state := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if errors.Is(err, state) {
			return true
		}
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// errLost says that there is no connection any more.
var errLost = errors.New("connection lost")

// lost is the error of a request whose connection went away before it was answered.
func lost(cause error) error {
	if cause == nil {
		cause = errors.New("the server closed the SFTP channel")
	}
	return &transient{fmt.Errorf("%w: %w", errLost, withoutEOF(cause))}
}

// isLost reports whether err is that of a request whose channel or connection has ended.
func isLost(err error) bool {
	return errors.Is(err, wire.ErrLost) || errors.Is(err, io.EOF)
}

// isAnswer reports whether err is what the server has answered. SSH_FX_EOF is io.EOF, which only a read may answer.
func isAnswer(err error) bool {
	var status *wire.Status
	return errors.As(err, &status) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// isFailure reports whether err is SSH_FX_FAILURE, with which version 3 of the protocol (draft-ietf-secsh-filexfer-02 section 7)
// answers everything that it has no other word for: a full disk, an existing name, a directory that is not empty.
func isFailure(err error) bool { return wire.IsCode(err, wire.CodeFailure) }

// isUnsupported reports whether err is SSH_FX_OP_UNSUPPORTED.
func isUnsupported(err error) bool { return wire.IsCode(err, wire.CodeUnsupported) }

// statuses are those of later versions of the protocol (draft-ietf-secsh-filexfer-13 section 9.1) that say more than SSH_FX_FAILURE.
// Some servers answer with them although version 3 was agreed upon.
func statuses() map[uint32]error {
	return map[uint32]error{
		10: fs.ErrNotExist,    // SSH_FX_NO_SUCH_PATH
		11: fs.ErrExist,       // SSH_FX_FILE_ALREADY_EXISTS
		12: syscall.EROFS,     // SSH_FX_WRITE_PROTECT
		14: syscall.ENOSPC,    // SSH_FX_NO_SPACE_ON_FILESYSTEM
		15: syscall.EDQUOT,    // SSH_FX_QUOTA_EXCEEDED
		18: syscall.ENOTEMPTY, // SSH_FX_DIR_NOT_EMPTY
		19: syscall.ENOTDIR,   // SSH_FX_NOT_A_DIRECTORY
		24: syscall.EISDIR,    // SSH_FX_FILE_IS_A_DIRECTORY
	}
}

// translated adds the error that a status means to one that version 3 has no word for.
func translated(err error) error {
	var status *wire.Status
	if !errors.As(err, &status) {
		return err
	}
	if meaning, ok := statuses()[status.Code]; ok {
		return fmt.Errorf("%w: %w", meaning, err)
	}
	return err
}

// retryable marks SSH_FX_FAILURE as temporary: while a file is being stored it means the state of the server, not the request.
func retryable(err error) error {
	if isFailure(err) {
		return &transient{err}
	}
	return err
}

// opaque is an error whose chain is cut.
type opaque string

func (o opaque) Error() string { return string(o) }

// withoutEOF cuts the chain of an error that Is io.EOF, which callers take for the good end of a stream.
func withoutEOF(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	cut := opaque(err.Error())
	if t := (*transient)(nil); errors.As(err, &t) {
		return &transient{cut}
	}
	return cut
}
