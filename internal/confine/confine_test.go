// SPDX-License-Identifier: Apache-2.0

//go:build linux

package confine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/internal/config"
)

// What confines a process confines it for good, so that each test does it to a process of its own: this program once more, which
// finds an order in its environment and prints what became of it.
const orderVariable = "FTPGW_CONFINE_TEST"

type order struct {
	Rules    Rules
	Required bool
	Harden   bool
	Hide     bool // Landlock is hidden from the process, as on a kernel without it
	Restart  bool // before it applies the rules, if it comes to that
	NoExec   bool // no program can be executed, and so Restart not be done
	NoDial   bool // no connection can be made, whatever the rules say
	Other    bool // the restarted program has other rules than the one before
	Dir      string
	Port     int // of a listener that is none of the rules' business
}

// outcome is what a process could do: the names of the deeds, each with its error or "".
type outcome struct {
	Err    string
	Report Report
	Deeds  map[string]string

	// Where a Restart was ordered.
	Restarted bool
	Refused   string            // what Restart returned, if it did
	Before    map[string]string // Deeds, when it had
	PID       int
	Args      []string
	Inherited []int // descriptors that a program would inherit
	Mark      string
}

func TestMain(m *testing.M) {
	text := os.Getenv(orderVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(o.carryOut()); err != nil {
		panic(err)
	}
}

func (o order) carryOut() (out outcome) {
	if o.Hide {
		if err := refuse(unix.ENOSYS, unix.SYS_LANDLOCK_CREATE_RULESET); err != nil {
			return outcome{Err: "hide Landlock: " + err.Error()}
		}
	}
	if o.Harden {
		if err := errors.Join(Harden(), hardened()); err != nil {
			out.Err = err.Error()
		}
		return out
	}
	if o.Restart {
		return o.restart()
	}
	report, err := Apply(o.Rules, o.Required)
	out.Report = report
	if err != nil {
		out.Err = err.Error()
	}
	out.Deeds = o.try()
	return out
}

// try does all deeds.
func (o order) try() map[string]string {
	done := map[string]string{}
	for name, deed := range o.deeds() {
		done[name] = ""
		if err := deed(); err != nil {
			done[name] = err.Error()
		}
	}
	return done
}

func (o order) deeds() map[string]func() error {
	at := func(elements ...string) string { return filepath.Join(append([]string{o.Dir}, elements...)...) }
	return map[string]func() error{
		"read a file":            func() error { _, err := os.ReadFile(at("named", "file")); return err },
		"read its replacement":   func() error { _, err := os.ReadFile(at("named", "new")); return err },
		"read through a link":    func() error { _, err := os.ReadFile(at("named", "link")); return err },
		"read behind a link":     func() error { _, err := os.ReadFile(at("real", "new")); return err },
		"write a file":           func() error { return os.WriteFile(at("named", "file"), []byte("x"), 0o600) },
		"read another file":      func() error { _, err := os.ReadFile(at("other", "file")); return err },
		"read /etc/passwd":       func() error { _, err := os.ReadFile("/etc/passwd"); return err },
		"store":                  func() error { return store(at("store")) },
		"store elsewhere":        func() error { return store(at("other")) },
		"execute":                func() error { return exec.Command("/bin/true").Run() },
		"listen at a named port": func() error { return listen(o.Rules.Listen[len(o.Rules.Listen)-1].First) },
		"listen at any port":     func() error { return listen(0) },
		"listen elsewhere":       func() error { return listen(o.Rules.Listen[len(o.Rules.Listen)-1].First + 1) },
		"connect":                func() error { return dial(o.Port) },
		"read the control group": func() error { _, err := os.ReadFile("/proc/self/cgroup"); return err },
		"signal the parent":      func() error { return syscall.Kill(os.Getppid(), 0) },
	}
}

func store(dir string) error {
	name := filepath.Join(dir, "new")
	return errors.Join(os.WriteFile(name, []byte("x"), 0o600), os.Rename(name, name+"2"), os.Truncate(name+"2", 0), os.Remove(name+"2"),
		os.Mkdir(name, 0o700), os.Remove(name))
}

func listen(port uint16) error {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
	if err == nil {
		err = l.Close()
	}
	return err
}

func dial(port int) error {
	c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		err = c.Close()
	}
	return err
}

// refuse has the kernel refuse some system calls with an error (seccomp(2), a filter in BPF).
func refuse(with unix.Errno, calls ...uint32) error {
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // the number of the system call
	for _, call := range calls {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(with)})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := ll.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); e != 0 {
		return e
	}
	return nil
}

// inChild carries an order out, in this program.
func inChild(t *testing.T, o order) outcome {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := o.in(t, self)
	return out
}

// in carries an order out in a directory that has all that the deeds need, and returns the ID of the process that did so.
func (o order) in(t *testing.T, program string, more ...string) (out outcome, pid int) {
	t.Helper()
	o.Dir = t.TempDir()
	for _, dir := range []string{"named", "real", "other", "store"} {
		if err := os.Mkdir(filepath.Join(o.Dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"named/file", "named/new", "real/file", "real/new", "other/file"} {
		if err := os.WriteFile(filepath.Join(o.Dir, file), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../real/file", filepath.Join(o.Dir, "named/link")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	free := freePorts(t)
	o.Port = l.Addr().(*net.TCPAddr).Port
	o.Rules.Files = []string{filepath.Join(o.Dir, "named/file"), filepath.Join(o.Dir, "named/link")}
	o.Rules.Trees = []string{"/usr/share/zoneinfo"}
	o.Rules.Stores = []string{filepath.Join(o.Dir, "store")}
	o.Rules.Listen = []config.PortRange{one(0), one(free)}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(append(os.Environ(), orderVariable+"="+string(text)), more...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err := errors.Join(err, json.Unmarshal(answer, &out)); err != nil {
		t.Fatalf("%v\n%s%s", err, answer, stderr.String())
	}
	return out, cmd.Process.Pid
}

// freePorts is the first of two ports that are free, above those of the gateways that package test starts.
func freePorts(t *testing.T) uint16 {
	t.Helper()
	for first := uint16(32000 + os.Getpid()%500); first < 32768; first += 2 {
		if listen(first) == nil && listen(first+1) == nil {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

// needLandlock skips a test where the kernel lacks what it is about, and fails it where nothing may be skipped.
func needLandlock(t *testing.T) {
	t.Helper()
	if abi, err := ll.LandlockGetABIVersion(); err != nil || abi < leastABI {
		if os.Getenv("FTPGW_REQUIRE_REAL") != "" {
			t.Fatalf("this kernel has Landlock %d (%v)", abi, err)
		}
		t.Skipf("this kernel has Landlock %d (%v)", abi, err)
	}
}

// held checks what a process can do that was confined without a port that it may connect to.
func (out outcome) held(t *testing.T) {
	t.Helper()
	if out.Err != "" || out.Report.ABI < leastABI || !strings.Contains(out.Report.String(), "files, TCP ports") {
		t.Fatalf("%s; %s", out.Err, out.Report)
	}
	for _, can := range []string{"read a file", "read its replacement", "read through a link", "read behind a link", "store", "listen at a named port", "listen at any port"} {
		if out.Deeds[can] != "" {
			t.Errorf("cannot %s: %s", can, out.Deeds[can])
		}
	}
	cannot := []string{"write a file", "read another file", "read /etc/passwd", "store elsewhere", "execute", "listen elsewhere", "connect"}
	if out.Report.ABI >= 6 {
		cannot = append(cannot, "signal the parent")
	}
	for _, what := range cannot {
		if !strings.Contains(out.Deeds[what], "permission denied") && !strings.Contains(out.Deeds[what], "not permitted") {
			t.Errorf("can %s: %q", what, out.Deeds[what])
		}
	}
}

// The kernel lets a confined process do what the rules say, and nothing else.
func TestKernelHoldsTheRules(t *testing.T) {
	needLandlock(t)
	for _, required := range []bool{false, true} {
		inChild(t, order{Required: required}).held(t)
	}
}

// A port that the rules name can be connected to.
func TestKernelLetsConnectWhereTheRulesSay(t *testing.T) {
	needLandlock(t)
	out := inChild(t, order{Rules: Rules{Connect: []config.PortRange{span(1024, 65535)}}})
	if out.Err != "" || out.Deeds["connect"] != "" {
		t.Errorf("%s; connect: %s", out.Err, out.Deeds["connect"])
	}
}

// On a kernel without Landlock the gateway runs as it did, and says so; where confinement is required it is told why it cannot be.
func TestKernelWithoutLandlock(t *testing.T) {
	out := inChild(t, order{Hide: true})
	if out.Err != "" || !reflect.DeepEqual(out.Report, Report{}) || out.Report.String() != "not confined: this kernel has no Landlock" {
		t.Errorf("best effort: %s; %+v", out.Err, out.Report)
	}
	for _, what := range []string{"read /etc/passwd", "execute", "connect", "listen elsewhere"} {
		if out.Deeds[what] != "" {
			t.Errorf("best effort: cannot %s: %s", what, out.Deeds[what])
		}
	}
	if out := inChild(t, order{Hide: true, Required: true}); !strings.Contains(out.Err, ErrUnsupported.Error()) {
		t.Errorf("required: %q", out.Err)
	}
}

// Stores that are not there are a mistake of the program, not something to pass over.
func TestStoresMustExist(t *testing.T) {
	needLandlock(t)
	if _, err := Apply(Rules{Stores: []string{filepath.Join(t.TempDir(), "none")}}, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err) // nothing was applied: this process goes on
	}
}

// Harden leaves a process without new privileges, core dumps and a memory that others can read: see hardened.
func TestHarden(t *testing.T) {
	if out := inChild(t, order{Harden: true}); out.Err != "" {
		t.Error(out.Err)
	}
}

// hardened looks at this process.
func hardened() error {
	var errs []error
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(threads) < 2 {
		errs = append(errs, fmt.Errorf("%d threads, %w", len(threads), err))
	}
	for _, file := range threads {
		status, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) || err == nil && !strings.Contains(string(status), "\nNoNewPrivs:\t1\n") {
			errs = append(errs, fmt.Errorf("a thread can gain privileges: %s, %w", file, err))
		}
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Cur != 0 || core.Max != 0 {
		errs = append(errs, fmt.Errorf("core dumps: %+v, %w", core, err))
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		errs = append(errs, fmt.Errorf("dumpable: %d, %w", n, err))
	}
	return errors.Join(errs...)
}
