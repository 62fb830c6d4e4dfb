// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// timeValue is RFC 3659, 2.3: a time in UTC without a separator.
const timeValue = "20060102150405"

func (s *session) pwd(context.Context, *exchange) reply {
	return answer(257, quotePath(s.cwd)+" is the current directory.")
}

func (s *session) mkd(ctx context.Context, x *exchange) reply {
	name := s.abs(x.args)
	err := s.front.gateway.Mkdir(ctx, s.who, name)
	if errors.Is(err, fs.ErrNotExist) && s.quirks.MakeParents == On {
		if err = s.makeParents(ctx, path.Dir(name)); err == nil {
			err = s.front.gateway.Mkdir(ctx, s.who, name)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return s.mkdExisting(ctx, name, err)
	case err != nil:
		return failure(beforeTransfer, err)
	}
	return answer(257, quotePath(name)+" created.")
}

// quotePath puts a path into quotes, its own ones doubled (RFC 959, appendix II).
func quotePath(p string) string { return `"` + strings.ReplaceAll(p, `"`, `""`) + `"` }

func (s *session) rmd(ctx context.Context, x *exchange) reply {
	if err := s.front.gateway.RemoveDir(ctx, s.who, s.abs(x.args)); err != nil {
		return failure(beforeTransfer, err)
	}
	return answer(250, "Directory removed.")
}

func (s *session) dele(ctx context.Context, x *exchange) reply {
	if err := s.front.gateway.Remove(ctx, s.who, s.abs(x.args)); err != nil {
		return failure(beforeTransfer, err)
	}
	return answer(250, "File removed.")
}

func (s *session) rnfr(ctx context.Context, x *exchange) reply {
	name := s.abs(x.args)
	if err := s.front.gateway.RenameFrom(ctx, s.who, name); err != nil {
		return failure(beforeTransfer, err)
	}
	s.renameFrom = name
	return answer(350, "Ready for the new name.")
}

func (s *session) rnto(ctx context.Context, x *exchange) reply {
	from := s.renameFrom
	s.renameFrom = ""
	if from == "" {
		return answer(503, "Send RNFR first.")
	}
	if err := s.front.gateway.Rename(ctx, s.who, from, s.abs(x.args)); err != nil {
		return failure(beforeTransfer, err)
	}
	return answer(250, "Renamed.")
}

// size answers with what RETR would send (RFC 3659, 4). Where that is not what is stored, the whole file would have to be read to
// count it: that is refused rather than answered with a number that is wrong.
func (s *session) size(ctx context.Context, x *exchange) reply {
	if !s.form().verbatim() {
		return answer(550, "SIZE needs TYPE I and STRU F.")
	}
	info, r := s.plainFile(ctx, x.args)
	if info == nil {
		return r
	}
	return answer(213, strconv.FormatInt(info.Size(), 10))
}

func (s *session) mdtm(ctx context.Context, x *exchange) reply {
	info, r := s.plainFile(ctx, x.args)
	if info == nil {
		return r
	}
	return answer(213, info.ModTime().UTC().Format(timeValue))
}

func (s *session) plainFile(ctx context.Context, arg string) (fs.FileInfo, reply) {
	info, err := s.front.gateway.Stat(ctx, s.who, s.abs(arg))
	switch {
	case err != nil:
		return nil, failure(beforeTransfer, err)
	case !info.Mode().IsRegular():
		return nil, answer(550, "Not a plain file.")
	}
	return info, reply{}
}

// mfmt sets a file's time (draft-somers-ftp-mfxx-04, 3).
func (s *session) mfmt(ctx context.Context, x *exchange) reply {
	value, name, _ := strings.Cut(x.args, " ")
	t, err := time.Parse(timeValue, value)
	if err != nil || name == "" {
		return answer(501, "Invalid time or name.")
	}
	if err := s.front.gateway.SetModTime(ctx, s.who, s.abs(name), t); err != nil {
		return failure(beforeTransfer, err)
	}
	return answer(213, "Modify="+value+"; "+name)
}

// site has the two sub-commands that devices use.
func (s *session) site(ctx context.Context, x *exchange) reply {
	sub, args, _ := strings.Cut(x.secret.Reveal(), " ")
	switch strings.ToUpper(sub) {
	case "HELP":
		return siteHelp()
	case "CHMOD":
		return s.chmod(ctx, args)
	}
	return answer(504, "SITE command not implemented.")
}

func (s *session) chmod(ctx context.Context, args string) reply {
	octal, name, _ := strings.Cut(args, " ")
	mode, err := strconv.ParseUint(octal, 8, 32)
	if err != nil || mode > 0o777 || name == "" {
		return answer(501, "Invalid mode or name.")
	}
	if err := s.front.gateway.Chmod(ctx, s.who, s.abs(name), fs.FileMode(mode)); err != nil {
		return failure(beforeTransfer, err)
	}
	return answer(200, "Mode changed.")
}

// stat alone is about the session, with an argument it is LIST over the control connection (RFC 959, 4.1.3).
func (s *session) stat(ctx context.Context, x *exchange) reply {
	if x.args == "" && !(s.quirks.StatLists == On && s.who.Device != "") {
		return s.status("No transfer is running.")
	}
	if s.who.Device == "" {
		return answer(530, "Please log in with USER and PASS.")
	}
	entries, dir, err := s.find(ctx, x.args)
	if err != nil {
		return failure(beforeTransfer, err)
	}
	r := reply{code: 213, lines: []string{"Status:"}, text: "End"}
	if dir {
		r.code = 212
	}
	now := s.front.now()
	for _, e := range entries {
		r.lines = append(r.lines, s.listLine(e, now))
	}
	return r
}

func (s *session) status(transfer string) reply {
	lines := []string{"Status of the session:", "Not logged in."}
	if s.who.Device != "" {
		lines[1] = "Logged in as " + s.who.Device + "."
	}
	return reply{code: 211, lines: append(lines, fmt.Sprintf("TYPE: %s; STRU: %s; MODE: S.", s.typeName(), s.structure()), transfer), text: "End"}
}
