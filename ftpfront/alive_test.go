// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// A front gives signs of life as often as it is asked, and serves devices as before.
func TestAlive(t *testing.T) {
	f := start(t, nil)
	c := f.login(t)
	for range 3 {
		if err := f.front.Alive(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.cmd(200, "NOOP")
		f.login(t)
	}
	f.stop()
	<-f.done
	if err := f.front.Alive(t.Context()); err != nil {
		t.Errorf("at the end: %v", err)
	}
}

// A zone in which nobody accepts is not alive; when somebody does again, devices that have waited are let in.
func TestAliveNoticesThatNobodyAccepts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	z := &zone{Zone: Zone{Name: "bay"}, listener: l}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := (&Front{zones: []*zone{z}}).Alive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	device, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	_ = conn.Close()
}
