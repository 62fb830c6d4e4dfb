// SPDX-License-Identifier: Apache-2.0

package audit

import "time"

// Event names what a record is about. The names are a contract with whoever reads the log.
type Event string

// The events. A session is from a connection to its end; a command record stands for a command and all its replies.
const (
	ConfigLoaded      Event = "config.loaded"
	ConfigRefused     Event = "config.refused"
	GatewayStart      Event = "gateway.start"
	GatewayStop       Event = "gateway.stop"
	LogRecovered      Event = "log.recovered"
	LogResumed        Event = "log.resumed"
	LogCheckpoint     Event = "log.checkpoint"
	LogSegment        Event = "log.segment"
	LogRemoved        Event = "log.removed"
	LogSpaceLow       Event = "log.space_low"
	LogSpaceOK        Event = "log.space_ok"
	LogTrouble        Event = "log.trouble"
	ClockJumped       Event = "clock.jumped"
	ForwardingFound   Event = "forwarding.found"
	ConduitUp         Event = "conduit.up"
	ConduitDown       Event = "conduit.down"
	SessionOpen       Event = "session.open"
	SessionTLS        Event = "session.tls" // the control connection is protected; Detail says how
	SessionClose      Event = "session.close"
	LoginOK           Event = "login.ok"
	LoginFailed       Event = "login.failed"
	LoginLocked       Event = "login.locked"
	Command           Event = "command"
	DecisionAllowed   Event = "decision.allowed"
	DecisionDenied    Event = "decision.denied"
	TransferBegin     Event = "transfer.begin"
	TransferCommitted Event = "transfer.committed"
	TransferAborted   Event = "transfer.aborted"
	ChangeMade        Event = "change.made"
	ChangeFailed      Event = "change.failed"
	TemporariesSwept  Event = "temporaries.swept"
	LimitDamaged      Event = "limit.damaged"
	ControlRequest    Event = "control.request" // an operator wants to change something; Detail says who and what
	ControlDone       Event = "control.done"
	ControlFailed     Event = "control.failed"
	ControlRefused    Event = "control.refused" // somebody who may not ask was turned away
	IslandOn          Event = "island.on"
	IslandOff         Event = "island.off"
	SpoolRecovered    Event = "spool.recovered"
	SpoolDelivered    Event = "spool.delivered"
	SpoolRetry        Event = "spool.retry"
	SpoolAside        Event = "spool.aside"
	SpoolHeld         Event = "spool.held"
	SpoolReleased     Event = "spool.released"
	SpoolDiscarded    Event = "spool.discarded"
	SpoolExported     Event = "spool.exported"
	SpoolPurged       Event = "spool.purged"
	SpoolSuspended    Event = "spool.suspended"
	SpoolResumed      Event = "spool.resumed"
	SecurityLimit     Event = "security.limit"
	SecurityFlood     Event = "security.flood"
	SecurityBounce    Event = "security.bounce"
	SecurityHijack    Event = "security.hijack"
	SecurityInjection Event = "security.injection"
	SecurityName      Event = "security.name"
	SecurityProtocol  Event = "security.protocol"
	SecurityTLS       Event = "security.tls"
)

// Record is one line of the log. Time, Seq and Prev are set by the Log; a field that does not belong to the event stays zero and is left
// out of the line.
type Record struct {
	Time time.Time `json:"time"` // RFC 3339 with nanoseconds, UTC
	Seq  uint64    `json:"seq"`  // from 1, without gaps
	// Prev is the hash of the record before in hex, SHA-256(0x00 || its line without the newline); 64 zeros in the first one.
	Prev    string `json:"prev,omitempty"`
	Event   Event  `json:"event"`
	Zone    string `json:"zone,omitempty"`
	Session string `json:"session,omitempty"`
	Device  string `json:"device,omitempty"`
	Peer    string `json:"peer,omitempty"` // address:port
	User    string `json:"user,omitempty"` // as the device sent it

	*CommandFields
	*TransferFields

	// Cause is why something failed or ended, in words for operators.
	Cause string `json:"cause,omitempty"`
	// Detail is further context: digests of what was loaded, counts of what was swept.
	Detail map[string]string `json:"detail,omitempty"`
}

// CommandFields belong to a command and its replies.
type CommandFields struct {
	Verb string `json:"verb"`
	Args string `json:"args,omitempty"` // "****" where the verb carries a secret
	Code int    `json:"code"`           // of the final reply
	Text string `json:"text"`           // of the final reply, its lines joined by "\n"
	// Preliminary holds the 1yz replies that came before, as "150 text".
	Preliminary []string `json:"preliminary,omitempty"`
	// Duration is from the command's arrival to its final reply, in microseconds.
	Duration int64 `json:"duration_us"`
}

// TransferFields belong to a decision, a transfer or a change.
type TransferFields struct {
	Transfer string `json:"transfer,omitempty"` // joins the records of one transfer
	Op       string `json:"op"`
	Path     string `json:"path"`         // as the device sees it
	To       string `json:"to,omitempty"` // the new name of a rename; where an upload is published, below the conduit's root, if its rule says so
	Bytes    *int64 `json:"bytes,omitempty"`
	Offset   int64  `json:"offset,omitempty"` // where a continued transfer began
	SHA256   string `json:"sha256,omitempty"`
	Content  string `json:"content,omitempty"` // the type of what is in the file, where its rule looks into it
	Rule     string `json:"rule,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Policy   string `json:"policy,omitempty"` // digest of the configuration that was in force, as in config.loaded
	// Trace is what the rules said that were asked before a denial, where the configuration wants it; TraceOmitted is how many of
	// them are left out, since a record is bounded.
	Trace        []TraceStep `json:"trace,omitempty"`
	TraceOmitted int         `json:"trace_omitted,omitempty"`
	Conduit      string      `json:"conduit,omitempty"`
	Entry        string      `json:"entry,omitempty"` // of the spool
	Acknowledge  string      `json:"acknowledge,omitempty"`
	Type         string      `json:"type,omitempty"`      // the representation type that the device asked for: "A" or "I"
	Protected    bool        `json:"protected,omitempty"` // the data connection between device and gateway is under TLS
	// Elapsed is from the decision to the end of a transfer, in microseconds: with Bytes, its rate.
	Elapsed int64 `json:"elapsed_us,omitempty"`
	// Conversion is what was done to the bytes between the wire and the file: "line-endings" (type A), "records" (structure R), or
	// nothing where it is empty. Bytes and SHA256 are the file's in any case.
	Conversion string   `json:"conversion,omitempty"`
	Receipt    *Receipt `json:"receipt,omitempty"`
	// Evidence is what an upload was taken for whole by, in the words of gateway.Evidence; FailedEvidence is what spoke against
	// one that was aborted.
	// What has come of an aborted one and was moved aside is at To, with a Receipt.
	Evidence       []string `json:"evidence,omitempty"`
	FailedEvidence string   `json:"failed_evidence,omitempty"`
}

// TraceStep is what one rule said, in the words of ftpgw explain.
type TraceStep struct {
	Rule    string `json:"rule"`
	Outcome string `json:"outcome"`
	Why     string `json:"why"`
}

// Receipt is what a destination achieved.
type Receipt struct {
	Bytes    int64  `json:"bytes"`
	Fsynced  bool   `json:"fsynced"`
	Atomic   bool   `json:"atomic"`
	Verified string `json:"verified,omitempty"` // how the content was compared: "size", "readback", "extension"
	Path     string `json:"path"`               // in the destination's own terms
}
