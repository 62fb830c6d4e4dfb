// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// The bounds of the cost, the base-2 logarithm of bcrypt's rounds. MaxCost keeps a login below a few seconds on small appliances:
// whoever can reach the listener can make it hash.
const (
	MinCost     = 4
	MaxCost     = 14
	DefaultCost = 12
)

// MaxPassword is the length in bytes that bcrypt takes into account. Longer passwords would be cut silently, so they are refused.
const MaxPassword = 72

// hashLength is that of "$2a$12$", 22 characters of salt and 31 of digest.
const hashLength = 60

// ErrTooLong says that a password is longer than MaxPassword.
var ErrTooLong = fmt.Errorf("the password is longer than %d bytes, which is all that bcrypt looks at", MaxPassword)

// ErrEmpty says that a password is empty.
var ErrEmpty = errors.New("the password is empty")

// ErrUnsendable says that no FTP client could send a password: RFC 959 ends the PASS command at a line end, and NUL is reserved
// by the telnet rules of its section 4.
var ErrUnsendable = errors.New("the password contains a line end or a NUL, which FTP cannot carry")

// Hash makes a bcrypt hash of DefaultCost for the configuration. The error Is ErrTooLong, ErrEmpty or ErrUnsendable where the
// password is to blame.
func Hash(password []byte) (string, error) {
	return HashWithCost(password, DefaultCost)
}

// HashWithCost is Hash with a cost from MinCost to MaxCost.
func HashWithCost(password []byte, cost int) (string, error) {
	if err := usable(password, MaxPassword); err != nil {
		return "", err
	}
	if err := checkCost(cost); err != nil {
		return "", err
	}
	hash, err := bcrypt.GenerateFromPassword(password, cost)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return string(hash), nil
}

// Check reports why a hash could not be used by Verify, nil when it can.
func Check(hash string) error {
	switch {
	case hash == "":
		return errors.New("the hash is empty")
	case strings.HasPrefix(hash, argonPrefix):
		_, err := parseArgon(hash)
		return err
	}
	return checkBcrypt(hash)
}

func checkBcrypt(hash string) error {
	variant, rest, ok := strings.Cut(strings.TrimPrefix(hash, "$"), "$")
	if !ok || !strings.HasPrefix(hash, "$") {
		return errors.New("this is not a bcrypt hash, nor one of argon2id")
	}
	switch variant {
	case "2a", "2b", "2y":
	default:
		return fmt.Errorf("$%s$ is not a bcrypt hash; $2a$, $2b$ and $2y$ are, and $argon2id$ is possible, too", variant)
	}
	if len(hash) != hashLength {
		return fmt.Errorf("the bcrypt hash is %d characters long instead of %d", len(hash), hashLength)
	}
	_, digest, ok := strings.Cut(rest, "$")
	if !ok || strings.Trim(digest, "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return errors.New("the bcrypt hash contains characters that do not belong there")
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return fmt.Errorf("read the bcrypt hash: %w", err)
	}
	return checkCost(cost)
}

// Verify reports whether hash was made from password. It takes as long as the hash's cost says, whatever the answer is, unless the
// hash is unusable or the password is one that Hash refuses.
func Verify(hash string, password []byte) bool {
	if strings.HasPrefix(hash, argonPrefix) {
		h, err := parseArgon(hash)
		return err == nil && usable(password, MaxArgonPassword) == nil && h.verify(password)
	}
	if usable(password, MaxPassword) != nil || checkBcrypt(hash) != nil {
		return false
	}
	return bcrypt.CompareHashAndPassword([]byte(hash), password) == nil
}

// usable says why a password cannot be one, where most is its length in bytes.
func usable(password []byte, most int) error {
	switch {
	case len(password) == 0:
		return ErrEmpty
	case len(password) > most:
		if most != MaxPassword {
			return fmt.Errorf("the password is longer than %d bytes", most)
		}
		return ErrTooLong
	case bytes.ContainsAny(password, "\r\n\x00"):
		return ErrUnsendable
	}
	return nil
}

func checkCost(cost int) error {
	if cost < MinCost || cost > MaxCost {
		return fmt.Errorf("the bcrypt cost %d is outside %d to %d", cost, MinCost, MaxCost)
	}
	return nil
}
