// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Peer is the process that asks, as the kernel knows it.
type Peer struct {
	UID, GID uint32
	PID      int32
}

// Route is one thing that can be asked.
type Route struct {
	// Pattern is a method and a path in the form of http.ServeMux: "POST /v1/spool/{id}/retry".
	Pattern string
	// Change says that it changes something: that it was asked for is on record, durably, before it is carried out.
	Change bool
	// Safe says that a Change only takes something away from devices, so that it is carried out even when the log takes no record.
	Safe bool
	// Handle carries it out and returns the result, which is sent as JSON. Its error is what the operator is told; one of type *Error
	// also says with which status. ctx ends when the client goes away or the gateway stops.
	Handle func(ctx context.Context, r *Request) (result any, err error)
}

// maxBody bounds what a client sends with a request, in bytes.
const maxBody = 64 << 10

// lineTime is how long a client may take to accept a line of the answer.
const lineTime = 10 * time.Second

// Request is one request of a Peer that may ask.
type Request struct {
	Peer Peer
	http *http.Request
	body []byte
	out  *stream
}

// readBody reads all that the client sends. The bound in time ends with it: carrying out may take long.
func (r *Request) readBody(w http.ResponseWriter) (err error) {
	if r.body, err = io.ReadAll(http.MaxBytesReader(w, r.http.Body, maxBody)); err != nil {
		return &Error{Status: http.StatusBadRequest, Message: "the request could not be read: " + err.Error()}
	}
	if err := r.out.control.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("read a request: %w", err)
	}
	return nil
}

// Value is the part of the path that the pattern calls name.
func (r *Request) Value(name string) string { return r.http.PathValue(name) }

// Query is a parameter behind the question mark, or "".
func (r *Request) Query(name string) string { return r.http.URL.Query().Get(name) }

// Decode reads the body, a JSON object, into v. No body leaves v as it is; a field that v does not have is an error.
func (r *Request) Decode(v any) error {
	if len(r.body) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &Error{Status: http.StatusBadRequest, Message: "the request is not understood: " + err.Error()}
	}
	return nil
}

// Progress tells the client, in a line of JSON, how far a long request has come. It must be called by the goroutine of Handle.
func (r *Request) Progress(v any) error { return r.out.line(answer{Progress: v}) }

// Error is what a request was answered with instead of a result.
type Error struct {
	Status  int    `json:"-"`       // of HTTP; 0 stands for 500
	Message string `json:"message"` // one line
	Detail  string `json:"detail,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// answer is one line of an answer.
type answer struct {
	Progress any    `json:"progress,omitempty"`
	Result   any    `json:"result,omitempty"`
	Error    *Error `json:"error,omitempty"`
}

// asError is err as it is sent.
func asError(err error) *Error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	return &Error{Status: http.StatusInternalServerError, Message: err.Error()}
}

// stream is the answer on its way out.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (s *stream) line(a answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "application/jsonl")
		status := http.StatusOK
		if a.Error != nil {
			if status = a.Error.Status; status == 0 {
				status = http.StatusInternalServerError
			}
		}
		s.w.WriteHeader(status)
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(lineTime)); err != nil {
		return fmt.Errorf("send an answer: %w", err)
	}
	if _, err := s.w.Write(append(body, '\n')); err != nil {
		return fmt.Errorf("send an answer: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("send an answer: %w", err)
	}
	return nil
}

// end sends the last line.
func (s *stream) end(result any, err error) error {
	if err != nil {
		return s.line(answer{Error: asError(err)})
	}
	if result == nil {
		result = struct{}{}
	}
	return s.line(answer{Result: result})
}
