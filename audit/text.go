// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// escape makes s valid UTF-8 in a way that unescape can take back: see the package documentation.
func escape(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// unescape takes back what escape did. What escape cannot have written it leaves as it is.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		rest := s[i:]
		var c byte
		switch {
		case strings.HasPrefix(rest, `\\`):
			b.WriteByte('\\')
			i += 2
		case len(rest) >= 4 && scanHex(rest, &c):
			b.WriteByte(c)
			i += 4
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}

// scanHex reads the escaped byte at the start of s.
func scanHex(s string, c *byte) bool {
	const digits = "0123456789abcdef"
	hi, lo := strings.IndexByte(digits, s[2]), strings.IndexByte(digits, s[3])
	if s[:2] != `\x` || hi < 0 || lo < 0 {
		return false
	}
	*c = byte(hi<<4 | lo)
	return true
}

// mapped is r with f applied to each of its strings. Nothing of r is changed or shared.
func mapped(r Record, f func(string) string) Record {
	r.Event = Event(f(string(r.Event)))
	each(f, &r.Zone, &r.Session, &r.Device, &r.Peer, &r.User, &r.Cause)
	if r.CommandFields != nil {
		c := *r.CommandFields
		each(f, &c.Verb, &c.Args, &c.Text)
		c.Preliminary = mappedList(c.Preliminary, f)
		r.CommandFields = &c
	}
	if r.TransferFields != nil {
		t := *r.TransferFields
		each(f, &t.Transfer, &t.Op, &t.Path, &t.To, &t.SHA256, &t.Content, &t.Rule, &t.Reason, &t.Policy, &t.Conduit, &t.Acknowledge, &t.Entry, &t.Type, &t.Conversion, &t.FailedEvidence)
		t.Evidence = mappedList(t.Evidence, f)
		t.Trace = slices.Clone(t.Trace)
		for i := range t.Trace {
			each(f, &t.Trace[i].Rule, &t.Trace[i].Outcome, &t.Trace[i].Why)
		}
		if t.Receipt != nil {
			receipt := *t.Receipt
			each(f, &receipt.Verified, &receipt.Path)
			t.Receipt = &receipt
		}
		r.TransferFields = &t
	}
	if r.Detail != nil {
		detail := make(map[string]string, len(r.Detail))
		for k, v := range r.Detail {
			detail[f(k)] = f(v)
		}
		r.Detail = detail
	}
	return r
}

func mappedList(list []string, f func(string) string) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return out
}

func each(f func(string) string, list ...*string) {
	for _, s := range list {
		*s = f(*s)
	}
}
