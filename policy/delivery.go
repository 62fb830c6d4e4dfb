// SPDX-License-Identifier: Apache-2.0

package policy

import "time"

// Acknowledge says when a device gets its 226.
type Acknowledge string

// Delivered: when the file is durable across the conduit. Spooled: when it is durable on the appliance.
const (
	Delivered Acknowledge = "delivered"
	Spooled   Acknowledge = "spooled"
)

// Offline says what a device is shown of names on the far side while the conduit is down.
type Offline string

// ShowSpool: what the spool knows. RefuseOffline, which is also the zero Offline: the device is told to try again.
const (
	ShowSpool     Offline = "spool"
	RefuseOffline Offline = "refuse"
)

// SetKind names what makes several files one: they are held in the spool until all are there, and published together.
type SetKind string

// NoSet: each file stands for itself. ComtradeSet: the files of one COMTRADE record (IEC 60255-24), which have one name and the
// extensions .cfg, .dat, .hdr and .inf.
const (
	NoSet       SetKind = ""
	ComtradeSet SetKind = "comtrade"
)

// Overdue says what becomes of a set that is not whole when its time has passed.
type Overdue string

// PublishOverdue: what has come is published. HoldOverdue: it is held until somebody releases it.
const (
	PublishOverdue Overdue = "publish"
	HoldOverdue    Overdue = "hold"
)

// Verification says how it is made sure, before a file gets its final name, that the far side holds what was sent.
type Verification string

// VerifySize: the far side reports as many bytes as were sent. VerifyReadback: the file is read back and its SHA-256 compared.
// VerifyExtension: the far side computes the SHA-256 itself, where it can; where it cannot, the file is read back.
const (
	VerifySize      Verification = "size"
	VerifyReadback  Verification = "readback"
	VerifyExtension Verification = "extension"
)

// Verifications lists every Verification in the order of the documentation.
func Verifications() []Verification {
	return []Verification{VerifySize, VerifyReadback, VerifyExtension}
}

// Requirement names something that the far side must be able to do, or nothing is published there.
type Requirement string

// RequireFsync: the data are on stable storage before the file gets its final name. RequireAtomic: the file appears under its final
// name, or replaces what stood there, in one step.
const (
	RequireFsync  Requirement = "fsync"
	RequireAtomic Requirement = "atomic"
)

// Requirements lists every Requirement in the order of the documentation.
func Requirements() []Requirement { return []Requirement{RequireFsync, RequireAtomic} }

// Delivery says how an allowed file travels, and what is taken for a whole one.
type Delivery struct {
	Conduit       string // the conduit's label
	Acknowledge   Acknowledge
	Verify        Verification // empty is VerifySize
	RequireFsync  bool
	RequireAtomic bool
	// Offline is about what is looked at, Set and the two behind it about what is uploaded, all with acknowledge "spooled" alone.
	Offline    Offline
	Set        SetKind
	SetTimeout time.Duration // from the newest file of the set
	SetOverdue Overdue
	// Expect, where not nil, is what is known of the files besides, and Incomplete what becomes of one that is not whole.
	Expect     *Expectation
	Incomplete Incomplete
	// Path, in a Decision about an upload or append, is where the file is published, absolute below the conduit's root, where the
	// rule says so; empty is the path that the device gave, below its home. It is a Rule's PathTemplate, filled in.
	Path string
}
