// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// The gateway is killed with SIGKILL while several devices talk to it, again and again on the same log. Whatever reply a device has got
// has its record, word for word, and the log is intact. With FTPGW_SOAK set the gateway dies 500 times.
func TestKilledInMidAppend(t *testing.T) {
	t.Parallel()
	lives := often(5, 500)
	g := startGateway(t, setup{})
	answered := map[string]int{} // argument of a command, and the code of its reply
	for life := range lives {
		var mu sync.Mutex
		var talking sync.WaitGroup
		var count atomic.Int64
		for device := range 4 {
			talking.Go(func() {
				talk(g, func(arg string, code int) {
					mu.Lock()
					answered[arg] = code
					mu.Unlock()
					if count.Add(1) == int64(20+13*life%200) {
						_ = g.cmd.Process.Signal(syscall.SIGKILL)
					}
				}, fmt.Sprintf("%d-%d", life, device))
			})
		}
		talking.Wait()
		<-g.exited
		g.startAgain()
	}
	onRecord := map[string]int{}
	for _, r := range g.recordsOf(audit.Command) {
		if r.Verb == "CWD" {
			onRecord[r.Args] = r.Code
		}
	}
	for arg, code := range answered {
		if onRecord[arg] != code {
			t.Errorf("CWD %s was answered with %d, on record is %d", arg, code, onRecord[arg])
		}
	}
	if len(answered) < 20*lives {
		t.Errorf("only %d commands were answered", len(answered))
	}
	t.Logf("%d commands were answered in %d lives", len(answered), lives)
}

// talk logs in and sends one command after another until the gateway is gone. Each has an argument of its own.
func talk(g *gw, answer func(arg string, code int), name string) {
	conn, err := net.DialTimeout("tcp", g.addr, patience)
	if err != nil {
		return // it was killed before
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return
	}
	f := &ftp{t: g.t, conn: conn, in: bufio.NewReader(conn)}
	if _, err := f.tryRead(); err != nil {
		return
	}
	for _, line := range []string{"USER " + g.devices[0].name, "PASS " + g.devices[0].password} {
		if _, err := f.exchange(line); err != nil {
			return
		}
	}
	for i := 0; ; i++ {
		arg := fmt.Sprintf("/%s-%d", name, i)
		r, err := f.exchange("CWD " + arg)
		if err != nil {
			return
		}
		answer(arg, r.code)
	}
}

// exchange is cmd for a gateway that may be killed.
func (f *ftp) exchange(line string) (reply, error) {
	if _, err := fmt.Fprintf(f.conn, "%s\r\n", strings.TrimSpace(line)); err != nil {
		return reply{}, err
	}
	return f.tryRead()
}
