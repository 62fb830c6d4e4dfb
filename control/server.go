// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// Bounds of what clients can take up.
const (
	maxClients = 16 // connections at a time; more wait
	maxHeader  = 16 << 10
	readTime   = 10 * time.Second // for a whole request
	idleTime   = 30 * time.Second
	stopTime   = 5 * time.Second // for requests that are being carried out when Serve ends
)

// Recorder is the audit log as this package needs it.
type Recorder interface {
	// Record returns nil only when r is durable.
	Record(ctx context.Context, r audit.Record) error
}

// Options is what a Server is made of. All fields must be set.
type Options struct {
	Path   string // of the socket, absolute
	Log    Recorder
	Logger *slog.Logger
}

// Server is an open control socket.
type Server struct {
	path     string
	listener *net.UnixListener
	identity os.FileInfo // of the socket's file
	log      Recorder
	logger   *slog.Logger
	mux      *http.ServeMux
	refusals refusals
	conns    sync.WaitGroup
}

// Listen opens the socket; requests wait until Serve is called. Errors: one that Is ErrInUse where another process answers at the
// path, and those of the file system. The Server must be served, or closed.
func Listen(ctx context.Context, o Options) (*Server, error) {
	l, err := listen(ctx, o.Path)
	if err != nil {
		return nil, err
	}
	s := &Server{path: o.Path, listener: l, log: o.Log, logger: o.Logger, mux: http.NewServeMux()}
	if s.identity, err = os.Lstat(o.Path); err != nil {
		return nil, errors.Join(fmt.Errorf("look at the control socket: %w", err), l.Close())
	}
	return s, nil
}

// Close takes the socket away; after Serve it does nothing.
func (s *Server) Close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return errors.Join(err, s.unlink())
}

// Serve answers requests for which there is a route until ctx ends. Those that are being carried out then see their context end and get a moment to return;
// Serve returns when all have, and the socket is gone.
func (s *Server) Serve(ctx context.Context, routes ...Route) error {
	for _, r := range routes {
		s.mux.HandleFunc(r.Pattern, func(w http.ResponseWriter, req *http.Request) { s.carryOut(r, w, req) })
	}
	h := &http.Server{
		Handler: http.HandlerFunc(s.answer), MaxHeaderBytes: maxHeader, ReadTimeout: readTime, IdleTimeout: idleTime,
		ErrorLog:    slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, c.(*peerConn).peer)
		},
		ConnState: s.count,
	}
	done := make(chan error, 1)
	go func() { done <- h.Serve(newLimited(s)) }()
	var err error
	select {
	case err = <-done: // the socket has failed
	case <-ctx.Done():
		s.shutdown(ctx, h)
		err = <-done
	}
	s.conns.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.unlink())
}

// shutdown ends h: what is idle at once, what works when it returns or when the time is over.
func (s *Server) shutdown(ctx context.Context, h *http.Server) {
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := h.Shutdown(bound); err != nil {
		s.logger.Warn("requests of operators were cut off", "error", errors.Join(err, h.Close()))
	}
}

// count keeps the number of connections, so that Serve can wait for the goroutine of each.
func (s *Server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Done()
	}
}

// unlink removes the socket's name, unless it is somebody else's by now. A process that has given up the right to do that leaves it
// to the next one, which replaces it.
func (s *Server) unlink() error {
	info, err := os.Lstat(s.path)
	if err == nil && os.SameFile(info, s.identity) {
		err = os.Remove(s.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("remove the control socket: %w", err)
	}
	return nil
}

type peerKey struct{}

// answer is every request.
func (s *Server) answer(w http.ResponseWriter, req *http.Request) {
	out := &stream{w: w, control: http.NewResponseController(w)}
	handler, pattern := s.mux.Handler(req)
	if pattern == "" {
		if err := out.end(nil, s.unknown(handler, req)); err != nil {
			s.logger.Debug("answer an operator", "error", err)
		}
		return
	}
	s.mux.ServeHTTP(w, req) // once more, for the values in the path
}

// unknown is the error for what no route is for: the mux knows a wrong method from a wrong path.
func (s *Server) unknown(handler http.Handler, req *http.Request) error {
	probe := &statusProbe{header: http.Header{}}
	handler.ServeHTTP(probe, req)
	if probe.status == http.StatusMethodNotAllowed {
		return &Error{Status: probe.status, Message: fmt.Sprintf("%s is not for %s; use %s", req.URL.Path, req.Method, probe.header.Get("Allow"))}
	}
	return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("this gateway does not know %s %s", req.Method, req.URL.Path)}
}

// statusProbe takes the status of an answer and drops the rest.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }

// carryOut answers a request for which there is a route.
func (s *Server) carryOut(route Route, w http.ResponseWriter, req *http.Request) {
	out := &stream{w: w, control: http.NewResponseController(w)}
	r := &Request{Peer: req.Context().Value(peerKey{}).(Peer), http: req, out: out}
	var result any
	err := r.readBody(w)
	if err == nil {
		result, err = s.perform(req.Context(), route, r)
	}
	if err := out.end(result, err); err != nil {
		s.logger.Warn("an operator did not get the answer", "uid", r.Peer.UID, "pid", r.Peer.PID, "path", req.URL.Path, "error", err)
	}
}

// perform carries a request out, a change between two records.
func (s *Server) perform(ctx context.Context, route Route, r *Request) (result any, err error) {
	if !route.Change {
		return s.guarded(ctx, route, r)
	}
	asked := r.record(audit.ControlRequest)
	if err := s.log.Record(ctx, asked); err != nil {
		s.logger.Error("the request of an operator is not on record", "event", asked.Detail, "error", err)
		if !route.Safe {
			return nil, &Error{Status: http.StatusServiceUnavailable, Message: "the audit log does not take a record of this, so that it was not done: " + err.Error()}
		}
	}
	result, err = s.guarded(ctx, route, r)
	outcome := r.record(audit.ControlDone)
	if err != nil {
		outcome.Event, outcome.Cause = audit.ControlFailed, err.Error()
	}
	if rerr := s.log.Record(context.WithoutCancel(ctx), outcome); rerr != nil {
		s.logger.Error("what came of an operator's request is not on record", "event", outcome.Detail, "error", rerr)
		if err == nil && !route.Safe {
			err = &Error{Status: http.StatusServiceUnavailable, Message: "it was done, but the audit log takes no record of it: " + rerr.Error()}
		}
	}
	return result, err
}

// guarded keeps a panic in one request from ending the gateway.
func (s *Server) guarded(ctx context.Context, route Route, r *Request) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			s.logger.Error("a request of an operator ended in a panic", "pattern", route.Pattern, "panic", p)
		}
	}()
	return route.Handle(ctx, r)
}

// record is the beginning of every record about r.
func (r *Request) record(e audit.Event) audit.Record {
	detail := r.Peer.Detail()
	detail["request"] = r.http.Method + " " + r.http.URL.RequestURI()
	if len(r.body) > 0 {
		detail["parameters"] = shortened(string(r.body))
	}
	return audit.Record{Event: e, Detail: detail}
}

// shortened cuts what is too long for a record.
func shortened(text string) string {
	const limit = 1024
	if len(text) <= limit {
		return text
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(text[:limit], ""), len(text))
}
