// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"filippo.io/age"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// keyring has the keys of a spool.
type keyring struct {
	dir        string
	identities []age.Identity
	current    *spoolKey // of what is written; nil for no encryption

	mu    sync.Mutex
	known map[uint64]*spoolKey
}

// openKeyring makes a key for what is written from now on, so that a change of the recipients takes effect.
func openKeyring(dir string, recipients []age.Recipient, identities []age.Identity) (*keyring, error) {
	r := &keyring{dir: dir, identities: identities}
	if len(recipients) == 0 {
		return r, nil
	}
	secret := make([]byte, keySize)
	var number [8]byte
	_, _ = rand.Read(secret) // never fails
	_, _ = rand.Read(number[:])
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipients...)
	if err == nil {
		_, err = w.Write(secret)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt a key of the spool: %w", err)
	}
	n := binary.BigEndian.Uint64(number[:]) | 1 // 0 is for none
	if err := durable.WriteFile(r.path(n), out.Bytes(), filePerm); err != nil {
		return nil, err
	}
	// From the file, as the next start will: the identities must be able to.
	if r.current, err = r.get(n); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *keyring) path(n uint64) string {
	return filepath.Join(r.dir, fmt.Sprintf("%016x%s", n, keySuffix))
}

// errNoKey says that what is encrypted cannot be read for want of an identity: that is no damage.
var errNoKey = errors.New("the spool is encrypted, and no identity that was given opens it")

// get finds a key by its number; 0 gives nil. Its errors are errNoKey, errDamaged, and those of the file system.
func (r *keyring) get(n uint64) (*spoolKey, error) {
	if n == 0 {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.known[n]; k != nil {
		return k, nil
	}
	b, err := os.ReadFile(r.path(n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: its key is missing: %v", errDamaged, err) // not fs.ErrNotExist: the entry is there
	}
	if err != nil {
		return nil, err
	}
	if len(r.identities) == 0 {
		return nil, errNoKey
	}
	src, err := age.Decrypt(bytes.NewReader(b), r.identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, fmt.Errorf("%w: %s: %w", errNoKey, r.path(n), err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: its key %s: %w", errDamaged, r.path(n), err)
	}
	secret, err := io.ReadAll(io.LimitReader(src, keySize+1))
	if err != nil || len(secret) != keySize {
		return nil, fmt.Errorf("%w: its key %s has %d bytes: %w", errDamaged, r.path(n), len(secret), err)
	}
	k := &spoolKey{number: n, secret: secret}
	if r.known == nil {
		r.known = map[uint64]*spoolKey{}
	}
	r.known[n] = k
	return k, nil
}

// tidy removes the keys that nothing is encrypted under.
func (r *keyring) tidy(used map[uint64]bool) error {
	list, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		name, ok := strings.CutSuffix(e.Name(), keySuffix)
		n, err := strconv.ParseUint(name, 16, 64)
		if !ok || err != nil || used[n] || n == r.current.id() {
			continue
		}
		if err := os.Remove(filepath.Join(r.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
