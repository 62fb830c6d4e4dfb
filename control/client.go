// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"
)

// Client asks a running gateway.
type Client struct {
	path string
	http *http.Client
}

// ErrNoGateway says that nobody answers at the socket.
var ErrNoGateway = errors.New("no gateway answers at the control socket")

// ErrNotAllowed says that the gateway, or the mode of its socket, turns the caller away.
var ErrNotAllowed = errors.New("the gateway hears only root and the user that it runs as")

// NewClient makes a client for the socket at path. It connects with its first request; Close ends its connections.
func NewClient(path string) *Client {
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) },
	}}}
}

// Close ends the connections of a client.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ask sends a request, with body as JSON where it is not nil, and decodes the result into result where that is not nil. Each line of
// progress is passed to progress where that is not nil; its error ends the request. Errors: one that Is ErrNoGateway or
// ErrNotAllowed, an *Error from the gateway, and those of the connection. Only ctx bounds the time.
func (c *Client) Ask(ctx context.Context, method, path string, body, result any, progress func(json.RawMessage) error) error {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path, content)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	return receive(resp, result, progress)
}

// explain says in our words why the gateway could not be asked.
func (c *Client) explain(err error) error {
	var dialling *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && !isSocket(c.path):
		return fmt.Errorf("%s is not a socket", c.path)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w, %s", ErrNoGateway, c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (%s)", ErrNotAllowed, c.path)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &dialling) && dialling.Op == "dial":
		return fmt.Errorf("ask the gateway: %w", err)
	}
	return fmt.Errorf("the gateway hung up: %w (%s): %w", ErrNotAllowed, c.path, err) // without a word, whatever net/http makes of that
}

// isSocket reports whether there is a socket at path. To connect to another file is refused like a socket to which nobody listens.
func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Type() == fs.ModeSocket
}

// receive reads the lines of an answer.
func receive(resp *http.Response, result any, progress func(json.RawMessage) error) error {
	for d := json.NewDecoder(resp.Body); ; {
		var line struct {
			Progress json.RawMessage `json:"progress"`
			Result   json.RawMessage `json:"result"`
			Error    *Error          `json:"error"`
		}
		if err := d.Decode(&line); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("the answer of the gateway broke off: %w", err)
		}
		switch {
		case line.Error != nil:
			line.Error.Status = resp.StatusCode
			return line.Error
		case line.Result != nil:
			if result == nil {
				return nil
			}
			if err := json.Unmarshal(line.Result, result); err != nil {
				return fmt.Errorf("understand the answer of the gateway: %w", err)
			}
			return nil
		case line.Progress != nil && progress != nil:
			if err := progress(line.Progress); err != nil {
				return err
			}
		}
	}
}
