// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"net"
	"testing"
	"time"
)

// A device may take as long as it wants while it makes progress: both ways, for longer in total than either timeout allows for
// silence.
func TestSlowDevice(t *testing.T) {
	const silence, step, steps = 2 * time.Second, 50 * time.Millisecond, 50
	f := start(t, func(z *Zone) { z.StallTimeout, z.IdleTimeout = silence, silence })
	c := f.login(t)
	conn := c.dialData(c.pasv())
	c.cmd(150, "STOR x")
	for range steps {
		time.Sleep(step) // the device is slow
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(226)
	if data, _ := f.remote.Get("/relay/x"); len(data) != steps {
		t.Errorf("%d bytes arrived", len(data))
	}
	c.cmd(200, "NOOP")
}

// The deadline is never nearer than the zone allows a device to be silent, whenever the last byte came.
func TestDeadlineByProgress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	d := newDataConn(t.Context(), conn.(*net.TCPConn), progress{stall: time.Hour})
	for _, left := range []time.Duration{-time.Hour, 0, time.Minute, 59 * time.Minute, 61 * time.Minute, 75 * time.Minute} {
		d.deadline = time.Now().Add(left)
		before := time.Now()
		if err := d.extend(); err != nil {
			t.Fatal(err)
		}
		if got := d.deadline.Sub(before); got < time.Hour || got > 2*time.Hour {
			t.Errorf("%s before the deadline it was moved to %s from now", left, got)
		}
	}
}
