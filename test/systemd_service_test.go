// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// relayPassword is that of the devices in configs.
const relayPassword = "example-password"

// A device that may do everything, and a spool, beside what configs/substation.hcl has.
const meterConfig = `
spool { dir = "/var/lib/ftpgw/spool" }

device "meter" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.7.0.12/32", "198.51.100.5/32"]
}

rule "meters" {
  reason  = "readings, for billing"
  devices = ["meter"]
  allow   = ["upload", "download", "list"]
  paths   = ["/**"]
  deliver { acknowledge = "spooled" }
}
`

// The unit does under a real systemd what docs/operations.md and docs/hardening.md say: installed by the very commands of the document,
// with the example configuration and the addresses of the drop-in as they are delivered.
func TestUnderSystemd(t *testing.T) {
	t.Parallel()
	m := bootMachine(t)
	m.install()
	for _, part := range []struct {
		name string
		test func(*testing.T, *machine)
	}{
		{"confined", underSystemdConfined},
		{"files", underSystemdFiles},
		{"active mode", underSystemdActive},
		{"strangers", underSystemdStrangers},
		{"operators", underSystemdOperators},
		{"reload", underSystemdReload},
		{"killed", underSystemdKilled},
		{"hangs", underSystemdHangs},
		{"stop", underSystemdStop},
		{"elsewhere", underSystemdElsewhere},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			inner := *m
			inner.t = t
			part.test(t, &inner)
		}) {
			t.Fatalf("journal:\n%s", m.journal())
		}
	}
}

// install does what docs/operations.md says, and between its two blocks what it leaves to the operator.
func (m *machine) install() {
	m.t.Helper()
	document, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		m.t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(document), -1)
	if len(blocks) != 2 {
		m.t.Fatalf("docs/operations.md has %d blocks of commands, not 2", len(blocks))
	}
	if err := os.MkdirAll(filepath.Join(m.share, "bin"), 0o755); err != nil {
		m.t.Fatal(err)
	}
	copyProgram(m.t, filepath.Join(m.share, "bin", "ftpgw"))
	if err := os.CopyFS(filepath.Join(m.share, "configs"), os.DirFS("../configs")); err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, "the SFTP server answers", func() bool {
		keys, _ := m.try("ssh-keyscan", "sftp.control.example") // it fails until then
		return strings.Contains(keys, "ssh-ed25519 ")
	})
	m.run("sh", "-exc", "cd /share\n"+blocks[0][1])
	m.run("cp", "/etc/ftpgw/id_ed25519.pub", "/etc/far-side/authorized_keys")
	m.configure("meter.hcl", meterConfig)
	m.run("sh", "-exc", blocks[1][1])
}

// configure writes a file of the configuration.
func (m *machine) configure(name, text string) {
	m.t.Helper()
	writeFile(m.t, m.file("/etc/ftpgw/"+name), strings.NewReader(text))
	m.run("chown", "root:ftpgw", "/etc/ftpgw/"+name)
	m.run("chmod", "640", "/etc/ftpgw/"+name)
}

// setting adds settings to the unit until the test ends.
func (m *machine) setting(lines string) {
	m.t.Helper()
	file := m.file("/run/systemd/system/ftpgw.service.d/test.conf")
	writeFile(m.t, file, strings.NewReader("[Service]\n"+lines+"\n"))
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "ftpgw")
	m.t.Cleanup(func() {
		if err := os.Remove(file); err != nil {
			m.t.Error(err)
		}
	})
}

// login logs in from the address of the devices.
func (m *machine) login(device string) *ftp {
	m.t.Helper()
	f := greeted(m.t, m.connect("10.7.0.12", "10.7.0.1:21"))
	f.authenticate(device, relayPassword)
	return f
}

// awaitState waits until systemd says this of the gateway.
func (m *machine) awaitState(name, value string) {
	m.t.Helper()
	eventually(m.t, name+" of the unit is "+value, func() bool { return m.property(name) == value })
}

// `systemctl start` has returned: devices are served, by a process that may do no more than it must.
func underSystemdConfined(t *testing.T, m *machine) {
	if state, status := m.property("ActiveState"), m.property("StatusText"); state != "active" || status != "1 zones, 1 conduits, 3 devices" {
		t.Errorf("%s, %s", state, status)
	}
	pid := m.property("MainPID")
	m.login("relay-12")
	status := map[string]string{}
	for line := range strings.Lines(m.run("cat", "/proc/"+pid+"/status")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		status[name] = strings.TrimSpace(value)
	}
	for name, want := range map[string]string{
		"CapEff": "0000000000000400", "CapPrm": "0000000000000400", "CapBnd": "0000000000000400", "CapAmb": "0000000000000400",
		"NoNewPrivs": "1", "Seccomp": "2",
	} {
		if status[name] != want {
			t.Errorf("%s of the process is %s, not %s", name, status[name], want)
		}
	}
	if user := m.run("id", "-u", "ftpgw"); !strings.HasPrefix(status["Uid"], user+"\t"+user+"\t") {
		t.Errorf("it runs as %s, not as ftpgw, which is %s", status["Uid"], user)
	}
	if landlockABI() >= 4 && strings.Count(m.journal(), `msg=confined by="Landlock`) != 1 {
		t.Error("it does not say that it is confined")
	}
	if _, does := restarts(); does && !strings.Contains(m.run("cat", "/proc/"+pid+"/environ"), "FTPGW_CONFINED=") {
		t.Error("it was not started once more, so as to be confined from its first instruction on")
	}
	for path, want := range map[string]string{
		"/var/lib/ftpgw": "750 ftpgw", "/var/lib/ftpgw/audit": "700 ftpgw", "/var/lib/ftpgw/state": "700 ftpgw", "/var/lib/ftpgw/spool": "700 ftpgw",
		"/var/lib/ftpgw/state/control.sock": "600 ftpgw", "/var/lib/ftpgw/audit/audit-00000001.jsonl": "600 ftpgw", "/etc/ftpgw": "750 root",
	} {
		if got := m.run("stat", "-c", "%a %U", path); got != want {
			t.Errorf("%s is %s, not %s", path, got, want)
		}
	}
}

// A client sends and fetches files, delivered and spooled ones.
func underSystemdFiles(t *testing.T, m *machine) {
	sent := content(t, 3<<20, 1)
	local := filepath.Join(m.share, "sent.dat")
	writeFile(t, local, bytes.NewReader(sent))
	curl := func(more ...string) {
		t.Helper()
		m.run(append([]string{"curl", "-sS", "--interface", "10.7.0.12"}, more...)...)
	}
	for i, mode := range [][]string{nil, {"-P", "10.7.0.12"}} {
		name := fmt.Sprintf("F%04d.dat", i)
		curl(append(mode, "-T", "/share/sent.dat", "ftp://relay-12:"+relayPassword+"@10.7.0.1/events/"+name)...)
		there := m.file("/ingest/station-12/relay-12/events/" + name)
		if digestFile(t, there) != digestFile(t, local) {
			t.Errorf("%s is another file than was sent", name)
		}
		curl(append(mode, "-T", "/share/sent.dat", "ftp://meter:"+relayPassword+"@10.7.0.1/"+name)...)
		eventually(t, name+" is delivered from the spool", func() bool {
			return !strings.Contains(m.run("ftpgw", "spool", "list", "--config", "/etc/ftpgw"), name)
		})
		back := fmt.Sprintf("/share/back-%d.dat", i)
		curl(append(mode, "-o", back, "ftp://meter:"+relayPassword+"@10.7.0.1/"+name)...)
		if digestFile(t, filepath.Join(m.share, filepath.Base(back))) != digestFile(t, local) {
			t.Errorf("%s came back as another file than was sent", name)
		}
	}
}

// In active mode the gateway connects from port 20, where it listens at 21 (RFC 959, 3.2).
func underSystemdActive(t *testing.T, m *machine) {
	f := m.login("relay-12")
	var l net.Listener
	m.inside(func() (err error) {
		l, err = net.Listen("tcp4", "10.7.0.12:0")
		return err
	})
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	f.expect(200, "PORT 10,7,0,12,%d,%d", port>>8, port&0xff)
	f.expect(150, "NLST")
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if from := conn.RemoteAddr().String(); from != "10.7.0.1:20" {
		t.Errorf("the data connection comes from %s", from)
	}
	_ = conn.Close()
	f.expectReply("NLST", f.read(), 226)
}

// Who is not named in the drop-in is not heard, be he in the configuration.
func underSystemdStrangers(t *testing.T, m *machine) {
	const timedOut = "28"
	out, _ := m.try("sh", "-c", "curl -sS -m 2 --interface 198.51.100.5 ftp://meter:"+relayPassword+"@10.7.0.1/; echo $?")
	if !strings.HasSuffix(out, timedOut) {
		t.Errorf("curl from another address: %s", out)
	}
}

// Root's commands find the gateway from outside of its unit.
func underSystemdOperators(t *testing.T, m *machine) {
	if out := m.run("ftpgw", "status", "--config", "/etc/ftpgw"); !strings.Contains(out, "control-centre: up") || !strings.Contains(out, "pid "+m.property("MainPID")) {
		t.Errorf("status:\n%s", out)
	}
	if out := m.run("ftpgw", "island", "on", "--config", "/etc/ftpgw", "--reason", "incident 4711"); !strings.Contains(out, "nothing crosses") {
		t.Errorf("island on:\n%s", out)
	}
	if out := m.run("ftpgw", "island", "off", "--config", "/etc/ftpgw"); !strings.Contains(out, "island: off") {
		t.Errorf("island off:\n%s", out)
	}
	if out := m.run("ftpgw", "audit", "verify", "--dir", "/var/lib/ftpgw/audit"); !strings.Contains(out, "intact") {
		t.Errorf("audit verify:\n%s", out)
	}
}

// `systemctl reload` is over when the new configuration is in force, and fails where it is not. SIGHUP does the same without a word.
func underSystemdReload(t *testing.T, m *machine) {
	pid := m.property("MainPID")
	m.configure("another.hcl", "device \"relay-14\" {\n  password_hash = \"$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m\"\n  from = [\"10.7.0.12/32\"]\n}\n")
	m.run("systemctl", "reload", "ftpgw")
	m.login("relay-14")
	m.configure("another.hcl", "no configuration")
	if out, err := m.try("systemctl", "reload", "ftpgw"); err == nil {
		t.Errorf("a reload of a broken configuration has succeeded: %s", out)
	}
	if text := m.journal(); !strings.Contains(text, "another.hcl line 1") || !strings.Contains(text, "the old configuration stays in force") {
		t.Error("the journal does not say what is wrong")
	}
	if status := m.property("StatusText"); !strings.HasSuffix(status, "the last configuration that was offered is not in force") {
		t.Errorf("status: %s", status)
	}
	m.login("relay-14")
	m.run("rm", "/etc/ftpgw/another.hcl")
	m.run("systemctl", "kill", "-s", "HUP", "ftpgw")
	m.awaitState("StatusText", "1 zones, 1 conduits, 3 devices")
	m.awaitState("ActiveState", "active") // "reloading" meanwhile
	if now := m.property("MainPID"); now != pid {
		t.Errorf("it was process %s and is %s", pid, now)
	}
}

// A gateway that was killed is started again.
func underSystemdKilled(t *testing.T, m *machine) {
	m.run("systemctl", "kill", "-s", "KILL", "ftpgw")
	m.awaitState("NRestarts", "1")
	m.awaitState("ActiveState", "active")
	m.login("relay-12")
}

// One that hangs is ended with a word about what it was doing, and started again.
func underSystemdHangs(t *testing.T, m *machine) {
	m.setting("WatchdogSec=5s\nRestartSec=100ms")
	m.run("systemctl", "kill", "-s", "STOP", "ftpgw")
	eventually(t, "the gateway is started again", func() bool { return m.property("NRestarts") != "0" })
	m.awaitState("ActiveState", "active")
	m.login("relay-12")
	if text := m.journal(); !strings.Contains(text, "SIGABRT") || !strings.Contains(text, "goroutine ") {
		t.Error("the journal does not say what the gateway was doing")
	}
}

// A transfer that is under way ends in order before the gateway does, also where that takes longer than the unit would wait by itself.
func underSystemdStop(t *testing.T, m *machine) {
	const patient = 5 * time.Second
	m.setting("TimeoutStopSec=" + patient.String())
	f := m.login("relay-12")
	data := m.connect("10.7.0.12", f.epsv())
	f.expect(150, "STOR /events/late.dat")
	sent := content(t, 100_000, 2)
	write(t, data, sent[:50_000])
	m.run("systemctl", "stop", "--no-block", "ftpgw")
	m.awaitState("StatusText", "running transfers may finish")
	if state := m.property("ActiveState"); state != "deactivating" {
		t.Errorf("the unit is %s", state)
	}
	stopping := time.Now()
	eventually(t, "systemd would have waited long enough", func() bool { return time.Since(stopping) > patient+time.Second })
	write(t, data, sent[50_000:])
	if err := data.Close(); err != nil {
		t.Fatal(err)
	}
	f.expectReply("STOR", f.read(), 226)
	m.awaitState("ActiveState", "inactive")
	if result, status := m.property("Result"), m.property("ExecMainStatus"); result != "success" || status != "0" {
		t.Errorf("the unit ended with %s, the program with %s", result, status)
	}
	if got, err := os.ReadFile(m.file("/ingest/station-12/relay-12/events/late.dat")); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("another file is there than was sent: %d bytes, %v", len(got), err)
	}
	out := m.run("ftpgw", "audit", "verify", "--dir", "/var/lib/ftpgw/audit")
	if n := regexp.MustCompile(`records 1 to (\d+)`).FindStringSubmatch(out); n == nil {
		t.Errorf("audit verify: %s", out)
	} else if records, err := strconv.Atoi(n[1]); err != nil || records < 50 {
		t.Errorf("%s records, %v", n[1], err)
	}
}

// The log, the state and the control socket are where a drop-in lets them be.
func underSystemdElsewhere(t *testing.T, m *machine) {
	m.run("install", "-d", "-m", "750", "-o", "ftpgw", "-g", "ftpgw", "/srv/audit")
	m.run("sed", "-i", "s|/var/lib/ftpgw/audit|/srv/audit/log|", "/etc/ftpgw/substation.hcl")
	m.configure("control.hcl", "gateway {\n  control = \"/run/ftpgw/control.sock\"\n}\n")
	m.setting("ReadWritePaths=/srv/audit\nRuntimeDirectory=ftpgw\nRuntimeDirectoryMode=0700")
	if out := m.run("ftpgw", "status", "--config", "/etc/ftpgw"); !strings.Contains(out, "audit log      record ") {
		t.Errorf("status:\n%s", out)
	}
	m.run("systemctl", "reload", "ftpgw")
	m.run("curl", "-sS", "--interface", "10.7.0.12", "-T", "/share/sent.dat", "ftp://relay-12:"+relayPassword+"@10.7.0.1/events/elsewhere.dat")
	m.run("systemctl", "stop", "ftpgw")
	if out := m.run("ftpgw", "audit", "verify", "--dir", "/srv/audit/log"); !strings.Contains(out, "intact") {
		t.Errorf("audit verify:\n%s", out)
	}
}
