// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// syntaxTable is the argument of every command that takes one, in the words of RFC 959, 5.3.2.
func syntaxTable() map[string]string {
	table := map[string]string{
		"USER": "<username>", "PASS": "<password>", "ACCT": "[<account>]", "SMNT": "<pathname>",
		"AUTH": "<mechanism>", "ADAT": "<base64>", "PBSZ": "<decimal>", "PROT": "<level>", "MIC": "<base64>", "CONF": "<base64>", "ENC": "<base64>",
		"PORT": "<h1>,<h2>,<h3>,<h4>,<p1>,<p2>", "EPRT": "|<1 or 2>|<address>|<port>|", "EPSV": "[1 | 2 | ALL]",
		"TYPE": "A [N] | I | L 8", "STRU": "F | R", "MODE": "S",
		"STOU": "[<pathname>]", "ALLO": "<bytes> [R <bytes>]", "REST": "<position>",
		"LIST": "[<pathname>]", "NLST": "[<pathname>]", "STAT": "[<pathname>]", "MLST": "[<pathname>]", "MLSD": "[<pathname>]",
		"SITE": "CHMOD <octal> <pathname> | HELP", "HELP": "[<command>]", "OPTS": "UTF8 ON | MLST <facts> | HASH <algorithm>",
		"MFMT": "<YYYYMMDDHHMMSS> <pathname>", "CLNT": "<client>", "LANG": "[<language>]", "HOST": "<name>",
	}
	for _, verb := range []string{
		"CWD", "XCWD", "RETR", "STOR", "APPE", "RNFR", "RNTO", "DELE", "RMD", "XRMD", "MKD", "XMKD", "SIZE", "MDTM",
		"HASH", "XSHA256", "XMD5", "XCRC",
	} {
		table[verb] = "<pathname>"
	}
	return table
}

// help lists the commands, or tells how one is written (RFC 959, 4.1.3). No line is longer than a terminal's: old devices have
// buffers for just that.
func (s *session) help(_ context.Context, x *exchange) reply {
	verb := strings.ToUpper(strings.TrimSpace(x.secret.Reveal()))
	if verb == "SITE" {
		return siteHelp()
	}
	if verb != "" {
		if _, ok := s.front.commands[verb]; !ok {
			return answer(502, "Unknown command.")
		}
		return answer(214, strings.TrimSpace("Syntax: "+verb+" "+syntaxTable()[verb]))
	}
	r := reply{code: 214, lines: []string{"Commands:"}, text: "End"}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(s.front.commands)), 10) {
		r.lines = append(r.lines, strings.Join(chunk, " "))
	}
	return r
}

func siteHelp() reply {
	return reply{code: 214, lines: []string{"SITE commands:", "CHMOD <octal> <pathname>", "HELP"}, text: "End"}
}
