// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/internal/credential"
)

// newKey makes a private key file's content and the public key's line.
func newKey(t testing.TB) (private []byte, line string) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var wire []byte // RFC 8709, section 4
	for _, field := range [][]byte{[]byte("ssh-ed25519"), public} {
		wire = binary.BigEndian.AppendUint32(wire, uint32(len(field)))
		wire = append(wire, field...)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "ssh-ed25519 " + base64.StdEncoding.EncodeToString(wire)
}

// stageExample copies an example configuration into a new directory, with keys for it.
func stageExample(t testing.TB, example string) string {
	t.Helper()
	source := filepath.Join("../../configs", example)
	dir := t.TempDir()
	target := filepath.Join(dir, filepath.Base(example))
	if filepath.Ext(example) == ".hcl" {
		copyFile(t, source, target)
	} else {
		if err := os.CopyFS(target, os.DirFS(source)); err != nil {
			t.Fatal(err)
		}
		dir = target
	}
	stageKeys(t, dir)
	return target
}

// stageKeys puts the files that the examples refer to into a directory.
func stageKeys(t testing.TB, dir string) {
	t.Helper()
	private, line := newKey(t)
	for _, name := range []string{"id_ed25519", "id_operations", "id_security"} {
		writeFile(t, filepath.Join(dir, name), private, 0o600)
	}
	writeFile(t, filepath.Join(dir, "gateway.key"), private, 0o600)
	for _, name := range []string{"gateway.pem", "devices-ca.pem"} {
		writeFile(t, filepath.Join(dir, name), selfSigned(t, private), 0o644)
	}
	hosts := "sftp.control.example,firmware.engineering.example,[clips.security.example]:2022 " + line + "\n"
	writeFile(t, filepath.Join(dir, "known_hosts"), []byte(hosts), 0o644)
	writeFile(t, filepath.Join(dir, "allowed.sha256"), []byte(strings.Repeat("0", 64)+"  v7.bin\n"), 0o644)
}

// selfSigned makes a certificate for a private key.
func selfSigned(t testing.TB, private []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(private)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: testTime(), NotAfter: testTime().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.(ed25519.PrivateKey).Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, text, 0o644)
}

func writeFile(t testing.TB, name string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, text, mode); err != nil {
		t.Fatal(err)
	}
}

// examples names the example configurations: files and directories of configs. The profiles are none: they are parts of one; nor is
// what the service manager reads.
func examples(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("../../configs")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "profiles" && e.Name() != "systemd" || filepath.Ext(e.Name()) == ".hcl" && !strings.HasSuffix(e.Name(), "_test.hcl") {
			names = append(names, e.Name())
		}
	}
	if len(names) < 3 {
		t.Fatalf("only %d examples in configs", len(names))
	}
	return names
}

// execute runs a command line with an environment of its own.
func execute(t testing.TB, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := environment{
		stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs, getenv: func(string) string { return "" },
		now: testTime,
	}
	status = run(context.Background(), env, args)
	return status, out.String(), errs.String()
}

func TestExamplesAreValid(t *testing.T) {
	for _, example := range examples(t) {
		t.Run(example, func(t *testing.T) {
			path := stageExample(t, example)
			status, stdout, stderr := execute(t, "", "check", "--config", path)
			if status != 0 || stderr != "" || !strings.HasPrefix(stdout, path+" is valid: ") {
				t.Errorf("check: status %d, stdout %q, stderr:\n%s", status, stdout, stderr)
			}
		})
	}
}

func TestExamplesHaveTheDocumentedPassword(t *testing.T) {
	for _, example := range examples(t) {
		cfg, err := config.Load(stageExample(t, example), checks(environment{now: testTime}))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{} // devices share the hash; verifying it once is enough
		for _, d := range cfg.Devices {
			if !seen[d.PasswordHash.Reveal()] && !credential.Verify(d.PasswordHash.Reveal(), []byte("example-password")) {
				t.Errorf("%s: the password of %s is not the documented one", example, d.Name)
			}
			seen[d.PasswordHash.Reveal()] = true
		}
	}
}

// The examples must do what they say. Each case is a line of what a reader would expect of them.
func TestExamplesDecide(t *testing.T) {
	for _, test := range []struct{ example, arguments, want string }{
		{"substation.hcl", "--device relay-12 --op upload --path /events/1.cfg --size 4kB", `allowed by rule "disturbance-records"`},
		{"substation.hcl", "--device relay-12 --op upload --path /events/1.cfg", `allowed by rule "disturbance-records", if the size`},
		{"substation.hcl", "--device relay-12 --op upload --path /events/1.cfg --size 1GiB", "denied: by default"},
		{"substation.hcl", "--device relay-12 --op upload --path /events/a.set --size 1", `denied by rule "no-settings"`},
		{"substation.hcl", "--device relay-12 --op list --path /", `allowed by rule "look-around"`},
		{"substation.hcl", "--device relay-12 --op download --path /events/1.cfg", "denied: by default"},
		{"substation.hcl", "--device relay-13 --from 10.7.0.12 --op list --path /", "denied: no login"},
		{"firmware-relay.hcl", "--device rtu-560 --from 10.20.1.9 --op download --path /v7.bin --size 9MiB", `allowed by rule "firmware"`},
		{"firmware-relay.hcl", "--device rtu-560 --from 10.20.1.9 --op upload --path /v7.bin --size 9MiB", `denied by rule "nothing-else"`},
		{"ftps.hcl", "--zone field --device meter-1 --op upload --path /2026-03-01.csv --size 9kB", `allowed by rule "readings"`},
		{"ftps.hcl", "--zone field-implicit --device meter-1 --op upload --path /config.xml --size 9kB", "denied: by default"},
		{"content.hcl", "--device relay-12 --op upload --path /events/1.cfg", `allowed by rule "records", if the type turns out right`},
		{"content.hcl", "--device relay-12 --op upload --path /events/1.cfg --type text", `denied by rule "records"`},
		{"two-zones", "--zone yard --device camera-gate --op upload --path /2026/clip.mp4 --size 400MB", `conduit "security"`},
		{"two-zones", "--zone bay-7 --device camera-gate --op upload --path /2026/clip.mp4 --size 400MB", "denied: by default"},
		{"two-zones", "--zone yard --device meter-1 --from 10.8.2.77 --op upload --path /load.csv --size 1", `conduit "operations"`},
	} {
		t.Run(fmt.Sprint(test.example, " ", test.arguments), func(t *testing.T) {
			args := append([]string{"explain", "--config", stageExample(t, test.example)}, strings.Fields(test.arguments)...)
			status, stdout, stderr := execute(t, "", args...)
			want := 0
			if strings.HasPrefix(test.want, "denied") {
				want = denied
			}
			if status != want || stderr != "" || !strings.Contains(stdout, test.want) {
				t.Errorf("status %d, want %d with %q\n%s%s", status, want, test.want, stdout, stderr)
			}
		})
	}
}

func testTime() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
