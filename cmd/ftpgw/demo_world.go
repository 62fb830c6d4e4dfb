// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/internal/credential"
	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
)

// demoWorld is all that the demo's gateway stands between.
type demoWorld struct {
	dir    string // everything is below it
	far    string // what the SFTP server serves
	path   string // of the configuration
	cfg    *config.Config
	server *sftpserver.Server
}

// demoPassword is every demo device's password.
const demoPassword = "demo"

// newDemoWorld starts the SFTP server with fresh keys and writes a configuration that a reader can learn from.
func newDemoWorld(ctx context.Context, env environment, dir string) (_ *demoWorld, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("demo directory: %w", err)
	}
	w := &demoWorld{dir: dir, far: filepath.Join(dir, "far"), path: filepath.Join(dir, "ftpgw.hcl")}
	if err := os.MkdirAll(filepath.Join(w.far, "ingest"), 0o750); err != nil {
		return nil, fmt.Errorf("make the far side: %w", err)
	}
	key := filepath.Join(dir, "id_ed25519")
	if err := os.Remove(key); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the key of an earlier demo: %w", err)
	}
	authorized, err := sftpserver.NewClientKey(key)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	w.server, err = sftpserver.Start(ctx, sftpserver.Options{Dir: w.far, User: "demo", AuthorizedKey: authorized})
	if err != nil {
		return nil, err
	}
	if err := w.configure(env); err != nil {
		return nil, errors.Join(err, w.server.Close())
	}
	return w, nil
}

func (w *demoWorld) configure(env environment) error {
	// A documented password needs no slow hash.
	hash, err := credential.HashWithCost([]byte(demoPassword), 4)
	if err != nil {
		return err
	}
	text := strings.NewReplacer(
		"LISTEN", demoListen(), "ADDRESS", w.server.Addr(), "HOSTKEY", w.server.HostKeyLine(), "HASH", hash,
	).Replace(demoConfig)
	if err := os.WriteFile(w.path, []byte(text), 0o640); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	w.cfg, err = loadConfig(env, w.path)
	return err
}

// demoListen is a port that is easily typed, or any where that one is taken.
func demoListen() string {
	const address = "127.0.0.1:2121"
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	if err := l.Close(); err != nil {
		return "127.0.0.1:0"
	}
	return address
}

// invite says what to type by hand.
func (w *demoWorld) invite(out io.Writer, addr string) {
	say(out, `
Now by hand, in another terminal (the password is %q):
  curl -T /etc/hostname ftp://relay-12:%s@%s/events/       an upload that a rule allows
  curl -T /etc/hostname ftp://relay-12:%s@%s/              one that none does
  curl ftp://rtu-3:%s@%s/rtu-v2.bin | sha256sum            what the RTU fetches
  %s explain --config %s --device relay-12 --from 127.0.0.1 --op upload --path /hostname
The far side is %s, the audit log %s.
What happens is shown here until Ctrl-C:`,
		demoPassword, demoPassword, addr, demoPassword, addr, demoPassword, addr, os.Args[0], w.path, w.far, w.cfg.Audit.Dir)
}

const demoConfig = `# The demo's configuration: one zone, one conduit, three devices.
zone "bay-7" {
  listen        = "LISTEN"
  passive_ports = "50000-50099"
}

conduit "control-centre" {
  address  = "ADDRESS"
  user     = "demo"
  identity = "id_ed25519"
  host_key = "HOSTKEY"
  root     = "/ingest"
}

audit { dir = "audit" }

device "relay-12" {
  password_hash = "HASH"
  from          = ["127.0.0.1/32"]
}

device "workstation" {
  password_hash = "HASH"
  from          = ["127.0.0.1/32"]
  home          = "/firmware"
}

device "rtu-3" {
  password_hash = "HASH"
  from          = ["127.0.0.1/32"]
  home          = "/firmware"
}

rule "disturbance-records" {
  reason  = "PRC-002: disturbance records leave the station"
  devices = ["relay-*"]
  allow   = ["upload", "list", "mkdir"]
  paths   = ["/events/**"]
}

rule "firmware-in" {
  reason   = "change 4711: firmware is placed by the maintenance workstation only"
  devices  = ["workstation"]
  allow    = ["upload"]
  paths    = ["/*.bin"]
  max_size = "16MiB"
}

rule "firmware-to-rtu" {
  reason  = "change 4711: RTUs fetch their firmware, and nothing else"
  devices = ["rtu-*"]
  allow   = ["download", "list"]
  paths   = ["/", "/*.bin"]
}
`
