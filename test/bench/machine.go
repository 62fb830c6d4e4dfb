// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// rcloneVersion is the one that is measured. It is built from its source, with the one backend and the one server that are needed.
const rcloneVersion = "v1.76.0"

const rcloneMain = `package main

import (
	_ "github.com/rclone/rclone/backend/sftp"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/serve"
	_ "github.com/rclone/rclone/cmd/serve/ftp"
)

func main() { cmd.Main() }
`

// buildGateway builds the program as it is delivered.
func buildGateway(tb testing.TB) string {
	tb.Helper()
	program := tb.TempDir() + "/ftpgw"
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", program, "../../cmd/ftpgw")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build the gateway: %v\n%s", err, out)
	}
	return program
}

// buildRclone builds rclone in a module of its own. Where that does not work it returns why.
func buildRclone(tb testing.TB) (program string, err error) {
	tb.Helper()
	dir := tb.TempDir()
	mod := fmt.Sprintf("module rclonepeer\n\ngo 1.25\n\nrequire github.com/rclone/rclone %s\n", rcloneVersion)
	for name, text := range map[string]string{"go.mod": mod, "main.go": rcloneMain} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	for _, args := range [][]string{{"mod", "tidy"}, {"build", "-trimpath", "-o", "rclone", "."}} {
		build := exec.Command("go", args...)
		build.Dir = dir
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, lines[len(lines)-1])
		}
	}
	return dir + "/rclone", nil
}

// describeMachine says what the numbers were measured on.
func describeMachine(dir string) []string {
	kernel := "unknown"
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		kernel = string(bytes.TrimRight(u.Release[:], "\x00"))
	}
	lines := []string{
		fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), procLine("/proc/cpuinfo", "model name"), runtime.GOARCH),
		"memory: " + gigabytes(procLine("/proc/meminfo", "MemTotal")),
		"Linux " + kernel + ", " + fileSystem(dir),
		runtime.Version(),
	}
	if out, err := exec.Command("ssh", "-V").CombinedOutput(); err == nil {
		version, _, _ := strings.Cut(string(out), ",")
		lines = append(lines, strings.TrimSpace(version))
	}
	return append(lines, "rclone "+rcloneVersion)
}

func gigabytes(kib string) string {
	n, err := strconv.ParseFloat(strings.TrimSuffix(kib, " kB"), 64)
	if err != nil {
		return kib
	}
	return fmt.Sprintf("%.0f GiB", n/(1<<20))
}

// procLine is the value of the first line with this name.
func procLine(file, name string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// fileSystem names the kind of file system that dir is on: what an fsync costs depends on it.
func fileSystem(dir string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "unknown file system"
	}
	names := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlayfs"}
	if name, ok := names[st.Type]; ok {
		return name
	}
	return fmt.Sprintf("file system %#x", st.Type)
}

// load is how busy the machine was with other things: the load average of the last minute.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}
