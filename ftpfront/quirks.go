// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"path"
	"strings"

	"github.com/ftpgw/ftpgw/gateway"
)

// Switch is a yes or a no that may also be left to somebody else.
type Switch uint8

// The zero Switch leaves the choice open.
const (
	Unset Switch = iota
	On
	Off
)

// Quirks are the ways in which this server bends for devices that are wrong and cannot be changed. The zero value of each field
// leaves it to whoever is asked next: the device, its profile, the zone, the zone's profile, and then what the RFCs say. What each
// is good for, and who was seen to need it, stands in docs/ftp.md.
type Quirks struct {
	ASCII          ASCIIMode
	MkdExisting    int    // the code for MKD of a directory that is there: 257, 521 or 550
	MakeParents    Switch // missing directories above a new file or directory are made
	Listing        ListingForm
	SingleLine     Switch // no reply has more than one line
	Features       Switch // FEAT is known
	NameCase       NameCase
	Backslashes    Switch     // a backslash in a path is a slash
	Superfluous    int        // the code for commands that have nothing to do: 202 or 200
	StatLists      Switch     // STAT without an argument lists the current directory
	PassiveAddress netip.Addr // IPv4; shown in the reply to PASV
}

// ASCIIMode is what transfers of type A do.
type ASCIIMode string

// Verbatim: the bytes pass unaltered. Convert: line endings are converted, and what is not text is refused. Refuse: there is no
// type A.
const (
	Verbatim ASCIIMode = "verbatim"
	Convert  ASCIIMode = "convert"
	Refuse   ASCIIMode = "refuse"
)

// ListingForm is how LIST and STAT show a directory.
type ListingForm string

// Unix is that of ls -l, DOS that of Windows' own server.
const (
	Unix ListingForm = "unix"
	DOS  ListingForm = "dos"
)

// NameCase is what becomes of the names that a device sends.
type NameCase string

// AsIs leaves them alone.
const (
	AsIs  NameCase = "as-is"
	Lower NameCase = "lower"
	Upper NameCase = "upper"
)

// Or fills what q leaves open from base.
func (q Quirks) Or(base Quirks) Quirks {
	return Quirks{
		ASCII:          cmp.Or(q.ASCII, base.ASCII),
		MkdExisting:    cmp.Or(q.MkdExisting, base.MkdExisting),
		MakeParents:    cmp.Or(q.MakeParents, base.MakeParents),
		Listing:        cmp.Or(q.Listing, base.Listing),
		SingleLine:     cmp.Or(q.SingleLine, base.SingleLine),
		Features:       cmp.Or(q.Features, base.Features),
		NameCase:       cmp.Or(q.NameCase, base.NameCase),
		Backslashes:    cmp.Or(q.Backslashes, base.Backslashes),
		Superfluous:    cmp.Or(q.Superfluous, base.Superfluous),
		StatLists:      cmp.Or(q.StatLists, base.StatLists),
		PassiveAddress: cmp.Or(q.PassiveAddress, base.PassiveAddress),
	}
}

// name is a path as it is meant by a device that writes it in its own way.
func (q Quirks) name(arg string) string {
	if q.Backslashes == On {
		arg = strings.ReplaceAll(arg, `\`, "/")
	}
	switch q.NameCase {
	case Lower:
		return strings.ToLower(arg)
	case Upper:
		return strings.ToUpper(arg)
	}
	return arg
}

// maxSingleLine bounds the text of a reply that was made one line of several: old devices have buffers for one terminal line.
const maxSingleLine = 74

// shape brings a reply into the form that the device can read.
func (q Quirks) shape(r reply) reply {
	if q.SingleLine != On || len(r.lines) == 0 {
		return r
	}
	r.text, r.lines = strings.Join(r.lines, " "), nil
	if len(r.text) > maxSingleLine {
		r.text = strings.ToValidUTF8(r.text[:maxSingleLine], "")
	}
	return r
}

// superfluous is the code for what need not be done (RFC 959, 4.2.1: 202).
func (q Quirks) superfluous() int { return cmp.Or(q.Superfluous, 202) }

// mkdExisting answers MKD of a name that is taken; only for a directory there are other codes than 550.
func (s *session) mkdExisting(ctx context.Context, name string, cause error) reply {
	code := s.quirks.MkdExisting
	if code == 0 || code == 550 || s.front.gateway.EnterDirectory(ctx, s.who, name) != nil {
		return failure(beforeTransfer, cause)
	}
	return answer(code, quotePath(name)+" directory already exists.") // the text of RFC 959, appendix II
}

// makeParents makes what is missing of a directory and those above it; each is a MKD for the policy. While the far side does not
// answer nothing is done: whether something is missing shows when the file gets there.
func (s *session) makeParents(ctx context.Context, dir string) error {
	if s.quirks.MakeParents != On || dir == "/" {
		return nil
	}
	err := s.front.gateway.EnterDirectory(ctx, s.who, dir)
	if err == nil || gateway.IsTemporary(err) {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.makeParents(ctx, path.Dir(dir)); err != nil {
		return err
	}
	if err := s.front.gateway.Mkdir(ctx, s.who, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
