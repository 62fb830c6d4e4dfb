// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Digest writes the whole of a file to w, which makes a digest of it. For the policy it is a look: what a device learns is one
// number about the file. An error of w is returned as it is. The reading ends when ctx does.
func (g *Gateway) Digest(ctx context.Context, s Session, name string, w io.Writer) (size int64, err error) {
	remote, err := g.allowLook(s, name)
	if err != nil {
		return 0, err
	}
	info, err := remote.Stat(ctx, s.locate(name))
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("digest of %s: %w", name, syscall.EISDIR)
	}
	dl, err := remote.Open(ctx, s.locate(name), 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dl.Close()) }()
	n, err := dl.WriteTo(&interruptible{ctx, w})
	if err == nil && n != dl.Info().Size() {
		err = fmt.Errorf("%d of %d bytes could be read", n, dl.Info().Size())
	}
	return n, err
}

// interruptible is a writer that fails when ctx has ended.
type interruptible struct {
	ctx context.Context
	dst io.Writer
}

func (i *interruptible) Write(p []byte) (int, error) {
	if err := interrupted(i.ctx); err != nil {
		return 0, err
	}
	return i.dst.Write(p)
}
