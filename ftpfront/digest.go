// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"
)

// maxDigests is how many digests are made at a time: each reads a whole file across the conduit for one short command.
const maxDigests = 2

// errDigests says that maxDigests are being made.
var errDigests = errors.New("too many digests are being made")

// digest is one algorithm under the names of HASH (draft-bryan-ftpext-hash-02, 3.1) and of the verb of its own.
type digest struct {
	name string
	make func() hash.Hash
}

// digests are the algorithms in the order in which FEAT shows them; the first is the one that HASH begins with. MD5 and CRC32 find
// accidents, not attackers; they are here for devices that know nothing else.
func digests() []digest {
	return []digest{
		{"SHA-256", sha256.New}, {"MD5", md5.New}, {"CRC32", func() hash.Hash { return crc32.NewIEEE() }},
	}
}

// digestNamed finds an algorithm by its name in any case.
func digestNamed(name string) (digest, bool) {
	for _, d := range digests() {
		if strings.EqualFold(d.name, name) {
			return d, true
		}
	}
	return digest{}, false
}

// hash_ answers with the digest of a whole file (draft-bryan-ftpext-hash-02, 3: 213, algorithm, range, digest, name).
func (s *session) hash_(ctx context.Context, x *exchange) reply {
	sum, size, err := s.digest(ctx, s.hash, x.args)
	if err != nil {
		return digestFailure(err)
	}
	return answer(213, fmt.Sprintf("%s 0-%d %x %s", s.hash, size, sum, x.args))
}

// xdigest answers a verb that means one algorithm; these were never specified, 250 and the digest is what servers agree on.
func xdigest(name string) func(*session, context.Context, *exchange) reply {
	return func(s *session, ctx context.Context, x *exchange) reply {
		arg := x.args
		if strings.HasPrefix(arg, `"`) { // the name may be quoted, and a range may follow, which is not offered
			quoted, rest, ok := strings.Cut(arg[1:], `"`)
			if !ok || rest != "" {
				return answer(504, "Only digests of whole files are offered.")
			}
			arg = quoted
		}
		sum, _, err := s.digest(ctx, name, arg)
		if err != nil {
			return digestFailure(err)
		}
		return answer(250, fmt.Sprintf("%X", sum))
	}
}

func digestFailure(err error) reply {
	switch {
	case errors.Is(err, errDigests):
		return answer(450, "Busy with other digests, try again later.").because(err)
	case errors.Is(err, errForm):
		return answer(550, "Digests need TYPE I and STRU F.").because(err)
	}
	return failure(beforeTransfer, err)
}

// errForm says that a digest of the file would not be one of what RETR sends.
var errForm = errors.New("the bytes on the wire are not those of the file")

// digest reads a file through the gateway. ABOR and the loss of the control connection end it.
func (s *session) digest(ctx context.Context, algorithm, arg string) (sum []byte, size int64, err error) {
	if !s.form().verbatim() {
		return nil, 0, errForm
	}
	select {
	case s.front.digests <- struct{}{}:
		defer func() { <-s.front.digests }()
	default:
		return nil, 0, errDigests
	}
	d, _ := digestNamed(algorithm) // the names come from digests
	h := d.make()
	err = s.attend(ctx, func(ctx context.Context, t *running) (err error) {
		size, err = s.front.gateway.Digest(ctx, s.who, s.abs(arg), io.MultiWriter(h, &countingWriter{io.Discard, &t.moved}))
		return err
	})
	return h.Sum(nil), size, err
}

// attend does something that may take long while it goes on listening to the control connection, as during a transfer.
func (s *session) attend(ctx context.Context, do func(context.Context, *running) error) error {
	t := &running{session: s, left: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	defer t.cancel(nil)
	var err error
	done := make(chan struct{})
	go func() { // waited for by wait
		defer close(done)
		err = do(t.ctx, t)
	}()
	t.wait(done)
	return err
}
