// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/ftpgw/ftpgw/internal/durable"
)

// Checkpoint is a signed head of the tree (c2sp.org/tlog-checkpoint): what the first Size records were.
type Checkpoint struct {
	Origin string // the name of the log, which is also the name of its key
	Size   int64
	Root   tlog.Hash
	Note   string // the signed note (c2sp.org/signed-note) as it was read or written
}

// origin is the name of the log of an installation, in its checkpoints and of its key.
func origin(instance string) string { return "ftpgw/audit/" + instance }

// sign makes the checkpoint of a tree.
func sign(t *tree, key note.Signer) (Checkpoint, error) {
	c := Checkpoint{Origin: key.Name(), Size: t.size, Root: t.root()}
	text, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)}, key)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign a checkpoint: %w", err)
	}
	c.Note = string(text)
	return c, nil
}

// OpenCheckpoint reads a checkpoint and checks its signature with key, the text of a verifier key as it stands in the file
// checkpoint.pub. Signatures of others, such as witnesses, are passed over.
func OpenCheckpoint(text []byte, key string) (Checkpoint, error) {
	v, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the key is not a verifier key of a signed note: %w", err)
	}
	n, err := note.Open(text, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the checkpoint is not signed by %s: %w", v.Name(), err)
	}
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) < 4 || lines[0] != v.Name() {
		return Checkpoint{}, fmt.Errorf("the checkpoint is not one of the log %s", v.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("the checkpoint's size %q is not a number", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the checkpoint's root: %w", err)
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root, Note: string(text)}, nil
}

// IsKey reports whether text has the form of a verifier key, as it stands in the file checkpoint.pub.
func IsKey(text string) bool {
	_, err := note.NewVerifier(strings.TrimSpace(text))
	return err == nil
}

// IsCheckpoint reports whether text has the form of a signed note, whoever has signed it.
func IsCheckpoint(text []byte) bool {
	_, err := note.Open(text, note.VerifierList())
	return errors.As(err, new(*note.UnverifiedNoteError))
}

// loadKey reads the signing key at path, and makes one where there is neither a secret nor a public half. The public half is written
// to pub, where it stays: a log whose key has changed could not be verified with one key any more.
func loadKey(path, pub, instance string) (note.Signer, error) {
	public, err := os.ReadFile(pub)
	known := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !known {
		secret, err = makeKey(path, instance)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the signing key is missing, and %s says that there was one; put it back, or say where it is: %w", pub, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the signing key: %w", err)
	}
	key, err := note.NewSigner(strings.TrimSpace(string(secret)))
	if err != nil {
		return nil, fmt.Errorf("%s does not hold a signing key: %w", path, err)
	}
	if key.Name() != origin(instance) {
		return nil, fmt.Errorf("%s is the key of %s, this log is %s; where it is a new one, move the key to the log that it belongs to, and another is made", path, key.Name(), origin(instance))
	}
	mine, err := publicHalf(string(secret))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	case known && strings.TrimSpace(string(public)) != mine:
		return nil, fmt.Errorf("%s is not the key whose public half is in %s", path, pub)
	case known:
		return key, nil
	}
	return key, durable.WriteFile(pub, []byte(mine+"\n"), filePerm)
}

func makeKey(path, instance string) ([]byte, error) {
	secret, _, err := note.GenerateKey(rand.Reader, origin(instance))
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return []byte(secret), durable.WriteFile(path, []byte(secret+"\n"), keyPerm)
}

// publicHalf is the verifier key to a signer key, PRIVATE+KEY+name+hash+base64(1 || seed).
func publicHalf(secret string) (string, error) {
	parts := strings.SplitN(strings.TrimSpace(secret), "+", 5)
	if len(parts) != 5 {
		return "", errors.New("the signing key has not five parts")
	}
	key, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(key) != 1+ed25519.SeedSize {
		return "", errors.New("the signing key is not one of Ed25519")
	}
	return note.NewEd25519VerifierKey(parts[2], ed25519.NewKeyFromSeed(key[1:]).Public().(ed25519.PublicKey))
}
