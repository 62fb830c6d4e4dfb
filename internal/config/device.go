// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/ftpgw/ftpgw/internal/credential"
	"github.com/ftpgw/ftpgw/policy"
)

// Device is one identity in a zone.
type Device struct {
	Name, User   string
	PasswordHash credential.Secret // of bcrypt or argon2id; credential.Check accepts it
	From         []netip.Prefix    // source addresses; empty means any
	Home         string            // absolute and clean, below the conduit's root
	Labels       map[string]string
	// CertificateNames, where there are any: one of them must stand in the client certificate that the device shows.
	CertificateNames []string
	Quirks           Quirks         // what is open is for the zone to say
	Limits           *policy.Limits // nil is any amount
}

func deviceSpec() blockSpec {
	return blockSpec{
		name: "device", label: "name of the device", count: "any number",
		meaning: "An identity that may log in: user, password, source addresses, home directory. What it may do then is the rules' matter.",
		attributes: []attribute{
			{name: "user", kind: kindText, absent: "the block's label", example: `"relay12"`,
				meaning: "The user name that the device sends. Two devices may share one as long as their from addresses differ."},
			{name: "password_hash", kind: kindText, required: true, example: `"$2a$12$..."`,
				meaning: "The bcrypt or argon2id hash of the device's password, as made by `ftpgw hash-password`."},
			{name: "from", kind: kindPrefixes, absent: "any address", example: `["10.7.0.12/32"]`,
				meaning: "The addresses that the device may log in from."},
			{name: "home", kind: kindPath, absent: "\"/\" and the block's label", example: `"/relay-12"`,
				meaning: "The device's directory below the conduit's root. The device sees it as / and cannot leave it."},
			{name: "labels", kind: kindLabels, absent: "no labels", example: `{ vendor = "SEL", bay = "7" }`,
				meaning: "What conditions of rules can ask about the device, as device.labels.vendor."},
			{name: "certificate_names", kind: kindNames, absent: "no certificate is needed", example: `["relay-12.station.example"]`,
				meaning: "The device must show a client certificate, issued by one of its zone's client_ca, that has one of these names: as the subject's common name, or as a DNS name. The password is needed all the same."},
			asciiAttribute(),
			profileAttribute("for this device"),
		},
		blocks: []blockSpec{quirksSpec(), limitSpec(false)},
	}
}

// deviceEntry is a Device with the place of its block.
type deviceEntry struct {
	Device
	block     body
	addresses bool // From could be read
}

func (d *decoder) device(block *hcl.Block) deviceEntry {
	b := d.open(deviceSpec(), block.Body, block.Labels[0], block.DefRange)
	e := deviceEntry{block: b, Device: Device{Name: b.label, User: b.label, Home: "/" + b.label}}
	if b.has("user") {
		e.User = b.line("user")
	}
	if text, ok := b.text("password_hash"); ok {
		e.PasswordHash = credential.NewSecret(text.text)
		if err := credential.Check(text.text); err != nil {
			b.fail(text.at, "Invalid password_hash", "%s. Make a hash of the password with: ftpgw hash-password", capital(err.Error()))
		}
	}
	e.From = b.prefixes("from")
	e.addresses = len(e.From) > 0 || !b.has("from")
	if b.has("home") {
		e.Home = b.remotePath("home")
	}
	e.Labels = b.textMap("labels")
	for _, text := range b.list("certificate_names") {
		if err := checkLine(text.text); err != nil {
			b.invalid("certificate_names", text, err)
		}
		e.CertificateNames = append(e.CertificateNames, text.text)
	}
	e.Quirks = b.quirksBlock()
	e.Quirks.ASCII = b.ascii()
	e.Quirks = e.Quirks.or(b.fromProfile())
	e.Limits = b.limits(false)
	return e
}

// compareCertificates finds devices whose certificate no zone would ask for, so that they could never log in.
func (d *decoder) compareCertificates(devices []deviceEntry, zones []Zone) {
	if slices.ContainsFunc(zones, func(z Zone) bool { return z.TLS.ClientCA != "" }) || d.broken || d.unsure["zone"] {
		return
	}
	for _, e := range devices {
		if len(e.CertificateNames) > 0 {
			d.fail(e.block.valueRange("certificate_names"), "No zone asks for certificates",
				"Device %q could never log in: no zone has a client_ca that says whose certificates count.", e.Name)
		}
	}
}

// compareDevices finds devices that a login could not tell apart: the same user from the same address.
func (d *decoder) compareDevices(devices []deviceEntry) {
	for i, e := range devices {
		for _, earlier := range devices[:i] {
			if e.User == "" || e.User != earlier.User || !e.addresses || !earlier.addresses {
				continue
			}
			if where, ok := overlap(e.From, earlier.From); ok {
				at := e.block.header
				if e.block.has("user") {
					at = e.block.valueRange("user")
				}
				d.fail(at, "Ambiguous user", "The user %q from %s could be device %q or device %q (%s). Give them different users, or from addresses that do not overlap.",
					e.User, where, e.Name, earlier.Name, place(earlier.block.header))
			}
		}
	}
}

// overlap names addresses that are in both sets; an empty set holds every address.
func overlap(a, b []netip.Prefix) (string, bool) {
	switch {
	case len(a) == 0 && len(b) == 0:
		return "any address", true
	case len(a) == 0:
		return b[0].String(), true
	case len(b) == 0:
		return a[0].String(), true
	}
	for _, p := range a {
		for _, q := range b {
			if p.Overlaps(q) {
				if p.Bits() < q.Bits() {
					p = q
				}
				return p.String(), true
			}
		}
	}
	return "", false
}
