// SPDX-License-Identifier: Apache-2.0

package ftpfront

import "context"

// command says how one verb is treated before its own function is reached.
type command struct {
	run    func(*session, context.Context, *exchange) reply
	open   bool // may be used before login
	clear  bool // may be used in clear where the zone requires TLS
	arg    need
	secret bool // the argument can be a secret: on record stands of it what is known to be none
	data   bool // needs a data connection, prepared by PASV or PORT or their like
	lists  bool // sends names over it
}

// need says whether a verb takes an argument.
type need uint8

const (
	noArgument need = iota // one that is sent all the same is passed over, as devices send them
	optional
	required
)

// commandTable is every verb that this server knows. RFC 959, 4.1 unless said otherwise.
func commandTable() map[string]command {
	table := map[string]command{
		// Access control
		"USER": {run: (*session).user_, open: true, arg: required},
		"PASS": {run: (*session).pass, open: true, arg: optional, secret: true},
		"ACCT": {run: (*session).acct, arg: optional, secret: true},
		"REIN": {run: (*session).rein, open: true},
		"QUIT": {run: (*session).quit, open: true, clear: true},
		"CWD":  {run: (*session).cwd_, arg: required},
		"CDUP": {run: (*session).cdup},
		"SMNT": {run: absent, arg: optional},
		// Security (RFC 2228, RFC 4217)
		"AUTH": {run: (*session).auth, open: true, clear: true, arg: optional, secret: true},
		"ADAT": {run: absent, open: true, clear: true, arg: optional, secret: true},
		"PBSZ": {run: (*session).pbsz, open: true, clear: true, arg: optional},
		"PROT": {run: (*session).prot, open: true, clear: true, arg: optional},
		"CCC":  {run: (*session).ccc, open: true, clear: true},
		"MIC":  {run: absent, open: true, clear: true, arg: optional, secret: true},
		"CONF": {run: absent, open: true, clear: true, arg: optional, secret: true},
		"ENC":  {run: absent, open: true, clear: true, arg: optional, secret: true},
		// Transfer parameters (PORT and PASV also in RFC 2428's extended forms)
		"PORT": {run: (*session).port, arg: required},
		"PASV": {run: (*session).pasv},
		"EPRT": {run: (*session).eprt, arg: required},
		"EPSV": {run: (*session).epsv, arg: optional},
		"TYPE": {run: (*session).type_, arg: required},
		"STRU": {run: (*session).stru, arg: required},
		"MODE": {run: (*session).mode, arg: required},
		// Service
		"RETR": {run: (*session).retr, arg: required, data: true},
		"STOR": {run: (*session).stor, arg: required, data: true},
		"STOU": {run: (*session).stou, arg: optional, data: true},
		"APPE": {run: (*session).appe, arg: required, data: true},
		"ALLO": {run: (*session).allo, arg: required},
		"REST": {run: (*session).rest_, arg: required},
		"RNFR": {run: (*session).rnfr, arg: required},
		"RNTO": {run: (*session).rnto, arg: required},
		"ABOR": {run: (*session).abor},
		"DELE": {run: (*session).dele, arg: required},
		"RMD":  {run: (*session).rmd, arg: required},
		"MKD":  {run: (*session).mkd, arg: required},
		"PWD":  {run: (*session).pwd},
		"LIST": {run: (*session).list, arg: optional, data: true, lists: true},
		"NLST": {run: (*session).nlst, arg: optional, data: true, lists: true},
		"SITE": {run: (*session).site, arg: required, secret: true},
		"SYST": {run: (*session).syst, open: true, clear: true},
		"STAT": {run: (*session).stat, open: true, arg: optional},
		"HELP": {run: (*session).help, open: true, clear: true, arg: optional, secret: true},
		"NOOP": {run: (*session).noop, open: true, clear: true},
		// Extensions (RFC 2389, RFC 3659, draft-somers-ftp-mfxx-04)
		"FEAT": {run: (*session).feat, open: true, clear: true},
		"OPTS": {run: (*session).opts, open: true, arg: required},
		"SIZE": {run: (*session).size, arg: required},
		"MDTM": {run: (*session).mdtm, arg: required},
		"MFMT": {run: (*session).mfmt, arg: required},
		"MLST": {run: (*session).mlst, arg: optional},
		"MLSD": {run: (*session).mlsd, arg: optional, data: true, lists: true},
		"CLNT": {run: (*session).clnt, open: true, arg: optional},
		"LANG": {run: (*session).lang, open: true, arg: optional},
		// Digests (draft-bryan-ftpext-hash-02, and verbs that were never specified)
		"HASH":    {run: (*session).hash_, arg: required},
		"XSHA256": {run: xdigest("SHA-256"), arg: required},
		"XMD5":    {run: xdigest("MD5"), arg: required},
		"XCRC":    {run: xdigest("CRC32"), arg: required},
		"HOST":    {run: absent, open: true, arg: optional},
	}
	// RFC 775's forms, which old devices still use.
	for x, verb := range map[string]string{"XCWD": "CWD", "XCUP": "CDUP", "XMKD": "MKD", "XRMD": "RMD", "XPWD": "PWD"} {
		table[x] = table[verb]
	}
	return table
}

// absent answers verbs that the RFCs define and this server does not offer.
func absent(*session, context.Context, *exchange) reply {
	return answer(502, "Command not implemented.")
}
