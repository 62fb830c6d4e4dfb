// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"slices"
	"strings"
)

// syst names the system in whose form listings are (RFC 959, 4.1.3): clients choose their parser by it.
func (s *session) syst(context.Context, *exchange) reply {
	if s.quirks.Listing == DOS {
		return answer(215, "Windows_NT")
	}
	return answer(215, "UNIX Type: L8")
}

func (s *session) noop(context.Context, *exchange) reply { return answer(200, "OK.") }
func (s *session) clnt(context.Context, *exchange) reply { return answer(200, "Noted.") }

// lang has no language but the one that RFC 959's texts are written in (RFC 2640, 4.1).
func (s *session) lang(_ context.Context, x *exchange) reply {
	if x.args == "" {
		return answer(200, "Language is the default.")
	}
	return answer(504, "Language not supported.")
}

// feat lists what goes beyond RFC 959 (RFC 2389, 3).
func (s *session) feat(context.Context, *exchange) reply {
	if s.quirks.Features == Off {
		return answer(502, "Command not implemented.")
	}
	lines := []string{
		"Features:", "EPRT", "EPSV", s.hashFeature(), "MDTM", "MFMT", s.mlstFeature(), "REST STREAM", "SIZE", "TVFS", "UTF8",
	}
	if z := s.zone.TLS; z != nil { // RFC 4217, 6
		if !z.Implicit {
			lines = append(lines, "AUTH TLS")
		}
		lines = append(lines, "PBSZ", "PROT")
	}
	return reply{code: 211, text: "End", lines: lines}
}

// mlstFeature names the facts, with a star on those that are shown (RFC 3659, 7.8).
func (s *session) mlstFeature() string {
	var b strings.Builder
	b.WriteString("MLST ")
	for _, fact := range allFacts() {
		b.WriteString(fact)
		if slices.Contains(s.facts, fact) {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// hashFeature names the digests, with a star behind the one that HASH makes (draft-bryan-ftpext-hash-02, 4).
func (s *session) hashFeature() string {
	var names []string
	for _, d := range digests() {
		if d.name == s.hash {
			d.name += "*"
		}
		names = append(names, d.name)
	}
	return "HASH " + strings.Join(names, ";")
}

// opts sets options of UTF8, which is always on, MLST and HASH (RFC 2389, 4; RFC 3659, 7.9; draft-bryan-ftpext-hash-02, 5).
func (s *session) opts(_ context.Context, x *exchange) reply {
	of, args, _ := strings.Cut(x.args, " ")
	switch strings.ToUpper(of) {
	case "UTF8", "UTF-8":
		if args == "" || strings.EqualFold(args, "ON") {
			return answer(200, "UTF8 is always on.")
		}
		return answer(504, "UTF8 cannot be turned off.")
	case "MLST":
		wanted := strings.Split(strings.ToLower(args), ";")
		s.facts = slices.DeleteFunc(allFacts(), func(fact string) bool { return !slices.Contains(wanted, fact) })
		shown := ""
		for _, fact := range s.facts {
			shown += fact + ";"
		}
		return answer(200, strings.TrimRight("MLST OPTS "+shown, " "))
	case "HASH":
		if args == "" {
			return answer(200, s.hash)
		}
		d, ok := digestNamed(strings.TrimSpace(args))
		if !ok {
			return answer(501, "Unknown algorithm.")
		}
		s.hash = d.name
		return answer(200, s.hash)
	}
	return answer(501, "Option not understood.")
}
