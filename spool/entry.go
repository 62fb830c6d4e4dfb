// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"
)

// Meta is what is known about a file when its upload begins. Nothing of it means anything to this package but Conduit, Home and Path.
// Strings may hold any bytes.
type Meta struct {
	// Conduit, Home and Path say where the file goes: Home is below the conduit's root, Path is what the device sees below Home.
	// Both are absolute, slash-separated and clean (path.Clean).
	Conduit string `json:"conduit"`
	Home    string `json:"home"`
	Path    string `json:"path"`

	// Where it comes from, in the words of the audit log.
	Zone     string `json:"zone,omitempty"`
	Device   string `json:"device,omitempty"`
	Session  string `json:"session,omitempty"`
	Peer     string `json:"peer,omitempty"`
	Transfer string `json:"transfer,omitempty"` // joins the records of one transfer

	// The decision that let it in.
	Op     string `json:"op,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
	Policy string `json:"policy,omitempty"` // digest of the configuration that was in force

	// How it is to be delivered.
	Verify        string `json:"verify,omitempty"`
	RequireFsync  bool   `json:"require_fsync,omitempty"`
	RequireAtomic bool   `json:"require_atomic,omitempty"`
	// Set is the set that the file belongs to, for instance one COMTRADE record; empty for none.
	Set string `json:"set,omitempty"`
	// Plan is whatever else the caller wants to know at delivery.
	Plan json.RawMessage `json:"plan,omitempty"`

	// What was done on the way in.
	Type       string `json:"type,omitempty"`       // the representation type that the device asked for: "A" or "I"
	Conversion string `json:"conversion,omitempty"` // what was done to the bytes between the wire and the file
	Content    string `json:"content,omitempty"`    // the type of what is in the file, where its rule looks into it
	Protected  bool   `json:"protected,omitempty"`  // the data connection was under TLS
}

// Full is the path below the conduit's root.
func (m Meta) Full() string { return path.Join("/", m.Home, m.Path) }

// check refuses what the index cannot hold.
func (m Meta) check() error {
	if m.Conduit == "" {
		return fmt.Errorf("an entry without a conduit")
	}
	for _, p := range []string{m.Home, m.Path} {
		if !strings.HasPrefix(p, "/") || path.Clean(p) != p {
			return fmt.Errorf("the path %q is not absolute and clean", p)
		}
	}
	if m.Path == "/" {
		return fmt.Errorf("an entry without a name")
	}
	return nil
}

// State is what is to become of an entry.
type State string

// The states. Waiting, Held and Aside are live: the device still sees the file here.
const (
	Waiting   State = "waiting"   // to be delivered
	Held      State = "held"      // complete, and somebody or something has to let it go first
	Aside     State = "aside"     // delivery has failed for good: somebody has to look
	Delivered State = "delivered" // kept as evidence
)

// Live reports whether an entry in this state has not been delivered.
func (s State) Live() bool { return s == Waiting || s == Held || s == Aside }

func (s State) valid() bool { return s.Live() || s == Delivered }

// Entry is one file in the spool. What stands in an Entry that was returned is on stable storage.
type Entry struct {
	// ID is 16 hexadecimal digits. The order of IDs is the order of commits, whatever the clock does, and none is given twice.
	ID string `json:"id,omitempty"`
	Meta

	// Fixed with the commit.
	Size     int64     `json:"size"`     // bytes of the file
	SHA256   string    `json:"sha256"`   // of the file, in hex
	Accepted time.Time `json:"accepted"` // when it was committed

	// ModTime is the file's time of modification as the device sees it: Accepted, until it is changed.
	ModTime time.Time `json:"mod_time"`
	State   State     `json:"state"`

	// The delivery so far.
	Attempts    int       `json:"attempts,omitempty"`
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	NextAttempt time.Time `json:"next_attempt,omitzero"` // not before
	LastError   string    `json:"last_error,omitempty"`
	// Publishing says that the file may have got its final name on the far side already.
	Publishing bool            `json:"publishing,omitempty"`
	Delivered  time.Time       `json:"delivered,omitzero"`
	Receipt    json.RawMessage `json:"receipt,omitempty"` // what the destination achieved, in the words of the caller

	// Version counts the changes since the commit.
	Version int `json:"version,omitempty"`
}

// unchanged reports whether a change left alone what is fixed.
func (e *Entry) unchanged(was *Entry) bool {
	return e.ID == was.ID && e.Size == was.Size && e.SHA256 == was.SHA256 && e.Accepted.Equal(was.Accepted) && e.Version == was.Version
}
