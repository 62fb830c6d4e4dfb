// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
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

// spoolKey is a key of the spool's own, under which files are encrypted. It is on disk only as an age file for the recipients.
//
// Files of the spool are age files for this key instead of for the recipients, because a small file would otherwise cost two public
// key operations for its data and its record, recovery two for each entry, and an identity in hardware one touch for each.
type spoolKey struct {
	number uint64 // random; the name of its file
	aead   cipher.AEAD
}

const (
	keySize    = 32
	keySuffix  = ".age"
	stanzaType = "ftpgw-spool"
)

func newSpoolKey(number uint64, secret []byte) (*spoolKey, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &spoolKey{number: number, aead: aead}, nil
}

// Wrap implements age.Recipient.
func (k *spoolKey) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	return []*age.Stanza{{Type: stanzaType, Body: k.aead.Seal(nil, nil, fileKey, []byte(stanzaType))}}, nil
}

// Unwrap implements age.Identity.
func (k *spoolKey) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type != stanzaType {
			continue
		}
		if fileKey, err := k.aead.Open(nil, nil, s.Body, []byte(stanzaType)); err == nil {
			return fileKey, nil
		}
	}
	return nil, age.ErrIncorrectIdentity
}

// encrypt returns b as an age file. A nil key leaves it as it is.
func (k *spoolKey) encrypt(b []byte) ([]byte, error) {
	if k == nil {
		return b, nil
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return out.Bytes(), nil
}

// decrypt takes back what encrypt did; its errors are errDamaged.
func (k *spoolKey) decrypt(b []byte) ([]byte, error) {
	if k == nil {
		return b, nil
	}
	r, err := age.Decrypt(bytes.NewReader(b), k)
	if err == nil {
		b, err = io.ReadAll(r)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: decrypt: %w", errDamaged, err)
	}
	return b, nil
}

// reader gives access to size bytes that were encrypted, and says how many there are in clear.
func (k *spoolKey) reader(src io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	if k == nil {
		return src, size, nil
	}
	r, clear, err := age.DecryptReaderAt(io.NewSectionReader(src, 0, size), size, k)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: decrypt: %w", errDamaged, err)
	}
	return r, clear, nil
}

func (k *spoolKey) id() uint64 {
	if k == nil {
		return 0
	}
	return k.number
}

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
		return nil, fmt.Errorf("%w: its key is missing: %w", errDamaged, err)
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
	k, err := newSpoolKey(n, secret)
	if err != nil {
		return nil, err
	}
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
