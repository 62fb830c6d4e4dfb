// SPDX-License-Identifier: Apache-2.0

package sftpserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// NewClientKey makes an ed25519 key, writes its private half to file (mode 0600, OpenSSH's format; the file must not exist) and
// returns the line for Options.AuthorizedKey or an authorized_keys file.
func NewClientKey(file string) (authorized string, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "ftpgw")
	if err != nil {
		return "", fmt.Errorf("make key: %w", err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("write key: %w", err)
	}
	_, err = f.Write(pem.EncodeToMemory(block))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", fmt.Errorf("write key %s: %w", file, err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("make key: %w", err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}
