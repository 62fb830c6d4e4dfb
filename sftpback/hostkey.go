// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// HostKeyError says that the server at the configured address is not the pinned one. Nothing was sent to it.
type HostKeyError struct {
	Address string
	Offered string   // fingerprint of the key that the server has shown
	Pinned  []string // fingerprints of the keys that would have been right
	Err     error
}

func (e *HostKeyError) Error() string {
	return fmt.Sprintf("host key of %s refused: it is %s, pinned is %s: %v", e.Address, e.Offered, strings.Join(e.Pinned, " or "), e.Err)
}

// Unwrap is what the comparison said.
func (e *HostKeyError) Unwrap() error { return e.Err }

// hostKeys are the keys by which the server is recognised.
type hostKeys struct {
	check      ssh.HostKeyCallback
	algorithms []string // those of the pinned keys, so that a server with several keys shows the pinned one
	prints     []string // fingerprints of the pinned keys
}

// CheckHostKey reports what makes a line "type base64 [comment]" unusable as a host key.
func CheckHostKey(line string) error {
	_, err := parseHostKey(line)
	return err
}

// CheckKnownHosts reports what makes a known_hosts file unusable for the server at address (host:port).
func CheckKnownHosts(file, address string) error {
	_, err := fromKnownHosts(file, address)
	return err
}

func (cfg *Config) hostKeys() (*hostKeys, error) {
	if cfg.HostKey == "" {
		return fromKnownHosts(cfg.KnownHosts, cfg.Address)
	}
	key, err := parseHostKey(cfg.HostKey)
	if err != nil {
		return nil, err
	}
	h := &hostKeys{check: ssh.FixedHostKey(key)}
	h.add(key)
	return h, nil
}

func parseHostKey(line string) (ssh.PublicKey, error) {
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return nil, errors.New(`the host key is not of the form "ssh-ed25519 AAAA..."`)
	}
	if len(options) > 0 || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errors.New(`the host key is more than one line "ssh-ed25519 AAAA..."`)
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return nil, errors.New("the host key is a certificate; pin the key itself")
	}
	if algorithmsOf(key) == nil {
		return nil, fmt.Errorf("host keys of type %s are not accepted", key.Type())
	}
	return key, nil
}

// fromKnownHosts reads the keys of address. The knownhosts package tells which keys it would accept only in its refusal of another
// one, so it is asked about a key that nobody has.
func fromKnownHosts(file, address string) (*hostKeys, error) {
	check, err := knownhosts.New(file)
	if err != nil {
		return nil, fmt.Errorf("read known hosts: %w", err)
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a probe key: %w", err)
	}
	probe, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("make a probe key: %w", err)
	}
	var known *knownhosts.KeyError
	if err := check(address, noAddr{}, probe); !errors.As(err, &known) {
		return nil, fmt.Errorf("look up %s in %s: %w", address, file, err)
	}
	h := &hostKeys{check: check}
	for _, want := range known.Want {
		if check(address, noAddr{}, want.Key) == nil { // refused when it is revoked
			h.add(want.Key)
		}
	}
	if len(h.algorithms) == 0 {
		return nil, fmt.Errorf("%s holds no usable key for %s", file, knownhosts.Normalize(address))
	}
	return h, nil
}

func (h *hostKeys) add(key ssh.PublicKey) {
	algorithms := algorithmsOf(key)
	if algorithms == nil {
		return
	}
	h.prints = append(h.prints, ssh.FingerprintSHA256(key))
	for _, a := range algorithms {
		if !slices.Contains(h.algorithms, a) {
			h.algorithms = append(h.algorithms, a)
		}
	}
}

// algorithmsOf names the signature algorithms by which a server can prove that it holds key. SHA-1 and DSA are not among them.
func algorithmsOf(key ssh.PublicKey) []string {
	switch t := key.Type(); t {
	case ssh.KeyAlgoRSA:
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return []string{t}
	default:
		return nil
	}
}

// callback is the check for x/crypto/ssh, which calls it in the key exchange, before authentication.
func (h *hostKeys) callback(address string, remote net.Addr, key ssh.PublicKey) error {
	if err := h.check(address, remote, key); err != nil {
		return &HostKeyError{Address: address, Offered: ssh.FingerprintSHA256(key), Pinned: h.prints, Err: err}
	}
	return nil
}

// noAddr stands for the remote address where there is no connection.
type noAddr struct{}

func (noAddr) Network() string { return "tcp" }
func (noAddr) String() string  { return "0.0.0.0:0" }
