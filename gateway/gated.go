// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"
)

// gated is a Remote behind the gate.
type gated struct {
	remote Remote
	gate   *gate
}

var _ Remote = gated{}

// through does one thing on the far side.
func (r gated) through(do func() error) error {
	if err := r.gate.enter(); err != nil {
		return err
	}
	defer r.gate.leave()
	return do()
}

func (r gated) Available(ctx context.Context, need Requirements) error {
	return r.through(func() error { return r.remote.Available(ctx, need) })
}

func (r gated) Stat(ctx context.Context, l Location) (info fs.FileInfo, err error) {
	err = r.through(func() (err error) { info, err = r.remote.Stat(ctx, l); return err })
	return info, err
}

func (r gated) ReadDir(ctx context.Context, l Location) (list []fs.FileInfo, err error) {
	err = r.through(func() (err error) { list, err = r.remote.ReadDir(ctx, l); return err })
	return list, err
}

func (r gated) Mkdir(ctx context.Context, l Location) error {
	return r.through(func() error { return r.remote.Mkdir(ctx, l) })
}

func (r gated) Remove(ctx context.Context, l Location) error {
	return r.through(func() error { return r.remote.Remove(ctx, l) })
}

func (r gated) RemoveDir(ctx context.Context, l Location) error {
	return r.through(func() error { return r.remote.RemoveDir(ctx, l) })
}

func (r gated) Rename(ctx context.Context, from, to Location) error {
	return r.through(func() error { return r.remote.Rename(ctx, from, to) })
}

func (r gated) Chtimes(ctx context.Context, l Location, mtime time.Time) error {
	return r.through(func() error { return r.remote.Chtimes(ctx, l, mtime) })
}

func (r gated) Chmod(ctx context.Context, l Location, mode fs.FileMode) error {
	return r.through(func() error { return r.remote.Chmod(ctx, l, mode) })
}

func (r gated) Begin(ctx context.Context, t Target) (Upload, error) {
	var up Upload
	err := r.through(func() (err error) { up, err = r.remote.Begin(ctx, t); return err })
	if err != nil {
		return nil, err
	}
	r.gate.opened()
	return &gatedUpload{upload: up, gate: r.gate, ended: sync.OnceFunc(r.gate.ended)}, nil
}

func (r gated) Open(ctx context.Context, l Location, offset int64) (Download, error) {
	var dl Download
	err := r.through(func() (err error) { dl, err = r.remote.Open(ctx, l, offset); return err })
	if err != nil {
		return nil, err
	}
	r.gate.opened()
	return &gatedDownload{Download: dl, gate: r.gate, ended: sync.OnceFunc(r.gate.ended)}, nil
}

// gatedUpload is an upload to a conduit. What waits for a device is not inside the gate: it would be waited for.
type gatedUpload struct {
	upload Upload
	gate   *gate
	ended  func()
}

func (u *gatedUpload) Write(p []byte) (int, error) {
	if err := u.gate.check(); err != nil {
		return 0, err
	}
	return u.upload.Write(p)
}

func (u *gatedUpload) ReadFrom(r io.Reader) (int64, error) {
	return u.upload.ReadFrom(&gatedReader{r, u.gate})
}

// Commit asks the gate last of all, behind the terms: what comes between the two is inside.
func (u *gatedUpload) Commit(ctx context.Context, t Terms) (Receipt, error) {
	if err := u.gate.enter(); err != nil {
		u.Abort(err)
		return Receipt{}, err
	}
	defer u.ended()
	defer u.gate.leave()
	last := t.Last
	t.Last = func() error {
		var against error
		if last != nil {
			against = last()
		}
		if err := u.gate.check(); err != nil {
			return err // and no evidence, so that nothing is moved aside either
		}
		return against
	}
	return u.upload.Commit(ctx, t)
}

func (u *gatedUpload) Abort(cause error) {
	u.gate.force()
	defer u.ended()
	defer u.gate.leave()
	u.upload.Abort(cause)
}

// gatedReader ends when the gate is shut, with what was read by then.
type gatedReader struct {
	io.Reader
	gate *gate
}

func (r *gatedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if shut := r.gate.check(); shut != nil {
		if err == nil || errors.Is(err, io.EOF) {
			err = shut
		}
		return 0, err
	}
	return n, err
}

// gatedDownload is a download from a conduit.
type gatedDownload struct {
	Download
	gate  *gate
	ended func()
}

func (d *gatedDownload) WriteTo(w io.Writer) (int64, error) {
	return d.Download.WriteTo(&gatedWriter{w, d.gate})
}

func (d *gatedDownload) Close() error {
	d.gate.force()
	defer d.ended()
	defer d.gate.leave()
	return d.Download.Close()
}

// gatedWriter takes nothing any more when the gate is shut.
type gatedWriter struct {
	io.Writer
	gate *gate
}

func (w *gatedWriter) Write(p []byte) (int, error) {
	if err := w.gate.check(); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}
