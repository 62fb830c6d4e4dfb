// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Conduit is one SFTP server that the gateway dials.
type Conduit struct {
	Name, Address, User string     // Address is host:port
	Identity            string     // private key file, absolute; or ""
	IdentityAgent       string     // socket of an ssh-agent, absolute; or ""
	KnownHosts, HostKey string     // exactly one is set: an absolute file name, or "type base64"
	Root                string     // absolute and clean
	SourceAddress       netip.Addr // to dial from; the zero Addr: the kernel chooses
	Interface           string     // to dial by; "": the kernel chooses
	Connections         int
	DialTimeout         time.Duration
	RequestTimeout      time.Duration
	KeepAlive           time.Duration
}

func conduitSpec() blockSpec {
	return blockSpec{
		name: "conduit", label: "name of the conduit", count: "one or more",
		meaning: "A way across the zone boundary: one SFTP server that the gateway dials. The server is recognised by its host key, and there is no way to switch that off.",
		attributes: []attribute{
			{name: "address", kind: kindAddressPort, required: true, example: `"sftp.control.example:22"`,
				meaning: "The server's host name or address, and its port."},
			{name: "user", kind: kindText, required: true, example: `"station-12"`,
				meaning: "The user to log in as."},
			{name: "identity", kind: kindPath, absent: "keys come from identity_agent alone", example: `"id_ed25519"`,
				meaning: "The private key file, without a passphrase. Nobody but its owner may read it (mode 0600). One of identity and identity_agent is required; with both, the file's key is offered first."},
			{name: "identity_agent", kind: kindPath, absent: "no agent is asked", example: `"/run/ftpgw/agent.sock"`,
				meaning: "The socket of an ssh-agent that holds the private key."},
			{name: "known_hosts", kind: kindPath, absent: "host_key is given", example: `"known_hosts"`,
				meaning: "A file in OpenSSH's known_hosts format with an entry for address. Exactly one of known_hosts and host_key is required."},
			{name: "host_key", kind: kindText, absent: "known_hosts is given", example: `"ssh-ed25519 AAAA..."`,
				meaning: "The server's public host key, as one line."},
			{name: "root", kind: kindPath, required: true, example: `"/ingest/station-12"`,
				meaning: "The absolute directory on the server below which everything stays. It must exist."},
			{name: "source_address", kind: kindAddress, absent: "the kernel chooses", example: `"192.0.2.10"`,
				meaning: "The address of this machine from which the server is dialled."},
			{name: "interface", kind: kindText, absent: "the kernel chooses", example: `"eth0"`,
				meaning: "The network interface by which the server is dialled, whatever the routes say. It takes no privilege from Linux 5.7 on."},
			{name: "connections", kind: kindNumber, fallback: "2", example: "4",
				meaning: "How many SSH connections are kept open, 1 to 16. All sessions share them."},
			{name: "dial_timeout", kind: kindDuration, fallback: "10s", example: `"5s"`,
				meaning: "A connection that is not ready after this time, handshake and login included, has failed."},
			{name: "request_timeout", kind: kindDuration, fallback: "30s", example: `"1m"`,
				meaning: "A request that the server has not answered after this time has failed, and the connection is replaced. A flush and the server's own computing of a digest may take four times as long."},
			{name: "keepalive", kind: kindDuration, fallback: "15s", example: `"30s"`,
				meaning: "How often an idle connection is probed; a probe unanswered for as long again ends the connection."},
		},
	}
}

func (d *decoder) conduit(block *hcl.Block) Conduit {
	b := d.open(conduitSpec(), block.Body, block.Labels[0], block.DefRange)
	c := Conduit{Name: b.label, User: b.line("user"), Root: b.remotePath("root")}
	if text, ok := b.text("address"); ok {
		if err := checkDial(text.text); err != nil {
			b.invalid("address", text, err)
		} else {
			c.Address = text.text
		}
	}
	b.identity(&c)
	b.hostKey(&c)
	c.SourceAddress = b.sourceAddress(c.Address)
	c.Interface = b.networkInterface()
	c.Connections = b.number("connections", 1, 16)
	c.DialTimeout = b.duration("dial_timeout")
	c.RequestTimeout = b.duration("request_timeout")
	c.KeepAlive = b.duration("keepalive")
	return c
}

func (b body) identity(c *Conduit) {
	if !b.has("identity") && !b.has("identity_agent") && !b.broken {
		b.fail(b.header, "Missing identity", "%s needs identity = \"FILE\", the private key to log in with, or identity_agent = \"SOCKET\", an ssh-agent that holds it.", b.title())
		return
	}
	c.IdentityAgent = b.path("identity_agent")
	if c.Identity = b.path("identity"); c.Identity == "" {
		return
	}
	if b.checks.WithoutKeys {
		return
	}
	at := b.valueRange("identity")
	written, _ := b.text("identity")
	info, err := os.Stat(c.Identity)
	if err != nil {
		how := ""
		if errors.Is(err, fs.ErrNotExist) {
			how = fmt.Sprintf(" To make one run: ssh-keygen -t ed25519 -N '' -f %s - and have the server accept %s.pub.", c.Identity, c.Identity)
		}
		b.fail(at, "Unusable identity", "The private key %q cannot be read: %s.%s", written.text, osReason(err), how)
		return
	}
	if strings.HasSuffix(c.Identity, ".pub") {
		b.fail(at, "Unusable identity", "%q has the name of a public key. The private key is the file without .pub.", written.text)
		return
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o077 != 0 {
		b.fail(at, "Unusable identity", "The private key %q may be used by others than its owner (mode %04o). Run: chmod 600 %s", written.text, mode.Perm(), c.Identity)
		return
	}
	if err := b.checks.Identity(c.Identity); err != nil {
		b.fail(at, "Unusable identity", "%s. To use an ssh-agent, set identity_agent instead of identity.", capital(err.Error()))
	}
}

func (b body) hostKey(c *Conduit) {
	switch file, line := b.has("known_hosts"), b.has("host_key"); {
	case file && line:
		b.fail(b.valueRange("host_key"), "Two kinds of host key", "%s has both known_hosts and host_key. Keep one of them, so that it is plain which one counts.", b.title())
	case !file && !line && !b.broken:
		b.fail(b.header, "Missing host key", "%s needs known_hosts = \"FILE\" or host_key = \"ssh-ed25519 AAAA...\": without one of them any server could pose as the right one.", b.title())
	}
	if text, ok := b.text("host_key"); ok {
		c.HostKey = text.text
		if err := b.checks.HostKey(text.text); err != nil {
			b.invalid("host_key", text, err)
		}
	}
	if c.KnownHosts = b.path("known_hosts"); c.KnownHosts != "" && !b.checks.WithoutKeys {
		b.knownHosts(c)
	}
}

func (b body) knownHosts(c *Conduit) {
	at := b.valueRange("known_hosts")
	written, _ := b.text("known_hosts")
	if _, err := os.Stat(c.KnownHosts); err != nil {
		b.fail(at, "Unusable known_hosts", "The file %q cannot be read: %s.%s", written.text, osReason(err), keyscan(c))
		return
	}
	if c.Address == "" {
		return // reported already; nothing to look up
	}
	if err := b.checks.KnownHosts(c.KnownHosts, c.Address); err != nil {
		b.fail(at, "Unusable known_hosts", "%s.%s", capital(err.Error()), keyscan(c))
	}
}

// keyscan says how an entry for the conduit's server is made.
func keyscan(c *Conduit) string {
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" To make an entry run: ssh-keyscan -p %s %s >> %s - and compare its fingerprint with the server's own (ssh-keygen -lf %s) before you trust it.",
		port, host, c.KnownHosts, c.KnownHosts)
}

// osReason is why a file operation failed, without the path, which the message shows as it was written.
func osReason(err error) string {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
