// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/x509"
	"os"

	"github.com/hashicorp/hcl/v2"
)

// Sink is a receiver of the audit log.
type Sink struct {
	Name    string
	Type    string // SinkSyslog, SinkJournald or SinkStdout
	Address string // of a syslog collector: host and port
	// Transport of syslog: "udp", "tcp" or "tls".
	Transport string
	CA        string // file of the authorities of a syslog collector's certificate; empty for those of the system
	Format    string // "json" or "cef"
}

// Types of sinks.
const (
	SinkSyslog   = "syslog"
	SinkJournald = "journald"
	SinkStdout   = "stdout"
)

func sinkSpec() blockSpec {
	return blockSpec{
		name: "sink", label: "name of the sink", count: "any number, in the audit block",
		meaning: "A receiver of the audit log. It gets every record that is on stable storage, in order, also those of the time when it was away; some twice after a connection was lost (compare seq). It never holds up a device.",
		attributes: []attribute{
			{name: "type", kind: kindText, required: true, example: `"syslog"`,
				meaning: "`\"syslog\"`: a collector that speaks RFC 5424. `\"journald\"`: the journal of this machine. `\"stdout\"`: the standard output of the program, a line for each record."},
			{name: "address", kind: kindText, absent: "the sink is not syslog", example: `"siem.example.org:6514"`,
				meaning: "Where the collector listens: a host and a port. Required with syslog."},
			{name: "transport", kind: kindText, fallback: "tls", example: `"tcp"`,
				meaning: "How syslog is spoken. `\"tls\"`: RFC 5425. `\"tcp\"`: RFC 6587 with octet counting. `\"udp\"`: RFC 5426, which loses what it loses."},
			{name: "ca", kind: kindPath, absent: "the authorities of this machine", example: `"siem-ca.pem"`,
				meaning: "The authorities, in PEM, that the collector's certificate is checked with. Only with transport \"tls\"."},
			{name: "format", kind: kindText, fallback: "json", example: `"cef"`,
				meaning: "The text of a message. `\"json\"`: the record as it stands in the log. `\"cef\"`: ArcSight's Common Event Format, which has not all of it."},
		},
	}
}

// sinks are the sink blocks of the audit block.
func (b body) sinks() []Sink {
	var list []Sink
	stdout := false
	for _, block := range b.content.Blocks.OfType("sink") {
		if err := checkLabel(block.Labels[0]); err != nil {
			b.fail(block.LabelRanges[0], "Invalid label", "%s.", capital(err.Error()))
		}
		if !b.once(sinkSpec(), block) {
			continue
		}
		s := b.sink(block)
		if s.Type == SinkStdout && stdout {
			b.fail(block.DefRange, "Duplicate stdout", "Another sink writes to the standard output already.")
		}
		stdout = stdout || s.Type == SinkStdout
		list = append(list, s)
	}
	return list
}

func (b body) sink(block *hcl.Block) Sink {
	in := b.open(sinkSpec(), block.Body, block.Labels[0], block.DefRange)
	s := Sink{Name: in.label}
	s.Type = in.word("type", SinkSyslog, SinkJournald, SinkStdout)
	s.Format = in.word("format", "json", "cef")
	s.Transport = in.word("transport", "udp", "tcp", "tls")
	if text, ok := in.text("address"); ok {
		s.Address = text.text
		if err := checkDial(text.text); err != nil {
			in.invalid("address", text, err)
		}
	}
	s.CA = in.path("ca")
	switch syslog := s.Type == SinkSyslog; {
	case s.Type == "":
	case syslog && !in.has("address"):
		in.fail(in.header, "Missing address", "%s sends to a collector and does not say where: address = \"siem.example.org:6514\".", in.title())
	case !syslog:
		for _, name := range []string{"address", "transport", "ca"} {
			if in.has(name) {
				in.fail(in.valueRange(name), "Unused "+name, "Only a sink of type \"syslog\" has an attribute %s.", name)
			}
		}
	}
	if s.CA != "" {
		in.checkCA(s)
	}
	return s
}

func (b body) checkCA(s Sink) {
	at := b.valueRange("ca")
	if s.Transport != "tls" {
		b.fail(at, "Unused ca", "Certificates are checked with transport = \"tls\" only.")
		return
	}
	text, err := os.ReadFile(s.CA)
	switch {
	case err != nil:
		b.fail(at, "Unusable ca", "The file cannot be read: %s.", osReason(err))
	case !x509.NewCertPool().AppendCertsFromPEM(text):
		b.fail(at, "Unusable ca", "There is no certificate in PEM in this file.")
	}
}

// word is a text that is one of a few; empty where it is not, which is reported.
func (b body) word(name string, words ...string) string {
	text, ok := b.text(name)
	if !ok {
		return ""
	}
	list := ""
	for i, w := range words {
		if text.text == w {
			return w
		}
		if i > 0 {
			list += ", "
		}
		list += `"` + w + `"`
	}
	b.fail(text.at, "Invalid "+name, "%q is none of %s.", text.text, list)
	return ""
}
