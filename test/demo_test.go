// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The demo relays, shows its evidence and exits 0. It fails by itself where a digest differs or what is forbidden is not refused.
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := exec.Command(binary(t), "demo", "--once", "--dir", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := string(out)
	for want, n := range map[string]int{
		"the same": 3, "< 226 Transfer complete.": 4, "< 550 Permission denied.": 1,
		`"event":"transfer.committed"`: 4, `"event":"decision.denied"`: 1, "Ctrl-C": 0, "PASS ****": 4,
	} {
		if got := strings.Count(text, want); got != n {
			t.Errorf("%q stands %d times, want %d", want, got, n)
		}
	}
	for _, name := range []string{"ftpgw.hcl", "far/ingest/firmware/rtu-v2.bin", "far/ingest/relay-12/events/F0001.dat"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	// A second run in the same place works, too, and what it left is a configuration that can be checked.
	if out, err := exec.Command(binary(t), "demo", "--once", "--dir", dir).CombinedOutput(); err != nil {
		t.Errorf("second run: %v\n%s", err, out)
	}
	if out, err := exec.Command(binary(t), "check", "--config", filepath.Join(dir, "ftpgw.hcl")).CombinedOutput(); err != nil {
		t.Errorf("check: %v\n%s", err, out)
	}
}

// Without --once the demo says what to type, shows live what happens, and ends with 0 at Ctrl-C, leaving nothing behind.
func TestDemoLive(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	tmp := t.TempDir()
	cmd := exec.Command(binary(t), "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(stdout)
	url := ""
	awaitLine := func(words string) {
		t.Helper()
		for lines.Scan() {
			if _, rest, ok := strings.Cut(lines.Text(), "curl ftp://rtu-3"); ok {
				url = "ftp://rtu-3" + strings.Fields(rest)[0]
			}
			if strings.Contains(lines.Text(), words) {
				return
			}
		}
		t.Fatalf("the demo ended before %q: %v", words, lines.Err())
	}
	awaitLine("until Ctrl-C")
	if out, err := exec.Command("curl", "-sS", "-o", "/dev/null", url).CombinedOutput(); err != nil {
		t.Fatalf("curl %s: %v\n%s", url, err, out)
	}
	awaitLine("transfer.committed: download /rtu-v2.bin, rule firmware-to-rtu")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the demo ended with %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(tmp, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
