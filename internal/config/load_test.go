// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func updating() bool { return flag.Lookup("update").Value.String() == "true" }

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite golden files and the reference instead of comparing with them")
	os.Exit(m.Run())
}

// fakeChecks judge files by what is written in them, so that the tests need no keys.
func fakeChecks() Checks {
	complaint := func(file string) error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(text), "bad: ") {
			return errors.New(strings.TrimPrefix(string(text), "bad: "))
		}
		return nil
	}
	return Checks{
		Identity: complaint,
		HostKey: func(line string) error {
			if !strings.HasPrefix(line, "ssh-") {
				return fmt.Errorf("%q is not a public key", line)
			}
			return nil
		},
		KnownHosts: func(file, address string) error {
			if address == "other.example:22" {
				return fmt.Errorf("there is no entry for %s", address)
			}
			return complaint(file)
		},
		Certificate: func(certificate, privateKey string) error {
			return errors.Join(complaint(certificate), complaint(privateKey))
		},
		ClientCA: complaint,
		AgeRecipient: func(text string) error {
			if !strings.HasPrefix(text, "age1") {
				return errors.New("it is not a public key of age")
			}
			return nil
		},
		AgeIdentity: func(file, _ string) error { return complaint(file) },
	}
}

// stage copies a scenario into a directory with the files that it refers to.
func stage(t *testing.T, scenario string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	text, err := os.ReadFile(scenario)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"id_ed25519":    {"key", 0o600},
		"id_readable":   {"key", 0o640},
		"id_garbage":    {"bad: this is not a private key", 0o600},
		"id_passphrase": {"bad: the private key is protected by a passphrase", 0o600},
		"known_hosts":   {"entries", 0o644},
		"allowed.sha256": {"# released\n2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  a.bin\n" +
			"\\2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9825 *b\\\\.bin\n", 0o644},
		"gateway.pem":           {"certificate", 0o644},
		"gateway.key":           {"key", 0o600},
		"expired.pem":           {"bad: the certificate expired on a day in the past", 0o644},
		"devices-ca.pem":        {"authorities", 0o644},
		"no-ca.pem":             {"bad: the file holds no certificate in PEM form", 0o644},
		filepath.Base(scenario): {string(text), 0o644},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content.text), content.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, content.mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
	}
	return dir, filepath.Join(dir, filepath.Base(scenario))
}

// diagnostics loads a file that must be wrong and returns what is said about it, with DIR for its directory.
func diagnostics(t *testing.T, dir, path string) (string, *DiagnosticsError) {
	t.Helper()
	c, err := Load(path, fakeChecks())
	var de *DiagnosticsError
	if !errors.As(err, &de) {
		t.Fatalf("Load returned %v and error %v, want a *DiagnosticsError", c, err)
	}
	if c != nil {
		t.Errorf("Load returned a configuration with an error")
	}
	var out strings.Builder
	if err := de.WriteText(&out, 100, false); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%v\n", de)
	// Paths have other lengths elsewhere, which would move the line breaks of wrapped details.
	return unwrap(strings.ReplaceAll(out.String(), dir, "DIR")), de
}

// unwrap joins the lines of each paragraph of a detail; snippets, which start with blanks, stay as they are.
func unwrap(text string) string {
	var out strings.Builder
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		next := ""
		if i+1 < len(lines) {
			next = lines[i+1]
		}
		if plain(line) && plain(next) {
			line = strings.TrimSuffix(line, "\n") + " "
		}
		out.WriteString(line)
	}
	return out.String()
}

func plain(line string) bool {
	return strings.TrimSpace(line) != "" && line[0] != ' ' && !strings.HasPrefix(line, "Error: ")
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".hcl")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, staged := stage(t, file)
			if strings.HasPrefix(name, "valid-") {
				c, err := Load(staged, fakeChecks())
				if err != nil {
					got, _ := diagnostics(t, dir, staged)
					t.Fatal(got)
				}
				golden(t, strings.TrimSuffix(file, ".hcl")+".golden", strings.ReplaceAll(describe(c), dir, "DIR"))
				return
			}
			got, _ := diagnostics(t, dir, staged)
			golden(t, strings.TrimSuffix(file, ".hcl")+".golden", got)
		})
	}
}

// describe shows everything that is in a configuration.
func describe(c *Config) string {
	var out strings.Builder
	fmt.Fprintf(&out, "gateway %+v\nisland  %v %s\nlimits  %+v\naudit   %+v\nfiles   %v\n", c.Gateway, c.Island, c.IslandMode, c.Limits, c.Audit, c.Files)
	for _, z := range c.Zones {
		fmt.Fprintf(&out, "zone    %+v\n", z)
	}
	for _, k := range c.Conduits {
		fmt.Fprintf(&out, "conduit %+v\n", k)
	}
	for _, d := range c.Devices {
		fmt.Fprintf(&out, "device  %+v\n", d)
	}
	for _, r := range c.Policy.Rules() {
		fmt.Fprintf(&out, "rule    %+v\n", r)
	}
	return out.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if updating() {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (rewrite it with -update)\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

func TestFiveMistakesAreFiveDiagnostics(t *testing.T) {
	dir, file := stage(t, "testdata/five.hcl")
	text, de := diagnostics(t, dir, file)
	if n := strings.Count(text, "Error: "); de.Count() != 5 || n != 5 {
		t.Errorf("Count is %d and %d are written, want 5:\n%s", de.Count(), n, text)
	}
	if want := "5 errors in " + file; de.Error() != want {
		t.Errorf("Error is %q, want %q", de.Error(), want)
	}
}

func TestTwelveMistakesInAPolicyAreTwelveDiagnostics(t *testing.T) {
	dir, file := stage(t, "testdata/rule-when.hcl")
	text, de := diagnostics(t, dir, file)
	if n := strings.Count(text, "Error: "); de.Count() != 12 || n != 12 {
		t.Errorf("Count is %d and %d are written, want 12:\n%s", de.Count(), n, text)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	for _, scenario := range []string{"unknown-password", "device-values"} {
		dir, file := stage(t, "testdata/"+scenario+".hcl")
		text, _ := diagnostics(t, dir, file)
		for _, secret := range []string{"hunter2", `"secret"`, "$2a$15$"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s:\n%s", scenario, secret, text)
			}
		}
	}
}

func TestDirectoryIsOneConfiguration(t *testing.T) {
	dir, file := stage(t, "testdata/valid-minimal.hcl")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	zone, rest, ok := strings.Cut(string(whole), "conduit \"")
	if !ok {
		t.Fatal("the scenario has no conduit")
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("valid-minimal.hcl", "conduit \""+rest)
	write("00-zone.hcl", zone)
	write("notes.txt", "not a configuration")
	write(".#valid-minimal.hcl", "not a configuration")
	c, err := Load(dir, fakeChecks())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "00-zone.hcl"), filepath.Join(dir, "valid-minimal.hcl")}
	if fmt.Sprint(c.Files) != fmt.Sprint(want) {
		t.Errorf("Files = %v, want %v", c.Files, want)
	}
	if c.Audit.Dir != filepath.Join(dir, "audit") {
		t.Errorf("Audit.Dir = %q is not below the directory", c.Audit.Dir)
	}

	write("00-zone.hcl", zone+"\nzone \"x\" { lsten = 1 }\n")
	write("valid-minimal.hcl", "conduit \""+rest+"\nrule \"\" {}\n")
	text, de := diagnostics(t, dir, dir)
	if de.Count() < 3 || !strings.Contains(text, "00-zone.hcl line") || !strings.Contains(text, "valid-minimal.hcl line") {
		t.Errorf("mistakes in two files are not all reported:\n%s", text)
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.hcl")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.hcl"): "no such file",
		t.TempDir():                    "holds no file whose name ends in .hcl",
		large:                          "larger than",
	} {
		if text, _ := diagnostics(t, dir, path); !strings.Contains(text, want) {
			t.Errorf("Load of %s says %q, want %q", path, text, want)
		}
	}
}

func TestChecksAreNotOptional(t *testing.T) {
	_, file := stage(t, "testdata/valid-minimal.hcl")
	if c, err := Load(file, Checks{}); err == nil || c != nil {
		t.Errorf("Load without checks returned %v, %v", c, err)
	}
}

func TestDigest(t *testing.T) {
	load := func(change func(string) string) string {
		t.Helper()
		_, file := stage(t, "testdata/valid-minimal.hcl")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(change(string(text))), 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, fakeChecks())
		if err != nil {
			t.Fatal(err)
		}
		return c.Digest
	}
	same := func(s string) string { return s }
	first, again := load(same), load(same)
	changed := load(func(s string) string { return s + "# a remark\n" })
	if first != again {
		t.Error("the digest hangs on where the file lies")
	}
	if first == changed {
		t.Error("the digest does not change with the file")
	}
	if len(first) != 64 {
		t.Errorf("the digest %q is not a SHA-256", first)
	}
}

// A list of digests is part of the configuration: what is in force is known by the configuration's digest.
func TestDigestCoversListsOfDigests(t *testing.T) {
	_, file := stage(t, "testdata/valid-everything.hcl")
	first, err := Load(file, fakeChecks())
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(filepath.Dir(file), "allowed.sha256")
	if err := os.WriteFile(list, []byte(strings.Repeat("0", 64)+"  x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if changed, err := Load(file, fakeChecks()); err != nil || changed.Digest == first.Digest {
		t.Errorf("the digest does not change with the list: %v", err)
	}
}

func TestColorIsOptional(t *testing.T) {
	_, file := stage(t, "testdata/five.hcl")
	_, err := Load(file, fakeChecks())
	var de *DiagnosticsError
	if !errors.As(err, &de) {
		t.Fatal(err)
	}
	for color, want := range map[bool]bool{true: true, false: false} {
		var out strings.Builder
		if err := de.WriteText(&out, 80, color); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "\x1b["); got != want {
			t.Errorf("color %v: escape sequences %v", color, got)
		}
	}
}
