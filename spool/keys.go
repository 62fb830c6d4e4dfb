// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"

	"filippo.io/age"
)

// spoolKey is a key of the spool's own, under which files are encrypted. It is on disk only as an age file for the recipients.
//
// Data are age files for this key instead of for the recipients, because every small file would otherwise cost a public key operation
// to write and another one to read, and an identity in hardware one touch. Records are sealed without age: it takes buffers of 64 KiB
// for each, which makes a start with 100,000 of them five times as long.
type spoolKey struct {
	number uint64 // random; the name of its file
	secret []byte
}

const (
	keySize    = 32
	saltSize   = 32
	keySuffix  = ".age"
	stanzaType = "ftpgw-spool"
)

// What is sealed, so that nothing can be taken for something else.
const (
	sealedFileKey = "ftpgw spool 1 file key"
	sealedRecord  = "ftpgw spool 1 record"
)

// aead derives a key that is used once: there is no bound on how much a spoolKey may seal, and the nonce can be zero.
func (k *spoolKey) aead(salt []byte, purpose string) (cipher.AEAD, error) {
	once, err := hkdf.Key(sha256.New, k.secret, salt, purpose, keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(once)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal returns salt || AES-256-GCM(HKDF-SHA-256(secret, salt, purpose), nonce 0, clear). A nil key leaves it as it is.
func (k *spoolKey) seal(clear []byte, purpose string) ([]byte, error) {
	if k == nil {
		return clear, nil
	}
	out := make([]byte, saltSize, saltSize+len(clear)+16)
	_, _ = rand.Read(out) // never fails
	aead, err := k.aead(out, purpose)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return aead.Seal(out, make([]byte, aead.NonceSize()), clear, nil), nil
}

// unseal takes back what seal did; its errors are errDamaged.
func (k *spoolKey) unseal(b []byte, purpose string) ([]byte, error) {
	if k == nil {
		return b, nil
	}
	if len(b) < saltSize {
		return nil, fmt.Errorf("%w: decrypt: too short", errDamaged)
	}
	aead, err := k.aead(b[:saltSize], purpose)
	if err == nil {
		b, err = aead.Open(nil, make([]byte, aead.NonceSize()), b[saltSize:], nil)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: decrypt: %w", errDamaged, err)
	}
	return b, nil
}

// Wrap implements age.Recipient.
func (k *spoolKey) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	body, err := k.seal(fileKey, sealedFileKey)
	if err != nil {
		return nil, err
	}
	return []*age.Stanza{{Type: stanzaType, Body: body}}, nil
}

// Unwrap implements age.Identity.
func (k *spoolKey) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		if s.Type != stanzaType {
			continue
		}
		if fileKey, err := k.unseal(s.Body, sealedFileKey); err == nil {
			return fileKey, nil
		}
	}
	return nil, age.ErrIncorrectIdentity
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
