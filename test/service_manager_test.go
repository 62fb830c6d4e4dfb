// SPDX-License-Identifier: Apache-2.0

package test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The service manager is told when devices are served, that the configuration is read again, that the gateway lives, and that it
// stops (sd_notify(3)). The sandbox does not come between them.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	g := startGateway(t, setup{grace: "10m", env: []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=3000000"}})
	hear := func(want string) string {
		t.Helper()
		if err := manager.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for b := make([]byte, 4096); ; {
			n, err := manager.Read(b)
			if err != nil {
				t.Fatalf("%s was not said: %v", want, err)
			}
			if message := string(b[:n]); strings.HasPrefix(message, want) {
				return message
			}
		}
	}
	if got := hear("READY=1"); got != "READY=1\nSTATUS=1 zones, 1 conduits, 1 devices" {
		t.Errorf("%q", got)
	}
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	g.login(0).put("/event.dat", []byte("x"))
	g.hangUp()
	if got := hear("RELOADING=1"); !strings.Contains(got, "\nMONOTONIC_USEC=") {
		t.Errorf("%q", got)
	}
	if got := hear("READY=1"); strings.Contains(got, "not in force") {
		t.Errorf("%q", got)
	}
	writeFile(t, filepath.Join(g.dir, "ftpgw.hcl"), strings.NewReader("no configuration"))
	g.hangUp()
	hear("RELOADING=1")
	if got := hear("READY=1"); !strings.Contains(got, "not in force") {
		t.Errorf("%q", got)
	}
	g.terminate()
	if got := hear("STOPPING=1"); !strings.Contains(got, "\nEXTEND_TIMEOUT_USEC=630000000") {
		t.Errorf("%q", got)
	}
	<-g.exited
}
