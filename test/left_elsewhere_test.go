// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// The gateway is killed while a file is on its way to where no device has its home any more, or ever had: its rule files elsewhere, or
// the device is gone when the gateway starts again. What it has left there is swept all the same, and what others have there is not.
func TestLeftElsewhereIsSwept(t *testing.T) {
	t.Parallel()
	const filed = `path = "/filed/${device.name}/${file.name}"`
	for name, c := range map[string]struct {
		deliver string
		spooled bool
		dir     string // of the file, below the conduit's root
		change  func(config string) string
	}{
		"filed elsewhere":           {deliver: filed, dir: "filed/relay"},
		"filed elsewhere, spooled":  {deliver: filed, dir: "filed/relay", spooled: true},
		"device removed":            {dir: "relay", change: withoutRelay},
		"device removed, spooled":   {dir: "relay", change: withoutRelay, spooled: true},
		"rule and device not there": {deliver: filed, dir: "filed/relay", change: func(s string) string { return strings.Replace(withoutRelay(s), filed, "", 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, at := startFaultyServer(t)
			rules := spoolAll(c.deliver)
			if !c.spooled {
				rules = strings.Replace(rules, `"spooled"`, `"delivered"`, 1)
			}
			g := startGateway(t, setup{server: at, spool: plainSpool, rules: rules, devices: []device{newDevice("relay"), newDevice("other")}})
			dir := filepath.Join(at.Root, c.dir)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			const foreign = ".ftpgw-other000-0123456789abcdef.part"
			if err := os.WriteFile(filepath.Join(dir, foreign), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			armed := s.Arm(sftpfault.Fault{Op: sftpfault.Write, Nth: 2, Kind: sftpfault.Hold})
			f := g.login(0)
			conn := f.data("STOR /file")
			write(t, conn, pattern3(20*faultPacket))
			if c.spooled {
				_ = conn.Close()
				f.expectReply("STOR", f.read(), 226)
			}
			<-armed.Struck()
			g.kill()
			s.Disarm()
			if n := temporaryFiles(t, dir); n != 2 {
				t.Fatalf("killed: %d temporaries", n)
			}
			if c.change != nil {
				g.edit(c.change)
			}
			g.startAgain()
			eventually(t, "the temporary is swept", func() bool { return temporaryFiles(t, dir) == 1 })
			if _, err := os.Stat(filepath.Join(dir, foreign)); err != nil {
				t.Errorf("another gateway's: %v", err)
			}
		})
	}
}

func withoutRelay(config string) string { return withoutBlock(config, `device "relay"`) }

func temporaryFiles(t *testing.T, dir string) (n int) {
	for _, name := range filesBelow(t, dir) {
		if strings.HasPrefix(filepath.Base(name), ".ftpgw-") {
			n++
		}
	}
	return n
}
