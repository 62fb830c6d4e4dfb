// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Only the Log knows the time, the sequence number and the predecessor of a record, and it learns them one record at a time. All the rest is encoded
// before, by the many callers, and what the Log does is to put this head in front.
const zeroHead = `{"time":"0001-01-01T00:00:00Z","seq":0,`

// encodeBody is the record's line without its head, from the event to the newline.
func encodeBody(r Record) ([]byte, error) {
	r = mapped(r, escape)
	r.Time, r.Seq, r.Prev = time.Time{}, 0, ""
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("encode audit record %s: %w", r.Event, err)
	}
	body, ok := bytes.CutPrefix(b.Bytes(), []byte(zeroHead))
	if !ok {
		return nil, fmt.Errorf("encode audit record %s: it does not begin with time and seq", r.Event)
	}
	return body, nil
}

var (
	errNotRecord = errors.New("the line is not a JSON record")
	errNoSeq     = errors.New("the record has no sequence number")
)

// decodeLine reads one line, with or without its newline.
func decodeLine(line []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, fmt.Errorf("%w: %w", errNotRecord, err)
	}
	if r.Seq == 0 {
		return Record{}, errNoSeq
	}
	return mapped(r, unescape), nil
}
