// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// inGoroutine is the test for goroutines that it starts: what is fatal ends the goroutine, and the test has failed.
type inGoroutine struct{ testing.TB }

func (g inGoroutine) Fatal(args ...any) {
	g.Helper()
	g.Error(args...)
	runtime.Goexit()
}

func (g inGoroutine) Fatalf(format string, args ...any) {
	g.Helper()
	g.Errorf(format, args...)
	runtime.Goexit()
}

// Fifty devices send and fetch at the same time, each in its own home; nobody gets another one's bytes.
func TestFiftyDevicesAtOnce(t *testing.T) {
	t.Parallel()
	const count, size = 50, 512<<10 + 1
	var devices []device
	for i := range count {
		devices = append(devices, newDevice(fmt.Sprintf("relay-%02d", i)))
	}
	g := startGateway(t, setup{devices: devices})
	var wg, allIn sync.WaitGroup
	allIn.Add(count)
	for i, d := range devices {
		wg.Go(func() {
			in := sync.OnceFunc(allIn.Done)
			defer in() // also where it fails before
			f := login(inGoroutine{t}, g.addr, d.name, d.password)
			data := content(f.t, size, byte(i))
			conn := f.data("STOR /event.dat")
			in()
			allIn.Wait() // fifty data connections are open now
			write(f.t, conn, data)
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			f.expectReply("STOR", f.read(), 226)
			if !bytes.Equal(f.get("RETR /event.dat"), data) {
				t.Errorf("%s: another file came back", d.name)
			}
			f.expect(221, "QUIT")
		})
	}
	wg.Wait()
	for i := range count {
		if digestFile(t, filepath.Join(g.home(i), "event.dat")) != digest(t, pattern(size, byte(i))) {
			t.Errorf("%s: the server has another file than was sent", devices[i].name)
		}
	}
	if n := len(g.recordsOf(audit.TransferCommitted)); n != 2*count {
		t.Errorf("%d transfers on record, want %d", n, 2*count)
	}
}
