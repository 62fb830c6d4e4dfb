// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

// entry is one line of a listing: the name as it is shown, and what is known of it.
type entry struct {
	name string
	info fs.FileInfo
}

// list answers in the form of ls -l, which is what clients parse for want of a standard, or in that of DOS.
func (s *session) list(ctx context.Context, x *exchange) reply {
	now := s.front.now()
	entries, _, err := s.find(ctx, stripOptions(x.args))
	return s.sendListing(ctx, x, entries, err, func(e entry) string { return s.listLine(e, now) })
}

func (s *session) listLine(e entry, now time.Time) string {
	if s.quirks.Listing == DOS {
		return dosLine(e.info, e.name)
	}
	return longLine(e.info, e.name, now)
}

// nlst sends names only, each usable as the argument of RETR from the current directory (RFC 959, 4.1.3; RFC 1123, 4.1.2.7).
func (s *session) nlst(ctx context.Context, x *exchange) reply {
	arg := s.quirks.name(stripOptions(x.args))
	entries, dir, err := s.find(ctx, arg)
	prefix := ""
	if arg != "" {
		prefix = path.Dir(arg)
		if dir {
			prefix = arg
		}
	}
	return s.sendListing(ctx, x, entries, err, func(e entry) string {
		if prefix == "" || prefix == "." && !dir {
			return e.name
		}
		return path.Join(prefix, e.name)
	})
}

// mlsd lists a directory in machine-readable form (RFC 3659, 7).
func (s *session) mlsd(ctx context.Context, x *exchange) reply {
	entries, dir, err := s.lookAt(ctx, s.abs(x.args))
	if err == nil && !dir {
		return answer(501, "Not a directory.")
	}
	return s.sendListing(ctx, x, entries, err, func(e entry) string { return s.factLine(e.info) + e.name })
}

// mlst describes one name over the control connection (RFC 3659, 7).
func (s *session) mlst(ctx context.Context, x *exchange) reply {
	name := s.abs(x.args)
	info, err := s.front.gateway.Stat(ctx, s.who, name)
	if err != nil {
		return failure(beforeTransfer, err)
	}
	return reply{code: 250, lines: []string{"Listing:", s.factLine(info) + name}, text: "End"}
}

// sendListing sends lines over the data connection, or says why there are none before one is opened.
func (s *session) sendListing(ctx context.Context, x *exchange, entries []entry, err error, line func(entry) string) reply {
	if err != nil {
		return failure(beforeTransfer, err)
	}
	return s.transfer(ctx, x, toDevice, &listingFile{form: form{records: s.records}, entries: entries, line: line}, "Sending the listing.")
}

// find looks at a file or directory, or at the names in a directory that match a pattern in the last element.
func (s *session) find(ctx context.Context, arg string) (entries []entry, dir bool, err error) {
	name := s.abs(arg)
	pattern := path.Base(arg)
	if !strings.ContainsAny(pattern, "*?[") {
		return s.lookAt(ctx, name)
	}
	// A name may hold such characters itself: what is there under it is meant. Where it may not be looked at, a pattern is.
	if entries, dir, err = s.lookAt(ctx, name); err == nil || gateway.IsTemporary(err) {
		return entries, dir, err
	}
	all, dir, err := s.lookAt(ctx, path.Dir(name))
	if err != nil || !dir {
		return nil, false, err
	}
	for _, e := range all {
		if ok, err := path.Match(pattern, e.name); ok && err == nil {
			entries = append(entries, e)
		}
	}
	return entries, false, nil
}

func (s *session) lookAt(ctx context.Context, name string) (entries []entry, dir bool, err error) {
	infos, dir, err := s.front.gateway.ReadDir(ctx, s.who, name)
	if err != nil {
		return nil, false, err
	}
	entries = make([]entry, len(infos))
	for i, info := range infos {
		entries[i] = entry{name: info.Name(), info: info}
	}
	if !dir && len(entries) == 1 {
		entries[0].name = path.Base(name)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return entries, dir, nil
}

// stripOptions takes the options of ls off an argument: clients send them, and everything is shown in any case.
func stripOptions(arg string) string {
	for strings.HasPrefix(arg, "-") {
		option, rest, _ := strings.Cut(arg, " ")
		if !isOption(option) {
			return arg
		}
		arg = strings.TrimLeft(rest, " ")
	}
	return arg
}

// isOption reports whether a word is made of ls's letters: a name that begins with a dash is a name.
func isOption(word string) bool {
	return len(word) > 1 && strings.Trim(word[1:], "aAlLR1dFtrSh") == ""
}

// longLine is one line of ls -l. Owner, group and the number of links mean nothing across the boundary.
func longLine(info fs.FileInfo, name string, now time.Time) string {
	kind := byte('-')
	switch {
	case info.IsDir():
		kind = 'd'
	case info.Mode()&fs.ModeSymlink != 0:
		kind = 'l'
	}
	t := info.ModTime().UTC()
	layout := "Jan _2 15:04"
	if age := now.Sub(t); age > 182*24*time.Hour || age < -24*time.Hour {
		layout = "Jan _2  2006"
	}
	line := append(make([]byte, 0, 64+len(name)), kind)
	line = append(line, info.Mode().Perm().String()[1:]...)
	line = fmt.Appendf(line, " 1 ftp ftp %12d ", info.Size())
	line = append(t.AppendFormat(line, layout), ' ')
	return string(append(line, name...))
}

// dosLine is one line in the form of Windows' own server.
func dosLine(info fs.FileInfo, name string) string {
	size := fmt.Sprintf("%20d", info.Size())
	if info.IsDir() {
		size = "      <DIR>         "
	}
	return fmt.Sprintf("%s %s %s", info.ModTime().UTC().Format("01-02-06  03:04PM"), size, name)
}

// allFacts are the facts of MLST and MLSD in the order in which they are shown.
func allFacts() []string { return []string{"type", "size", "modify"} }

// factLine is the facts of one entry, up to and with the space in front of the name.
func (s *session) factLine(info fs.FileInfo) string {
	var b strings.Builder
	for _, fact := range s.facts {
		switch fact {
		case "type":
			kind := "file"
			switch {
			case info.IsDir():
				kind = "dir"
			case info.Mode()&fs.ModeSymlink != 0:
				kind = "OS.unix=symlink"
			}
			fmt.Fprintf(&b, "type=%s;", kind)
		case "size":
			if !info.IsDir() {
				fmt.Fprintf(&b, "size=%d;", info.Size())
			}
		case "modify":
			fmt.Fprintf(&b, "modify=%s;", info.ModTime().UTC().Format(timeValue))
		}
	}
	return b.String() + " "
}
