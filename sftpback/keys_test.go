// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

func newHostKey(t *testing.T, kind string) ssh.PublicKey {
	t.Helper()
	var private any
	var err error
	switch kind {
	case "rsa":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		line, err := sftpserver.NewClientKey(filepath.Join(t.TempDir(), "k"))
		if err != nil {
			t.Fatal(err)
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey()
}

func TestKnownHosts(t *testing.T) {
	ed, ed2, ec, rs := newHostKey(t, "ed25519"), newHostKey(t, "ed25519"), newHostKey(t, "ecdsa"), newHostKey(t, "rsa")
	line := func(host string, key ssh.PublicKey) string { return knownhosts.Line([]string{host}, key) + "\n" }
	for name, c := range map[string]struct {
		text       string
		algorithms string // "" when it must be refused
	}{
		"port":            {line("host:2022", ed), "ssh-ed25519"},
		"other port":      {line("host:22", ed), ""},
		"other host":      {line("other:2022", ed), ""},
		"hashed":          {knownhosts.HashHostname(knownhosts.Normalize("host:2022")) + strings.TrimPrefix(line("host:2022", ec), "[host]:2022"), "ecdsa-sha2-nistp256"},
		"several":         {line("host:2022", ed) + "# comment\n\n" + line("host:2022", rs), "ssh-ed25519 rsa-sha2-512 rsa-sha2-256"},
		"two of one type": {line("host:2022", ed) + line("host:2022", ed2), "ssh-ed25519"},
		"one revoked":     {line("host:2022", ed) + line("host:2022", ec) + "@revoked " + line("*", ed), "ecdsa-sha2-nistp256"},
		"all revoked":     {line("host:2022", ed) + "@revoked " + line("*", ed), ""},
		"empty":           {"", ""},
		"garbage":         {"host ssh-ed25519 AAAA\n", ""},
	} {
		file := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := fromKnownHosts(file, "host:2022")
		if (err != nil) != (c.algorithms == "") || (CheckKnownHosts(file, "host:2022") != nil) != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && strings.Join(h.algorithms, " ") != c.algorithms {
			t.Errorf("%s: %v", name, h.algorithms)
		}
	}
	if err := CheckKnownHosts(filepath.Join(t.TempDir(), "none"), "host:2022"); err == nil {
		t.Error("a missing file is accepted")
	}
}

func TestCheckHostKey(t *testing.T) {
	good := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(newHostKey(t, "ed25519"))))
	for name, c := range map[string]struct {
		line string
		ok   bool
	}{
		"good":         {good, true},
		"comment":      {good + " control-centre", true},
		"rsa":          {string(ssh.MarshalAuthorizedKey(newHostKey(t, "rsa"))), true},
		"empty":        {"", false},
		"fingerprint":  {"SHA256:F3gwCbExi5qaQmlsxaTwdZMVdN3xGZ3TBNheu7gIpI8", false},
		"cut off":      {good[:40], false},
		"two lines":    {good + "\n" + good, false},
		"with options": {`from="a" ` + good, false},
	} {
		if err := CheckHostKey(c.line); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckIdentity(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "id")
	if _, err := sftpserver.NewClientKey(file); err != nil {
		t.Fatal(err)
	}
	if err := CheckIdentity(file); err != nil {
		t.Error(err)
	}
	if _, err := sftpserver.NewClientKey(file); err == nil {
		t.Error("an existing key was overwritten")
	}
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(ec, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		mode os.FileMode
		want string
	}{
		"readable by others": {key, 0o644, "others"},
		"readable by group":  {key, 0o640, "others"},
		"passphrase":         {pem.EncodeToMemory(locked), 0o600, "passphrase"},
		"not a key":          {[]byte("hello"), 0o600, "parse"},
	} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, c.data, c.mode); err != nil {
			t.Fatal(err)
		}
		if err := CheckIdentity(p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, p := range []string{dir, filepath.Join(dir, "none")} {
		if err := CheckIdentity(p); err == nil {
			t.Errorf("%s is accepted", p)
		}
	}
}

func TestRSASignsWithSHA2Only(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	strict, err := withoutSHA1(signer)
	if err != nil {
		t.Fatal(err)
	}
	multi, ok := strict.(ssh.MultiAlgorithmSigner)
	if !ok || slices.Contains(multi.Algorithms(), ssh.KeyAlgoRSA) || len(multi.Algorithms()) != 2 {
		t.Errorf("algorithms %v", multi)
	}
}

func TestNewRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "id")
	line, err := sftpserver.NewClientKey(file)
	if err != nil {
		t.Fatal(err)
	}
	good := Config{Name: "far", Address: "host:22", User: "u", Identity: file, HostKey: line, Root: "/in", Instance: "test0001"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"address":      func(c *Config) { c.Address = "host" },
		"user":         func(c *Config) { c.User = "" },
		"relative":     func(c *Config) { c.Root = "in" },
		"unclean":      func(c *Config) { c.Root = "/in/../out" },
		"no identity":  func(c *Config) { c.Identity = "" },
		"bad identity": func(c *Config) { c.Identity = "/none" },
		"no host key":  func(c *Config) { c.HostKey = "" },
		"both keys":    func(c *Config) { c.KnownHosts = "/x" },
		"bad host key": func(c *Config) { c.HostKey = "x" },
		"instance":     func(c *Config) { c.Instance = "Test0001" },
		"no instance":  func(c *Config) { c.Instance = "" },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "conduit far") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key that only an ssh-agent holds, RSA at that.
func TestAgent(t *testing.T) {
	s := sshdtest.Start(t)
	pemKey, err := os.ReadFile(s.Identity)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParseRawPrivateKey(pemKey)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []any{rsaKey, key} {
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "agent"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = agent.ServeAgent(ring, c) // ends with the connection
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	cfg := sshdConfig(s)
	cfg.Identity, cfg.IdentityAgent = "", l.Addr().String()
	c, log := run(t, cfg)
	f := &far{Conduit: c, root: cfg.Root, log: log, sshd: s}
	f.ready(t)
	if _, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, []byte("x")); err != nil {
		t.Error(err)
	}
}

// A server with keys of several types shows the pinned one, not the one that it would prefer.
func TestPinnedTypeIsNegotiated(t *testing.T) {
	dir := t.TempDir()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rsa"), pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sshdtest.Start(t, "HostKey "+filepath.Join(dir, "rsa"))
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"ed25519": func(*Config) {},
		"rsa": func(c *Config) {
			c.KnownHosts, c.HostKey = "", string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
		},
	} {
		cfg := sshdConfig(s)
		change(&cfg)
		c, _ := run(t, cfg)
		if err := c.WaitReady(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
