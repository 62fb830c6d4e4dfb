// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/tls"
	"os"
	"slices"
)

// ZoneTLS is how a zone speaks TLS (RFC 4217). The zero ZoneTLS does not.
type ZoneTLS struct {
	On            bool
	Required      bool   // nobody logs in in clear
	Implicit      bool   // TLS from the first byte
	Certificate   string // PEM file, absolute
	PrivateKey    string // PEM file, absolute
	ClientCA      string // PEM file, absolute; or ""
	MinVersion    uint16 // tls.VersionTLS12 or tls.VersionTLS13
	DataRequired  bool   // PROT P is demanded
	CloseOptional bool   // an upload may end without close_notify
	ReuseRequired bool   // data connections resume the TLS session of their control connection
}

// What the attributes of a zone's TLS may be; the first of each is the default.
func tlsUses() []string     { return []string{"off", "optional", "required"} }
func tlsModes() []string    { return []string{"explicit", "implicit"} }
func tlsVersions() []string { return []string{"1.2", "1.3"} }
func dataTLSUses() []string { return []string{"optional", "required"} }
func closes() []string      { return []string{"required", "optional"} }
func reuses() []string      { return []string{"off", "required"} }

func tlsAttributes() []attribute {
	return []attribute{
		{name: "tls", kind: kindText, fallback: tlsUses()[0], example: `"required"`,
			meaning: "Whether devices speak TLS (FTPS, RFC 4217). `\"off\"`: never. `\"optional\"`: those that send AUTH TLS. `\"required\"`: nobody logs in without it. See [ftps.md](ftps.md)."},
		{name: "tls_mode", kind: kindText, fallback: tlsModes()[0], example: `"explicit"`,
			meaning: "How TLS begins. `\"explicit\"`: with the command AUTH TLS, on the usual port. `\"implicit\"`: with the first byte, usually on port 990; then tls must be \"required\"."},
		{name: "certificate", kind: kindPath, absent: "the zone speaks no TLS", example: `"gateway.pem"`,
			meaning: "The certificate that devices see, with the chain up to an authority that they know, in PEM. Required with tls."},
		{name: "private_key", kind: kindPath, absent: "the zone speaks no TLS", example: `"gateway.key"`,
			meaning: "The certificate's private key in PEM, without a passphrase. Nobody but its owner may read it (mode 0600). Required with tls."},
		{name: "client_ca", kind: kindPath, absent: "devices are not asked for certificates", example: `"devices-ca.pem"`,
			meaning: "The authorities, in PEM, whose certificates devices may show. Which device must show one is said by certificate_names in its block."},
		{name: "tls_min_version", kind: kindText, fallback: tlsVersions()[0], example: `"1.3"`,
			meaning: "The oldest version of TLS that is spoken: `\"1.2\"` or `\"1.3\"`."},
		{name: "data_tls", kind: kindText, fallback: dataTLSUses()[0], example: `"required"`,
			meaning: "Whether data connections must be protected, too (PROT P). `\"optional\"`: the device chooses. `\"required\"`: a transfer in clear is refused with 521."},
		{name: "close_notify", kind: kindText, fallback: closes()[0], example: `"optional"`,
			meaning: "Whether the data of a protected upload must end with the close_notify of TLS. `\"required\"`: an upload without it is refused with 426. `\"optional\"`: it is taken as one in clear would be, for devices that never send it."},
		{name: "session_reuse", kind: kindText, fallback: reuses()[0], example: `"required"`,
			meaning: "`\"required\"`: a protected data connection must resume the TLS session of its control connection, which proves that both are the same device's; otherwise the transfer is refused with 522."},
	}
}

// tls reads the attributes above.
func (b body) tls() ZoneTLS {
	use := b.choice("tls", tlsUses()...)
	if !slices.Contains(tlsUses(), use) {
		return ZoneTLS{} // reported; what the rest is good for is unknown
	}
	if use == "off" {
		b.refuseTLSAttributes()
		return ZoneTLS{}
	}
	z := ZoneTLS{
		On: true, Required: use == "required", Implicit: b.choice("tls_mode", tlsModes()...) == "implicit",
		DataRequired: b.choice("data_tls", dataTLSUses()...) == "required", ReuseRequired: b.choice("session_reuse", reuses()...) == "required",
		CloseOptional: b.choice("close_notify", closes()...) == "optional", MinVersion: tls.VersionTLS12,
	}
	if b.choice("tls_min_version", tlsVersions()...) == "1.3" {
		z.MinVersion = tls.VersionTLS13
	}
	if z.Implicit && !z.Required {
		b.fail(b.valueRange("tls"), "Implicit TLS is not optional", "With tls_mode = \"implicit\" every connection begins with TLS. Write tls = \"required\".")
	}
	b.certificate(&z)
	if z.ClientCA = b.path("client_ca"); z.ClientCA != "" {
		if !b.readable("client_ca", z.ClientCA) {
			return z
		}
		if err := b.checks.ClientCA(z.ClientCA); err != nil {
			b.fail(b.valueRange("client_ca"), "Unusable client_ca", "%s.", capital(err.Error()))
		}
	}
	return z
}

// readable reports whether the file that the attribute names is there, and says so where it is not.
func (b body) readable(name, file string) bool {
	if b.checks.WithoutKeys {
		return true
	}
	_, err := os.Stat(file)
	if err != nil {
		written, _ := b.text(name)
		b.fail(written.at, "Unusable "+name, "The file %q cannot be read: %s.", written.text, osReason(err))
	}
	return err == nil
}

// refuseTLSAttributes finds attributes that would have no effect: whoever wrote them believes that the zone is protected.
func (b body) refuseTLSAttributes() {
	for _, a := range tlsAttributes()[1:] {
		if b.has(a.name) {
			b.fail(b.valueRange(a.name), "No effect without tls", "%s has %s, but does not speak TLS. Write tls = \"required\" or tls = \"optional\", or remove %s.", b.title(), a.name, a.name)
		}
	}
}

func (b body) certificate(z *ZoneTLS) {
	for _, name := range []string{"certificate", "private_key"} {
		if !b.has(name) && !b.broken {
			b.fail(b.header, "Missing "+name, "%s speaks TLS, so it needs certificate = \"FILE\" and private_key = \"FILE\".", b.title())
			return
		}
	}
	z.Certificate, z.PrivateKey = b.path("certificate"), b.path("private_key")
	if z.Certificate == "" || z.PrivateKey == "" {
		return
	}
	if !b.readable("certificate", z.Certificate) || !b.readable("private_key", z.PrivateKey) {
		return
	}
	if err := b.checks.Certificate(z.Certificate, z.PrivateKey); err != nil {
		b.fail(b.valueRange("certificate"), "Unusable certificate", "%s.", capital(err.Error()))
	}
}
