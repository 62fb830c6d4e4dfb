// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

// Location names a file or directory of one device on the far side of a conduit. Home and Path are both absolute,
// slash-separated and clean (path.Clean): Home is below the conduit's root, Path is what the device sees below Home.
// Whoever resolves a Location must not leave Home, symbolic links on the server included.
type Location struct {
	Home string
	Path string
}

// String is the path below the conduit's root, for operators and records.
func (l Location) String() string { return path.Join("/", l.Home, l.Path) }

// Join is the Location of the named child.
func (l Location) Join(name string) Location {
	return Location{Home: l.Home, Path: path.Join(l.Path, name)}
}

// Target says where an upload is to be published.
type Target struct {
	Location
	// Base, where not nil, is the state of the file under the final name from which this upload was continued (APPE, or STOR
	// after REST). Commit must refuse with an error that Is ErrChanged when the file is no longer in this state.
	Base *Base
	// Verify is how the destination makes sure, before the rename, that it holds what was written. Empty is VerifySize.
	Verify Verification
	// Require is what the destination must be able to do; see Requirements.
	Require Requirements
	// Digest returns the SHA-256 of all that was written. It is called when no more will be, and only where the destination compares
	// or keeps it; there it must be set.
	Digest func() []byte
	// Declared is the number of bytes that the device has announced, or policy.SizeUnknown: room for them can be reserved.
	Declared int64
	// Accepted, where not nil, is called by an upload that is long enough for that: once the destination has confirmed a first piece of
	// it, and perhaps again. It may be called by any goroutine, and the upload waits for it.
	Accepted func()
}

// Origin is where a file comes from and by which decision it moves, for a destination that keeps that with the file.
type Origin struct {
	Zone, Device, Session, Peer string
	Transfer                    string // joins the records of the transfer
	Op                          policy.Operation
	Rule, Reason, Policy        string
}

// Verification is how a destination makes sure that it holds what was written. The words are those of the policy and the records.
type Verification string

// The ways to verify: see package policy. VerifyExtension falls back to VerifyReadback where the server cannot; a Receipt says which
// it was.
const (
	VerifySize      = Verification(policy.VerifySize)
	VerifyReadback  = Verification(policy.VerifyReadback)
	VerifyExtension = Verification(policy.VerifyExtension)
)

// Requirements are what a destination must be able to do. What it cannot is an error that Is ErrUnmet, before anything is
// published; the zero Requirements ask for nothing, and the Receipt says what was achieved.
type Requirements struct {
	Fsync  bool // the data are flushed to stable storage before the file gets its final name
	Atomic bool // the file appears under its final name, or replaces what stood there, in one step
	// Room is how many bytes there must be room for, as far as the destination knows that: an error Is syscall.ENOSPC.
	Room int64
}

// Base is the state of a published file at one moment. The zero Base says that there was no file.
type Base struct {
	Exists  bool
	Size    int64
	ModTime time.Time
}

// Receipt says what a Commit has achieved, for the audit log.
type Receipt struct {
	// Bytes is the size of the published file, as the destination itself reported it.
	Bytes int64
	// Fsynced is true where the destination confirmed that the data are on stable storage.
	Fsynced bool
	// Atomic is true where the file appeared under its final name in one step.
	Atomic bool
	// Verified is how it was made sure that the destination holds what was written.
	Verified Verification
	// Path is the published name in the destination's own terms.
	Path string
}

// Terms are what a Commit depends on besides the bytes. The zero Terms publish the file as the Target says.
type Terms struct {
	// Last, where not nil, is asked when the file is durable, and for the last time just before the rename: whether all that
	// speaks for a whole file still holds. It may block for a moment, so that what is waited for passes while the file is flushed.
	// It may be asked more than once. Its error ends the Commit and is found in Commit's error with errors.Is.
	Last func() error
	// Aside, where not empty, is a name in the Target's directory: what Last speaks against is published under it instead of being
	// removed, and Commit returns its Receipt together with Last's error. The Target's Base does not matter then.
	Aside string
	// Pace, where not nil, is asked before n bytes more are read back of what was written: nil when they may cross. It waits as long as
	// that takes. Its error ends the Commit and is found in Commit's error with errors.Is.
	Pace func(n int) error
	// Origin is what is known of the upload in the end.
	Origin Origin
}

// AsideFor is Aside where what speaks against the file is evidence: nothing else may make a file cross under another name.
func (t Terms) AsideFor(against error) string {
	if failedEvidence(against) == "" {
		return ""
	}
	return t.Aside
}

// Hold asks Last where there is one: nil is that nothing speaks against the file.
func (t Terms) Hold() error {
	if t.Last == nil {
		return nil
	}
	return t.Last()
}

// Destination takes uploads: the conduit itself, or the spool.
type Destination interface {
	// Available reports, quickly and from what is known already, whether Begin has a chance with these Requirements. Its error is
	// Temporary, or Is syscall.ENOSPC.
	Available(ctx context.Context, r Requirements) error
	// Begin opens an upload. Nothing is visible under the final name until Commit. ctx bounds Begin only.
	Begin(ctx context.Context, t Target) (Upload, error)
}

// Upload is one file on its way. Exactly one of Commit and Abort ends it, and every path that is not a Commit is an Abort; Abort
// after Commit has returned does nothing, so that it can be deferred. An Upload is used by one goroutine at a time.
type Upload interface {
	io.Writer
	// ReadFrom takes bytes until r's io.EOF. Errors of r are returned as they are, errors.Is included.
	io.ReaderFrom
	// Commit makes the file durable and then publishes it. When it returns an error nothing was published (unless the error says
	// so), nothing is left behind but what the terms have moved aside, and a file that stood there before is untouched. ctx is
	// checked for the last time just before the rename.
	Commit(ctx context.Context, t Terms) (Receipt, error)
	// Abort removes what was written. The cause is for the log.
	Abort(cause error)
}

// Source gives files to downloads.
type Source interface {
	// Open opens the file for reading from offset. ctx bounds Open only.
	Open(ctx context.Context, l Location, offset int64) (Download, error)
}

// Download is one file on its way out. WriteTo writes exactly the bytes from the offset up to the size that the file had when it
// was opened; a file that turns out shorter is an error. An error of w is returned as it is.
type Download interface {
	io.WriterTo
	io.Closer
	// Info is the file as it was when opened. Its Size is the whole file's.
	Info() fs.FileInfo
}

// Lister looks at the far side.
type Lister interface {
	// Stat follows symbolic links as long as they stay below the Home.
	Stat(ctx context.Context, l Location) (fs.FileInfo, error)
	// ReadDir lists a directory, without "." and "..", unsorted, without the temporaries of this program.
	ReadDir(ctx context.Context, l Location) ([]fs.FileInfo, error)
}

// Changer changes names on the far side.
type Changer interface {
	Mkdir(ctx context.Context, l Location) error
	// Remove removes a file, never a directory.
	Remove(ctx context.Context, l Location) error
	// RemoveDir removes an empty directory.
	RemoveDir(ctx context.Context, l Location) error
	// Rename moves a file or directory; a file under the new name is replaced where the server can do that in one step, and is
	// an error that Is fs.ErrExist where it cannot.
	Rename(ctx context.Context, from, to Location) error
}

// Modifier changes attributes of files on the far side.
type Modifier interface {
	Chtimes(ctx context.Context, l Location, mtime time.Time) error
	Chmod(ctx context.Context, l Location, mode fs.FileMode) error
}

// Tree is a remote file system without its contents.
type Tree interface {
	Lister
	Changer
	Modifier
}

// Remote is everything that the gateway asks of a conduit.
type Remote interface {
	Destination
	Source
	Tree
}
