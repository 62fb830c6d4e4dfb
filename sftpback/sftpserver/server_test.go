// SPDX-License-Identifier: Apache-2.0

package sftpserver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect starts a server on dir and logs in as user with the key file.
func connect(t *testing.T, dir, user string, otherKey bool) (*Server, *sftp.Client, error) {
	t.Helper()
	keys := t.TempDir()
	line, err := NewClientKey(filepath.Join(keys, "id"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(context.Background(), Options{Dir: dir, User: "ftpgw", AuthorizedKey: line})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	use := filepath.Join(keys, "id")
	if otherKey {
		use = filepath.Join(keys, "other")
		if _, err := NewClientKey(use); err != nil {
			t.Fatal(err)
		}
	}
	pem, err := os.ReadFile(use)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKeyLine()))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ssh.Dial("tcp", s.Addr(), &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(host),
	})
	if err != nil {
		return s, nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	c, err := sftp.NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return s, c, nil
}

func TestLogin(t *testing.T) {
	for name, c := range map[string]struct {
		user  string
		other bool
		ok    bool
	}{
		"right": {"ftpgw", false, true}, "other user": {"root", false, false}, "other key": {"ftpgw", true, false},
	} {
		if _, _, err := connect(t, t.TempDir(), c.user, c.other); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfined(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "srv")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(base, "secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"up": "..", "abs": base, "file": "../secret", "absfile": base + "/secret"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	_, c, err := connect(t, dir, "ftpgw", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/up/secret", "/abs/secret", "/file", "/absfile", "/../secret", "/../../../../etc/passwd"} {
		if _, err := c.Open(p); !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open %s: %v", p, err)
		}
		if _, err := c.RealPath(p); err == nil {
			t.Errorf("RealPath %s succeeds", p)
		}
		if err := c.Rename(p, "/got"); err == nil && !strings.HasSuffix(p, "file") {
			t.Errorf("Rename %s succeeds", p)
		}
	}
	for _, p := range []string{"/up", "/abs"} {
		if _, err := c.ReadDir(p); err == nil {
			t.Errorf("ReadDir %s succeeds", p)
		}
		if err := c.Mkdir(p + "/new"); err == nil {
			t.Errorf("Mkdir below %s succeeds", p)
		}
		if err := c.Chmod(p+"/secret", 0); err == nil {
			t.Errorf("Chmod below %s succeeds", p)
		}
		if err := c.PosixRename("/up", p+"/new"); err == nil {
			t.Errorf("PosixRename below %s succeeds", p)
		}
	}
	if err := c.Symlink("/etc", "/etc"); err == nil {
		t.Error("a link was made")
	}
	if info, err := os.Stat(filepath.Join(base, "secret")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the secret: %v, %v", info, err)
	}
	if entries, err := os.ReadDir(base); err != nil || len(entries) != 2 {
		t.Errorf("outside: %v, %v", entries, err)
	}
}

// No error text tells where the directory is on this machine.
func TestErrorsKeepPathsToThemselves(t *testing.T) {
	dir := t.TempDir()
	_, c, err := connect(t, dir, "ftpgw", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"mkdir":  c.Mkdir("/x"),
		"rename": c.Rename("/x", "/x"),
		"rmdir":  c.RemoveDirectory("/x"),
		"chmod":  c.Chmod("/none", 0),
	} {
		if err == nil || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCloseEndsSessions(t *testing.T) {
	s, c, err := connect(t, t.TempDir(), "ftpgw", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Stat("/"); err == nil {
		t.Error("a closed server answers")
	}
	if !strings.HasPrefix(s.KnownHostsLine(), "[127.0.0.1]:") {
		t.Errorf("known hosts line %q", s.KnownHostsLine())
	}
}

func TestContextEndsServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	line, err := NewClientKey(filepath.Join(t.TempDir(), "id"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(ctx, Options{Dir: t.TempDir(), User: "u", AuthorizedKey: line})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	s.wg.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Start(t.Context(), Options{Dir: "/none", AuthorizedKey: line}); err == nil {
		t.Error("a missing directory is served")
	}
	if _, err := Start(t.Context(), Options{Dir: t.TempDir(), AuthorizedKey: "x"}); err == nil {
		t.Error("a bad key is accepted")
	}
}
