// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"
)

func needIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		cannot(t, "this machine has no IPv6 loopback: %v", err)
	}
	_ = l.Close()
}

// Every client that knows IPv6 sends a file and fetches it again over it.
func TestClientsOverIPv6(t *testing.T) {
	t.Parallel()
	needIPv6(t)
	// lftp in active mode says EPRT with the unspecified address, which is refused like any other that is not the device's.
	modes := map[string][]string{"curl": {"epsv", "eprt"}, "lftp": {"epsv"}, "tnftp": {"epsv", "eprt"}, "ftplib": {"epsv", "port"}, "wget": {"pasv", "port"}}
	g := startGateway(t, setup{host: "::1"})
	for _, c := range clients() {
		for _, mode := range modes[c.name] {
			t.Run(c.name+" "+mode, func(t *testing.T) {
				need(t, c.programs...)
				e := errandFor(t, g, 0, c.name+"-"+mode+".bin", 100_003)
				stored := filepath.Join(g.home(0), e.remote)
				if c.download {
					writeFile(t, stored, pattern(100_003, 0))
				}
				for _, s := range c.both(e, mode) {
					if out, err := runScript(t, s); err != nil {
						t.Errorf("%s: %v\n%s", s.args[0], err, out)
					}
				}
				want := digestFile(t, e.local)
				if digestFile(t, stored) != want || digestFile(t, e.back) != want {
					t.Error("another file arrived than was sent")
				}
			})
		}
	}
	usedModes(t, g, []string{"epsv", "eprt"})
}

// What has no room for an IPv6 address is refused over IPv6, and the extended forms take its place (RFC 2428).
func TestIPv6Addresses(t *testing.T) {
	t.Parallel()
	needIPv6(t)
	g := startGateway(t, setup{host: "::1"})
	f := g.login(0)
	f.expect(502, "PASV")
	f.expect(522, "EPSV 1")
	f.expect(229, "EPSV 2")
	f.expect(504, "PORT 127,0,0,1,40,0")
	f.expect(504, "EPRT |2|::2|40000|") // another host: the bounce attack
	f.expect(501, "EPRT |1|::1|40000|")
	f.expect(522, "EPRT |3|::1|40000|")
	f.expect(200, "EPRT |2|::1|40000|")
	f.put("six.txt", []byte("over EPSV"))
	if got := f.get("RETR six.txt"); string(got) != "over EPSV" {
		t.Errorf("%q came back", got)
	}
}

// A zone that listens at all addresses speaks with each device in the family that it came in.
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	needIPv6(t)
	g := startGateway(t, setup{host: "::"})
	_, port, err := net.SplitHostPort(g.addr)
	if err != nil {
		t.Fatal(err)
	}
	for host, can := range map[string][]int{"127.0.0.1": {227, 522, 229}, "::1": {502, 229, 522}} {
		f := login(t, net.JoinHostPort(host, port), g.devices[0].name, g.devices[0].password)
		got := []int{f.cmd("PASV").code, f.cmd("EPSV 2").code, f.cmd("EPSV 1").code}
		if !slices.Equal(got, can) {
			t.Errorf("%s: PASV, EPSV 2 and EPSV 1 are answered with %v, want %v", host, got, can)
		}
		f.put(fmt.Sprintf("from-%d.txt", len(host)), []byte(host))
	}
}
