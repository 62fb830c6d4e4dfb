// SPDX-License-Identifier: Apache-2.0

package memremote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"path"
	"slices"

	"github.com/ftpgw/ftpgw/gateway"
)

type upload struct {
	remote *Remote
	target gateway.Target
	data   bytes.Buffer
	ended  bool
}

func (u *upload) Write(p []byte) (int, error) {
	if err := u.remote.fail(Write, u.target.String()); err != nil {
		return 0, err
	}
	n, err := u.data.Write(p)
	if err == nil && u.target.Accepted != nil {
		u.target.Accepted()
	}
	return n, err
}

func (u *upload) ReadFrom(src io.Reader) (int64, error) {
	return io.Copy(writerOnly{u}, src)
}

type writerOnly struct{ io.Writer }

func (u *upload) Commit(ctx context.Context, t gateway.Terms) (gateway.Receipt, error) {
	name := u.target.String()
	if err := u.remote.fail(Commit, name); err != nil {
		return gateway.Receipt{}, err
	}
	verified, err := u.verify(t)
	if err != nil {
		u.Abort(err)
		return gateway.Receipt{}, err
	}
	against := t.Hold()
	if against == nil && ctx.Err() != nil {
		return gateway.Receipt{}, context.Cause(ctx)
	}
	r := u.remote
	if against == nil {
		if err := r.fail(Publish, name); err != nil {
			return gateway.Receipt{}, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if against != nil {
		aside := t.AsideFor(against)
		if aside == "" {
			return gateway.Receipt{}, against
		}
		name, u.target.Base = path.Join(path.Dir(name), aside), nil
	}
	if b, n := u.target.Base, r.files[name]; b != nil && (b.Exists != (n != nil) || n != nil && int64(len(n.data)) != b.Size) {
		return gateway.Receipt{}, gateway.ErrChanged
	}
	u.end()
	r.put(name, u.data.Bytes())
	return gateway.Receipt{Bytes: int64(u.data.Len()), Fsynced: true, Atomic: true, Verified: verified, Path: name}, against
}

// verify reads what was written back where that is asked for; a Remote computes no digests by itself.
func (u *upload) verify(t gateway.Terms) (gateway.Verification, error) {
	if u.target.Verify == "" || u.target.Verify == gateway.VerifySize {
		return gateway.VerifySize, nil
	}
	hash := sha256.New()
	for piece := range slices.Chunk(u.data.Bytes(), pieceSize) {
		if t.Pace != nil {
			if err := t.Pace(len(piece)); err != nil {
				return "", err
			}
		}
		if err := u.remote.fail(Read, u.target.String()); err != nil {
			return "", err
		}
		hash.Write(piece)
	}
	if !bytes.Equal(hash.Sum(nil), u.target.Digest()) {
		return "", gateway.ErrCorrupted
	}
	return gateway.VerifyReadback, nil
}

func (u *upload) Abort(error) {
	u.remote.mu.Lock()
	defer u.remote.mu.Unlock()
	u.end()
}

// end counts the upload out. The lock is held.
func (u *upload) end() {
	if !u.ended {
		u.ended = true
		u.remote.open--
	}
}
