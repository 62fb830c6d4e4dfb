// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// On an island every session gets a 421 and ends, idle or in the middle of a transfer, which is aborted; a new one gets it instead
// of the greeting. Afterwards all is as before.
func TestIsland(t *testing.T) {
	f := start(t, nil)
	idle, busy := f.login(t), f.login(t)
	busy.dialData(busy.pasv())
	busy.cmd(150, "STOR x")
	f.front.SetIsland(true)
	idle.expect(421)
	busy.expect(421)
	if r := f.waitFor(t, audit.TransferAborted, 1)[0]; r.Cause != errIsland.Error() {
		t.Errorf("cause %q", r.Cause)
	}
	if _, ok := f.remote.Get("/relay/x"); ok {
		t.Error("the upload was published")
	}
	conn, err := net.Dial("tcp", f.front.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "421 ") {
		t.Errorf("a new connection got %q, %v", line, err)
	}
	if rest, err := r.ReadString('\n'); err == nil {
		t.Errorf("behind the 421: %q", rest)
	}
	f.front.SetIsland(false)
	f.login(t).cmd(200, "NOOP")
}
