// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"time"
)

// Operation is what a device wants to do. The names are those of the configuration.
type Operation string

// The operations that rules allow or deny. List covers LIST, NLST, MLSD, MLST, STAT of a path, SIZE, MDTM and digests; Modify
// covers MFMT and SITE CHMOD. CWD, CDUP and PWD need no rule.
const (
	Upload   Operation = "upload"
	Append   Operation = "append"
	Download Operation = "download"
	List     Operation = "list"
	Delete   Operation = "delete"
	Rename   Operation = "rename"
	Mkdir    Operation = "mkdir"
	Rmdir    Operation = "rmdir"
	Modify   Operation = "modify"
)

// transfers reports whether the operation moves a file, so that its size means something: a bound on sizes does not keep a device
// from listing or removing a file.
func (o Operation) transfers() bool { return o == Upload || o == Append || o == Download }

// receives reports whether the operation brings a file from a device, in which we can look.
func (o Operation) receives() bool { return o == Upload || o == Append }

// Operations lists every Operation in the order of the documentation.
func Operations() []Operation {
	return []Operation{Upload, Append, Download, List, Delete, Rename, Mkdir, Rmdir, Modify}
}

// SizeUnknown is the Size of a Question whose answer may depend on bytes that have not been counted yet.
const SizeUnknown int64 = -1

// Question is everything that a decision may depend on, the time included.
type Question struct {
	Device string     // the device's label
	Zone   string     // the zone's label
	Peer   netip.Addr // the device's address
	TLS    bool       // the control connection is under TLS (RFC 4217)
	// Certificate holds the names in the client certificate that the device has shown and that was verified: the subject's common
	// name, and the DNS names. It is empty where there is none.
	Certificate []string
	Op          Operation
	Path        string    // as the device sees it: absolute, clean
	Size        int64     // bytes, or SizeUnknown; of no meaning where Op moves no file
	Time        time.Time // when it is asked; of a transfer, when it began
	// Declared is the number of bytes that the device announced (ALLO, RFC 959 section 4.1.3), or SizeUnknown where it announced none.
	Declared int64
	// Type is what is in the file of an Upload or Append, one of the names of package inspect; empty while it is not known.
	Type  string
	ASCII bool // the representation type that the device asked for is A (RFC 959 section 3.1.1.1)
}

// Verdict is the outcome of a decision.
type Verdict uint8

// Denied is the zero Verdict, so that whatever is left undecided is denied. Pending means that the answer depends on what the
// Question left unknown: the transfer may begin, and must be decided again when that is known.
const (
	Denied Verdict = iota
	Allowed
	Pending
)

// String is the verdict in a word, as records show it.
func (v Verdict) String() string {
	switch v {
	case Allowed:
		return "allowed"
	case Pending:
		return "pending"
	default:
		return "denied"
	}
}

// Decision is the answer to a Question: one verdict, by one rule, with its written reason.
type Decision struct {
	Verdict Verdict
	Rule    string // the rule that decided; empty for the default denial. Of a Pending one, the first rule that could allow it.
	Reason  string // the rule's reason, or why the default denial stands
	Deliver Delivery
	// Policy names the policy that decided: its Digest.
	Policy string
	// Content, where not nil, is what must be in the file of an Allowed or Pending upload or append.
	Content *Content
	// Measure, of an Allowed or Pending upload or append, is up to how many bytes a rule that may decide wants to know how far the file
	// expands; 0 where none does.
	Measure int64
	// Awaits is what a Pending decision waits for.
	Awaits Unknown
	// MaxSize bounds a Pending or Allowed transfer: no rule would allow a file of more bytes. 0 means no bound.
	MaxSize int64
	// Limits are what bounds an Allowed or Pending transfer besides; see Bounds.
	Limits Limiting
}

// Unknown is a set of what a Question may leave unknown.
type Unknown uint8

// What may be unknown.
const (
	UnknownSize Unknown = 1 << iota
	UnknownType
)

// String names what is in the set.
func (u Unknown) String() string {
	switch u {
	case 0:
		return "nothing"
	case UnknownSize:
		return "the size"
	case UnknownType:
		return "the type"
	}
	return "the size and the type"
}
