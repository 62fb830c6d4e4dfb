// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// chain is the state of the log behind its last record, for whoever goes on: the writer with the next record, the verifier with
// the comparison.
type chain struct {
	time time.Time // of the last record
	prev tlog.Hash // the hash of the last record; zero before the first
	tree tree
}

// seq is the sequence number of the last record, 0 for none.
func (c *chain) seq() uint64 { return uint64(c.tree.size) }

// recordHash is the hash of a record: RFC 6962's leaf hash of the line without its newline, SHA-256(0x00 || line).
func recordHash(line []byte) tlog.Hash { return tlog.RecordHash(bytes.TrimSuffix(line, []byte("\n"))) }

// append appends the line of the next record to b, and moves the chain behind it.
func (c *chain) append(b []byte, at time.Time, body []byte) []byte {
	from := len(b)
	b = append(b, `{"time":"`...)
	b = at.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","seq":`...)
	b = strconv.AppendUint(b, c.seq()+1, 10)
	b = append(b, `,"prev":"`...)
	b = hex.AppendEncode(b, c.prev[:])
	b = append(b, `",`...)
	b = append(b, body...)
	c.move(at, recordHash(b[from:]), nil)
	return b
}

// move puts the chain behind the next record.
func (c *chain) move(at time.Time, h tlog.Hash, see observer) {
	c.time, c.prev = at, h
	c.tree.add(h, see)
}

// head is what each line begins with, in exactly this form.
type head struct {
	time time.Time
	seq  uint64
	prev tlog.Hash
	body []byte // from the event on
}

var errHead = errors.New("the line does not begin with time, seq and prev in the form of a record")

func parseHead(line []byte) (h head, err error) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"time":"`))
	at, rest, ok2 := bytes.Cut(rest, []byte(`","seq":`))
	seq, rest, ok3 := bytes.Cut(rest, []byte(`,"prev":"`))
	if !ok || !ok2 || !ok3 || len(rest) < 2*tlog.HashSize+2 || string(rest[2*tlog.HashSize:2*tlog.HashSize+2]) != `",` {
		return head{}, errHead
	}
	if h.time, err = time.Parse(time.RFC3339Nano, string(at)); err != nil {
		return head{}, errHead
	}
	if h.seq, err = strconv.ParseUint(string(seq), 10, 64); err != nil || h.seq == 0 {
		return head{}, errNoSeq
	}
	if _, err := hex.Decode(h.prev[:], rest[:2*tlog.HashSize]); err != nil {
		return head{}, errHead
	}
	h.body = rest[2*tlog.HashSize+2:]
	return h, nil
}

// Errors of a log whose records do not follow each other.
var (
	errSeq  = errors.New("the sequence has a gap")
	errPrev = errors.New("the record does not follow the one before it: prev is not that one's hash, so one of the two was changed")
	errTime = errors.New("the time is before that of the record before")
	errUTC  = errors.New("the time is not in the form in which the log writes it")
)

// check holds a line, without its newline, to being the next record, and returns what it begins with.
func (c *chain) check(line []byte) (head, error) {
	h, err := parseHead(line)
	switch {
	case err != nil:
		return h, err
	case h.seq != c.seq()+1:
		return h, fmt.Errorf("%w: seq is %d, %d is next", errSeq, h.seq, c.seq()+1)
	case h.prev != c.prev:
		return h, errPrev
	case h.time.Before(c.time):
		return h, errTime
	case !bytes.HasPrefix(line[len(`{"time":"`):], h.time.UTC().AppendFormat(nil, time.RFC3339Nano)):
		return h, errUTC
	case !json.Valid(line):
		return h, errNotRecord
	}
	return h, nil
}
