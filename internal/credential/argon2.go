// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Argon2id is the cost of an argon2id hash (RFC 9106).
type Argon2id struct {
	Memory  uint32 // KiB
	Time    uint32 // passes over the memory
	Threads uint8  // lanes
}

// DefaultArgon2id takes 19 MiB for one check, the least that OWASP's Password Storage Cheat Sheet recommends: appliances are small.
func DefaultArgon2id() Argon2id { return Argon2id{Memory: 19 << 10, Time: 2, Threads: 1} }

// The bounds of what a hash may cost. They keep a login below a few seconds, and the checks that run at a time below the memory of a
// small appliance: whoever can reach the listener can make it hash.
const (
	MinArgonMemory  = 8 << 10   // KiB
	MaxArgonMemory  = 128 << 10 // KiB
	MaxArgonTime    = 10
	MaxArgonThreads = 4
)

// MaxArgonPassword is the length of the longest password in bytes: it must fit into a command line.
const MaxArgonPassword = 1024

// Sizes in bytes of what a hash holds; RFC 9106, 4 recommends 16 and 32.
const (
	saltSize, minSalt, maxSalt = 16, 8, 48
	tagSize, minTag, maxTag    = 32, 16, 64
)

// argonPrefix begins the PHC string of an argon2id hash of version 1.3 (0x13).
const (
	argonPrefix  = "$argon2id$"
	argonVersion = "v=19"
)

// argonHash is a PHC string: $argon2id$v=19$m=MEMORY,t=TIME,p=THREADS$SALT$TAG, the last two in base64 without padding.
type argonHash struct {
	Argon2id
	salt, tag []byte
}

// HashArgon2id makes an argon2id hash for the configuration. Its errors are those of Hash.
func HashArgon2id(password []byte, cost Argon2id) (string, error) {
	if err := usable(password, MaxArgonPassword); err != nil {
		return "", err
	}
	if err := cost.check(); err != nil {
		return "", err
	}
	h := argonHash{Argon2id: cost, salt: make([]byte, saltSize)}
	rand.Read(h.salt) // crypto/rand.Read never fails
	h.tag = h.key(password, tagSize)
	return h.String(), nil
}

func (h argonHash) key(password []byte, size int) []byte {
	return argon2.IDKey(password, h.salt, h.Time, h.Memory, h.Threads, uint32(size))
}

// String is the PHC string.
func (h argonHash) String() string {
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("%s%s$m=%d,t=%d,p=%d$%s$%s", argonPrefix, argonVersion, h.Memory, h.Time, h.Threads, encode(h.salt), encode(h.tag))
}

func (c Argon2id) check() error {
	switch {
	case c.Memory < MinArgonMemory || c.Memory > MaxArgonMemory:
		return fmt.Errorf("the argon2id memory of %d KiB is outside %d to %d", c.Memory, MinArgonMemory, MaxArgonMemory)
	case c.Time < 1 || c.Time > MaxArgonTime:
		return fmt.Errorf("the argon2id time of %d is outside 1 to %d", c.Time, MaxArgonTime)
	case c.Threads < 1 || c.Threads > MaxArgonThreads:
		return fmt.Errorf("the argon2id parallelism of %d is outside 1 to %d", c.Threads, MaxArgonThreads)
	}
	return nil
}

// parseArgon reads a PHC string.
func parseArgon(hash string) (argonHash, error) {
	fields := strings.Split(strings.TrimPrefix(hash, argonPrefix), "$")
	if len(fields) != 4 {
		return argonHash{}, errors.New("the argon2id hash is not of the form $argon2id$v=19$m=...,t=...,p=...$salt$hash")
	}
	if fields[0] != argonVersion {
		return argonHash{}, fmt.Errorf("the argon2id hash is of version %q, not %s", fields[0], argonVersion)
	}
	var h argonHash
	if _, err := fmt.Sscanf(fields[1], "m=%d,t=%d,p=%d", &h.Memory, &h.Time, &h.Threads); err != nil {
		return argonHash{}, fmt.Errorf("read the parameters of the argon2id hash: %w", err)
	}
	if err := h.check(); err != nil {
		return argonHash{}, err
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(fields[2]); err != nil || len(h.salt) < minSalt || len(h.salt) > maxSalt {
		return argonHash{}, fmt.Errorf("the salt of the argon2id hash is not %d to %d bytes in base64", minSalt, maxSalt)
	}
	if h.tag, err = base64.RawStdEncoding.Strict().DecodeString(fields[3]); err != nil || len(h.tag) < minTag || len(h.tag) > maxTag {
		return argonHash{}, fmt.Errorf("the argon2id hash does not end in %d to %d bytes in base64", minTag, maxTag)
	}
	if h.String() != hash { // nothing may stand behind the numbers, or before them
		return argonHash{}, errors.New("the argon2id hash is not in its normal form")
	}
	return h, nil
}

func (h argonHash) verify(password []byte) bool {
	return subtle.ConstantTimeCompare(h.key(password, len(h.tag)), h.tag) == 1
}
