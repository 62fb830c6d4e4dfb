// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// identity is how the gateway proves who it is: with a key of its own, an agent's keys, or both in this order.
type identity struct {
	signer ssh.Signer // nil when there is no file
	agent  string     // socket, or ""
}

// CheckIdentity reports what makes a private key file unusable: unreadable, readable by others, not a key, protected by a passphrase.
func CheckIdentity(file string) error {
	_, err := loadKey(file)
	return err
}

func loadIdentity(file, agentSocket string) (identity, error) {
	id := identity{agent: agentSocket}
	if file == "" {
		return id, nil
	}
	signer, err := loadKey(file)
	if err != nil {
		return identity{}, err
	}
	id.signer = signer
	return id, nil
}

func loadKey(file string) (ssh.Signer, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("private key %s is not a regular file", file)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("private key %s can be read by others (mode %04o); run: chmod 600 %s", file, perm, file)
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, fmt.Errorf("private key %s is protected by a passphrase, which nobody is there to type: use an ssh-agent", file)
	}
	if err != nil {
		return nil, fmt.Errorf("parse private key %s: %w", file, err)
	}
	return withoutSHA1(signer)
}

// withoutSHA1 makes an RSA key sign with SHA-2 only (RFC 8332), whatever the server proposes.
func withoutSHA1(s ssh.Signer) (ssh.Signer, error) {
	if s.PublicKey().Type() != ssh.KeyAlgoRSA {
		return s, nil
	}
	able, ok := s.(ssh.AlgorithmSigner)
	if !ok {
		return nil, errors.New("this RSA key can only sign with SHA-1")
	}
	strict, err := ssh.NewSignerWithAlgorithms(able, []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256})
	if err != nil {
		return nil, fmt.Errorf("restrict RSA key to SHA-2: %w", err)
	}
	return strict, nil
}

// String names the keys for the operator, who compares them with what the server has.
func (id identity) String() string {
	var names []string
	if id.signer != nil {
		names = append(names, "key "+ssh.FingerprintSHA256(id.signer.PublicKey()))
	}
	if id.agent != "" {
		names = append(names, "the keys of the agent at "+id.agent)
	}
	return strings.Join(names, " and ")
}

// method is the authentication by these keys. The agent is asked only when the server, known to be the right one, asks for keys.
// release must be called when the handshake has ended.
func (id identity) method(ctx context.Context) (m ssh.AuthMethod, release func()) {
	var conn net.Conn
	m = ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
		var signers []ssh.Signer
		if id.signer != nil {
			signers = append(signers, id.signer)
		}
		if id.agent == "" {
			return signers, nil
		}
		var err error
		if conn, err = new(net.Dialer).DialContext(ctx, "unix", id.agent); err != nil {
			return nil, fmt.Errorf("reach ssh-agent: %w", err)
		}
		if deadline, ok := ctx.Deadline(); ok {
			if err := conn.SetDeadline(deadline); err != nil {
				return nil, fmt.Errorf("reach ssh-agent: %w", err)
			}
		}
		held, err := agent.NewClient(conn).Signers()
		if err != nil {
			return nil, fmt.Errorf("list keys of ssh-agent: %w", err)
		}
		for _, s := range held {
			if strict, err := withoutSHA1(s); err == nil {
				signers = append(signers, strict)
			}
		}
		return signers, nil
	})
	return m, func() {
		if conn != nil {
			_ = conn.Close() // nothing was left unsaid on it
		}
	}
}
