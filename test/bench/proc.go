// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// process is what /proc tells of a running program.
type process int

// clockTick is USER_HZ, in which the kernel shows CPU times: 100 on every architecture of Linux that we build for.
const clockTick = time.Second / 100

// cpu is the time that all threads of the process have spent, in user and system mode (proc_pid_stat(5): fields 14 and 15).
func (p process) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(p.file("stat"))
	if err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", p, err)
	}
	text := string(raw)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the second field may hold anything
	if len(fields) < 13 {
		return 0, fmt.Errorf("CPU time of process %d: %q", p, text)
	}
	var ticks time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", p, err)
		}
		ticks += time.Duration(n)
	}
	return ticks * clockTick, nil
}

// usage is what the processors of the machine have done, in ticks of the clock.
type usage struct{ busy, idle int64 }

// machineUsage is what they have done since the machine was started (proc_stat(5)).
func machineUsage() (usage, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return usage{}, fmt.Errorf("use of the processors: %w", err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return usage{}, fmt.Errorf("use of the processors: %q", line)
	}
	var u usage
	for i, f := range fields[1:9] { // what follows is part of the first two
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("use of the processors: %w", err)
		}
		if i == 3 || i == 4 { // idle, and idle while something waits for a disk
			u.idle += n
		} else {
			u.busy += n
		}
	}
	return u, nil
}

func (u usage) since(before usage) usage { return usage{u.busy - before.busy, u.idle - before.idle} }

// share is the part of the time in which the processors were busy, 0 for none.
func (u usage) share() float64 {
	if u.busy+u.idle == 0 {
		return 0
	}
	return float64(u.busy) / float64(u.busy+u.idle)
}

// resident and peak are the bytes of memory that the process has in use, now and at most since forgetPeak.
func (p process) resident() (int64, error) { return p.status("VmRSS") }
func (p process) peak() (int64, error)     { return p.status("VmHWM") }

// forgetPeak lets the peak begin anew (proc_pid_clear_refs(5)).
func (p process) forgetPeak() error {
	if err := os.WriteFile(p.file("clear_refs"), []byte("5"), 0); err != nil {
		return fmt.Errorf("reset the peak memory of process %d: %w", p, err)
	}
	return nil
}

func (p process) status(name string) (int64, error) {
	raw, err := os.ReadFile(p.file("status"))
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", p, err)
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("memory of process %d: no %s", p, name)
}

func (p process) file(name string) string { return fmt.Sprintf("/proc/%d/%s", int(p), name) }
