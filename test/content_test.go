// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// pattern is content that no fault can turn into itself: n bytes of a generator with this seed, every byte value among them.
func pattern(n int64, seed byte) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), n)
}

// content is pattern as bytes.
func content(t testing.TB, n int64, seed byte) []byte {
	t.Helper()
	b, err := io.ReadAll(pattern(n, seed))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// digest is the hex SHA-256 of what r has.
func digest(t testing.TB, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func digestFile(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return digest(t, f)
}

// writeFile puts a file of this content on the local disk, the directories above it included.
func writeFile(t testing.TB, path string, content io.Reader) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, content); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
