// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// twoZones are three networks: a bay with a device and a centre with the SFTP server, each on a cable to an appliance that has a leg in both.
//
//	device 198.18.1.2 --- 198.18.1.1 appliance 198.18.2.1 --- 198.18.2.2 server
//
// Each side has a route to the other by the appliance, as an attacker would set it.
type twoZones struct {
	t                         testing.TB
	bay, appliance, centre    string // network namespaces
	device, front, back, host string // addresses
}

func newTwoZones(t testing.TB) *twoZones {
	t.Helper()
	need(t, "ip", "busybox")
	id := fmt.Sprintf("%d-%d", os.Getpid(), nextBlock.Add(1))
	z := &twoZones{
		t: t, bay: "fgbay" + id, appliance: "fgapp" + id, centre: "fgcen" + id,
		device: "198.18.1.2", front: "198.18.1.1", back: "198.18.2.1", host: "198.18.2.2",
	}
	for _, space := range []string{z.bay, z.appliance, z.centre} {
		if out, err := exec.Command("ip", "netns", "add", space).CombinedOutput(); err != nil {
			cannot(t, "this process may not make network namespaces: %s", out)
		}
		t.Cleanup(func() { z.must("ip", "netns", "del", space) })
		z.must("ip", "-n", space, "link", "set", "lo", "up")
	}
	z.cable(z.bay, z.device, "bay0", z.front)
	z.cable(z.centre, z.host, "cen0", z.back)
	z.forwarding(false) // a namespace may begin with what its maker has
	return z
}

// cable joins a namespace to the appliance.
func (z *twoZones) cable(space, there, here, gateway string) {
	z.t.Helper()
	z.must("ip", "-n", z.appliance, "link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", space)
	z.must("ip", "-n", z.appliance, "addr", "add", gateway+"/24", "dev", here)
	z.must("ip", "-n", z.appliance, "link", "set", here, "up")
	z.must("ip", "-n", space, "addr", "add", there+"/24", "dev", "eth0")
	z.must("ip", "-n", space, "link", "set", "eth0", "up")
	z.must("ip", "-n", space, "route", "add", "default", "via", gateway)
}

func (z *twoZones) must(args ...string) {
	z.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		z.t.Fatalf("%q: %v: %s", args, err, out)
	}
}

// forwarding has the appliance's kernel forward packets, or not.
func (z *twoZones) forwarding(on bool) {
	z.t.Helper()
	n := "0"
	if on {
		n = "1"
	}
	in(z.t, z.appliance, func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte(n), 0o644)
	})
}

// start runs a gateway in the appliance, before an SFTP server in the centre. The zone listens at listen.
func (z *twoZones) start(listen, zone, conduit, gateway string) *gw {
	z.t.Helper()
	var server *sshdtest.Server
	in(z.t, z.centre, func() error { server = sshdtest.StartAt(z.t, z.host); return nil })
	return startGateway(z.t, setup{
		server: server, host: listen, under: []string{"ip", "netns", "exec", z.appliance},
		from: `, "198.18.1.0/24"`, zone: zone, conduit: conduit, gateway: gateway,
	})
}

// reach tries to have a packet of each kind answered by an address, from a namespace, and names those that were.
func (z *twoZones) reach(space, addr string, port int) (answered []string) {
	z.t.Helper()
	if err := exec.Command("ip", "netns", "exec", space, "busybox", "ping", "-c", "2", "-W", "1", "-q", addr).Run(); err == nil {
		answered = append(answered, "ICMP")
	}
	for _, network := range []string{"tcp", "udp"} {
		in(z.t, space, func() error {
			conn, err := net.DialTimeout(network, net.JoinHostPort(addr, fmt.Sprint(port)), 2*time.Second)
			if err != nil {
				return nil
			}
			defer conn.Close()
			if network == "udp" {
				_, _ = conn.Write([]byte("x"))
				_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
				if _, err := conn.Read(make([]byte, 10)); err != nil {
					return nil
				}
			}
			answered = append(answered, strings.ToUpper(network))
			return nil
		})
	}
	return answered
}

// echo answers UDP at an address until the test ends.
func (z *twoZones) echo(space, addr string) (port int) {
	z.t.Helper()
	in(z.t, space, func() error {
		c, err := net.ListenPacket("udp", addr+":0")
		if err != nil {
			return err
		}
		port = c.LocalAddr().(*net.UDPAddr).Port
		z.t.Cleanup(func() { _ = c.Close() })
		go func() {
			for b := make([]byte, 10); ; {
				n, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				_, _ = c.WriteTo(b[:n], from)
			}
		}()
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", addr, port))
		if err != nil {
			return err
		}
		z.t.Cleanup(func() { _ = l.Close() })
		return nil
	})
	return port
}

// Between two zones a file passes, and nothing else: no packet of any kind goes from one side to the other, in neither direction, and the
// device reaches nothing of the appliance but the ports of FTP.
func TestTwoZones(t *testing.T) {
	t.Parallel()
	z := newTwoZones(t)
	g := z.start(z.front, `interface = "bay0"`, fmt.Sprintf("interface = %q\n  source_address = %q", "cen0", z.back), `forwarding = "refuse"`)
	f := greeted(t, dialIn(t, z.bay, g.addr))
	f.authenticate(g.devices[0].name, g.devices[0].password)
	conn := dialIn(t, z.bay, f.epsv())
	f.expect(150, "STOR /event.dat")
	write(t, conn, content(t, 300_000, 1))
	_ = conn.Close()
	f.expectReply("STOR", f.read(), 226)
	if got, err := os.ReadFile(filepath.Join(g.home(0), "event.dat")); err != nil || !bytes.Equal(got, content(t, 300_000, 1)) {
		t.Errorf("across the conduit are %d bytes, %v", len(got), err)
	}

	far, near := z.echo(z.centre, z.host), z.echo(z.bay, z.device)
	if got := z.reach(z.bay, z.host, far); len(got) > 0 {
		t.Errorf("the device reaches the server's side by %q", got)
	}
	if got := z.reach(z.centre, z.device, near); len(got) > 0 {
		t.Errorf("the server's side reaches the device by %q", got)
	}
	// The same ways lead somewhere in the own network: the probes can see what they look for.
	if got := z.reach(z.appliance, z.host, far); len(got) != 3 {
		t.Errorf("the appliance reaches the server's side by %q only", got)
	}
	z.onlyFTP(g)
}

// onlyFTP tries every port of the appliance from the bay, at both of its addresses.
func (z *twoZones) onlyFTP(g *gw) {
	z.t.Helper()
	_, control, err := net.SplitHostPort(g.addr)
	if err != nil {
		z.t.Fatal(err)
	}
	for _, addr := range []string{z.front, z.back} {
		var open []string
		in(z.t, z.bay, func() error {
			for port := 1; port <= 65535; port++ {
				c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", addr, port), 5*time.Second)
				if err == nil {
					open = append(open, fmt.Sprint(port))
					_ = c.Close()
				}
			}
			return nil
		})
		want := ""
		if addr == z.front {
			want = control // the passive ports are open while a transfer needs them
		}
		if got := strings.Join(open, " "); got != want {
			z.t.Errorf("at %s the device reaches the ports %q, want %q", addr, got, want)
		}
	}
}

// A zone that listens at all addresses, but by its own interface, is not reached from the other side.
func TestZoneHearsItsInterfaceOnly(t *testing.T) {
	t.Parallel()
	z := newTwoZones(t)
	g := z.start("0.0.0.0", `interface = "bay0"`, "", "")
	_, port, err := net.SplitHostPort(g.addr)
	if err != nil {
		t.Fatal(err)
	}
	greeted(t, dialIn(t, z.bay, net.JoinHostPort(z.front, port)))
	for _, addr := range []string{z.front, z.back} {
		in(t, z.centre, func() error {
			c, err := net.DialTimeout("tcp", net.JoinHostPort(addr, port), 2*time.Second)
			if err == nil {
				_ = c.Close()
				t.Errorf("the server's side reaches the zone at %s", addr)
			}
			return nil
		})
	}
}

// On a machine that forwards packets the gateway warns, and the record names the interfaces; or it does not start.
func TestForwardingIsNoticed(t *testing.T) {
	t.Parallel()
	z := newTwoZones(t)
	z.forwarding(true)
	far := z.echo(z.centre, z.host)
	if got := z.reach(z.bay, z.host, far); len(got) < 2 {
		t.Fatalf("packets are not forwarded: %q", got)
	}
	g := z.start(z.front, "", "", `forwarding = "warn"`)
	g.waitLog("this machine forwards packets past the gateway")
	found := g.recordsOf(audit.ForwardingFound)
	if len(found) != 1 || !strings.Contains(found[0].Detail["interfaces"], "IPv4 bay0, IPv4 cen0") {
		t.Errorf("on record: %+v", found)
	}
	config := filepath.Join(g.dir, "ftpgw.hcl")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, config, strings.NewReader(strings.Replace(string(text), `forwarding = "warn"`, `forwarding = "refuse"`, 1)))
	out, err := exec.Command("ip", "netns", "exec", z.appliance, binary(t), "serve", "--config", config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the configuration refuses that") {
		t.Errorf("with forwarding refused: %v\n%s", err, out)
	}
}
