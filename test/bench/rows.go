// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"math"
	"time"
)

// The systems that take turns.
const (
	gatewayName = "ftpgw"
	rcloneName  = "rclone"
	sftpName    = "sftp" // OpenSSH's client, straight to the server
)

// kind is what a row does.
type kind string

const (
	store kind = "store" // upload files
	fetch kind = "fetch" // download files
	list  kind = "list"  // list a directory
	idle  kind = "idle"  // hold sessions that do nothing
	start kind = "start" // start, and greet the first device
)

// row is one line of the table: what is done, and what must hold. Its name selects it.
type row struct {
	name string
	work string
	kind kind
	link linkProfile // between the system and the server

	files     int // of one measurement, or the entries of a directory
	size      int // bytes of a file
	sessions  int
	small     bool // what counts is files, not bytes
	announced bool // the device says how large a file will be (ALLO)
	spooled   bool // the rule says acknowledge = "spooled"
	unseen    bool // each system fetches files under names that it has never seen
	rounds    int  // how often each system has its turn; 0 for as often as is asked for
	peers     []string
	goals     []goal
	why       string // why a goal is missed, where that is known and stays so
}

// goal is one thing that must hold.
type goal struct {
	of      quantity
	against string  // the system with which it is compared, or "" where the bound is a value
	bound   float64 // the ratio, or the value; at most where less is better, else at least
}

func (g goal) String() string {
	sign := "≥"
	if g.of.less {
		sign = "≤"
	}
	if g.against == "" {
		return fmt.Sprintf("%s %s %.4g %s", g.of.name, sign, g.bound, g.of.unit)
	}
	return fmt.Sprintf("%s %s %.4g × %s", g.of.name, sign, g.bound, g.against)
}

// reached is the measured value of the goal; NaN where it was not measured.
func (g goal) reached(of map[string][]sample) float64 {
	if g.against == "" {
		return medianOf(g.of, of[gatewayName])
	}
	return ratioOf(g.of, of[gatewayName], of[g.against])
}

// margin is how far the goal is exceeded (above 0) or missed (below 0), as a part of the bound.
func (g goal) margin(of map[string][]sample) float64 {
	got := g.reached(of)
	if g.of.less {
		return 1 - got/g.bound
	}
	return got/g.bound - 1
}

const (
	kib = 1 << 10
	mib = 1 << 20

	farRoundTrip = 20 * time.Millisecond
	settle       = 20 * time.Millisecond // the least that the gateway waits for the device after the end of its data
	allowance    = 5 * time.Millisecond
)

// rows is the table.
func rows() []row {
	far := linkProfile{delay: farRoundTrip / 2}
	both := []string{rcloneName, sftpName}
	peer := []string{rcloneName}
	versus := func(q quantity, factor float64) goal { return goal{q, rcloneName, factor} }
	within := func(q quantity, d time.Duration) goal { return goal{q, "", milliseconds(d)} }
	const (
		unlike = "rclone computes no SHA-256, which takes 0.5 s of CPU time per GB"
		// What an upload would be without: docs/design/0008.
		unlikeUp = unlike + ", and has no file flushed; without both the gateway would be as fast as rclone (docs/design/0008)"
		settles  = "; 20 ms of each file are the settle time, since the device has not said how large it will be"
		across   = "the processors are busy, and more of them goes to sshd, the devices and their connections than to the gateway"
		spooled  = "the processors are busy: the file, its directory and the records of it are flushed to the gateway's own disk, and the delivery goes on beside that"
	)
	small := func(name, work string, sessions int, announced, spooled bool, factor float64, why string) row {
		return row{name: name, work: work, kind: store, files: 2000, size: 4 * kib, small: true, sessions: sessions, announced: announced, spooled: spooled,
			peers: peer, goals: []goal{versus(fileRate, factor)}, why: why}
	}
	return []row{
		{name: "bulk-up", work: "64 MiB files, 1 session, upload", kind: store, files: 4, size: 64 * mib, sessions: 1, peers: both,
			goals: []goal{versus(throughput, 1.1), versus(cpuPerGB, 1.0)}, why: unlikeUp + settles},
		{name: "bulk-up-allo", work: "64 MiB files, 1 session with ALLO, upload", kind: store, files: 4, size: 64 * mib, sessions: 1, announced: true, peers: peer,
			goals: []goal{versus(throughput, 1.1), versus(cpuPerGB, 1.0)}, why: unlikeUp},
		{name: "bulk-down", work: "64 MiB files, 1 session, download", kind: fetch, files: 4, size: 64 * mib, sessions: 1, peers: both,
			goals: []goal{versus(throughput, 1.4), versus(cpuPerGB, 0.75)}, why: unlike},
		{name: "four-up", work: "16 MiB files, 4 sessions, upload", kind: store, files: 16, size: 16 * mib, sessions: 4, peers: peer,
			goals: []goal{versus(throughput, 1.3)}, why: unlikeUp},
		{name: "four-down", work: "16 MiB files, 4 sessions, download", kind: fetch, files: 16, size: 16 * mib, sessions: 4, peers: peer,
			goals: []goal{versus(throughput, 1.3)}, why: unlike},
		small("small-allo", "4 KiB files, 16 sessions with ALLO, upload, delivered", 16, true, false, 2, across),
		small("small-settle", "4 KiB files, 64 sessions without ALLO, upload, delivered", 64, false, false, 2, across),
		small("small-allo-spooled", "4 KiB files, 16 sessions with ALLO, upload, spooled", 16, true, true, 4, spooled),
		small("small-settle-spooled", "4 KiB files, 64 sessions without ALLO, upload, spooled", 64, false, true, 4, spooled),
		{name: "far-small-up", work: "4 KiB file at 20 ms, upload, delivered", kind: store, link: far, files: 20, size: 4 * kib, small: true, sessions: 1, peers: peer,
			goals: []goal{within(half, 4*farRoundTrip+allowance)}},
		{name: "far-small-up-spooled", work: "4 KiB file at 20 ms, upload, spooled", kind: store, link: far, files: 20, size: 4 * kib, small: true, sessions: 1, spooled: true, peers: peer,
			goals: []goal{within(half, settle+allowance)}},
		{name: "far-small-down", work: "4 KiB file at 20 ms, download", kind: fetch, link: far, files: 20, size: 4 * kib, small: true, sessions: 1, peers: peer,
			goals: []goal{within(half, 3*farRoundTrip)}},
		{name: "far-small-down-unseen", work: "4 KiB file at 20 ms, download, nothing known of it", kind: fetch, link: far, files: 20, size: 4 * kib, small: true,
			unseen: true, sessions: 1, goals: []goal{within(half, 3*farRoundTrip+allowance)}},
		{name: "far-up", work: "16 MiB file at 20 ms, 1 session, upload", kind: store, link: far, files: 6, size: 16 * mib, sessions: 1, peers: both,
			goals: []goal{versus(throughput, 2)}},
		{name: "far-down", work: "16 MiB file at 20 ms, 1 session, download", kind: fetch, link: far, files: 6, size: 16 * mib, sessions: 1, peers: both,
			goals: []goal{versus(throughput, 2)}},
		{name: "list", work: "LIST of 5,000 entries", kind: list, files: 5000, sessions: 1, peers: both,
			goals: []goal{{half, sftpName, 1}}},
		{name: "hundred-up", work: "100 uploads of 8 MiB at once", kind: store, files: 100, size: 8 * mib, sessions: 100, rounds: 2, peers: peer,
			goals: []goal{{peakMemory, "", 128}}},
		{name: "hundred-down", work: "100 downloads of 8 MiB at once", kind: fetch, files: 100, size: 8 * mib, sessions: 100, rounds: 2, peers: peer,
			goals: []goal{{peakMemory, "", 128}}},
		{name: "idle", work: "2,000 sessions that do nothing", kind: idle, sessions: 2000, rounds: 1, peers: peer,
			goals: []goal{{perSession, "", 16}}},
		{name: "start", work: "start to the first 220", kind: start,
			goals: []goal{within(firstReply, 100*time.Millisecond)}},
	}
}

// brief is the row in a form that takes a moment: it shows that everything works, and its numbers mean nothing.
func (r row) brief() row {
	r.rounds = 1
	r.files = min(r.files, max(2*min(r.sessions, 4), 4))
	if r.kind == list {
		r.files = 150
	}
	r.size = min(r.size, 300*kib)
	r.sessions = min(r.sessions, 8)
	return r
}

// quantities are those that say something about the row.
func (r row) quantities() []quantity {
	switch {
	case r.kind == idle:
		return []quantity{perSession}
	case r.kind == start:
		return []quantity{firstReply}
	case r.kind == list:
		return []quantity{half, most, cpuPerFile, inUse, peakMemory}
	case r.small:
		return []quantity{fileRate, half, most, cpuPerFile, inUse, peakMemory}
	default:
		return []quantity{throughput, half, most, cpuPerGB, inUse, peakMemory}
	}
}

// measured reports whether a value is one.
func measured(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
