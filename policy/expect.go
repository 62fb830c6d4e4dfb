// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Expectation is what a rule knows of the files that devices send under it. FTP does not tell a receiver how large a file is, so
// that this is evidence for or against a whole one. It is not a condition: what is not as expected is broken off, for the device
// to send it again, and not denied.
type Expectation struct {
	MinSize   int64      // bytes; 0 is no bound
	MaxSize   int64      // bytes; 0 is no bound
	Companion *Companion // where not nil, names the file that holds the size
	Name      *NameSize  // where not nil, finds the size in the file's own name
}

// String is what is expected, in words.
func (x *Expectation) String() string {
	if x == nil {
		return "nothing"
	}
	var words []string
	if x.MinSize > 0 {
		words = append(words, fmt.Sprintf("at least %d bytes", x.MinSize))
	}
	if x.MaxSize > 0 {
		words = append(words, fmt.Sprintf("at most %d bytes", x.MaxSize))
	}
	if x.Companion != nil {
		words = append(words, "the size in "+x.Companion.String())
	}
	if x.Name != nil {
		words = append(words, "the size in the name "+x.Name.String())
	}
	return strings.Join(words, ", ")
}

// Incomplete says what becomes of an upload that is not whole.
type Incomplete string

// RemoveIncomplete, which is also the zero Incomplete: nothing of it remains. KeepIncomplete: what has come is moved aside.
const (
	RemoveIncomplete Incomplete = "remove"
	KeepIncomplete   Incomplete = "keep"
)

// Companion names, for each file, another one in the same directory that holds its size as a decimal number.
type Companion struct {
	text           string
	prefix, suffix string
	stem           bool // the name without its extension is meant
}

// CompileCompanion makes a Companion of a name with one placeholder: {name} stands for the file's name, {stem} for that without its
// last extension.
func CompileCompanion(text string) (*Companion, error) {
	for _, placeholder := range []string{"{name}", "{stem}"} {
		prefix, suffix, found := strings.Cut(text, placeholder)
		switch {
		case !found:
			continue
		case strings.ContainsAny(prefix+suffix, "/{}"):
			return nil, fmt.Errorf("%q holds more than a name with one placeholder", text)
		case prefix+suffix == "":
			return nil, fmt.Errorf("%q names the file itself", text)
		}
		return &Companion{text: text, prefix: prefix, suffix: suffix, stem: placeholder == "{stem}"}, nil
	}
	return nil, fmt.Errorf("%q has no placeholder: write {name} for the file's name, or {stem} for that without its extension", text)
}

// String is the text that it was compiled from.
func (c *Companion) String() string { return c.text }

// Is reports whether a path is that of a companion, of which no companion is expected.
func (c *Companion) Is(p string) bool {
	name := path.Base(p)
	return len(name) > len(c.prefix)+len(c.suffix) && strings.HasPrefix(name, c.prefix) && strings.HasSuffix(name, c.suffix)
}

// Of is the path of a file's companion.
func (c *Companion) Of(p string) string {
	dir, name := path.Split(p)
	if c.stem {
		if stem := strings.TrimSuffix(name, path.Ext(name)); stem != "" {
			name = stem
		}
	}
	return dir + c.prefix + name + c.suffix
}

// ParseSize reads what a companion holds: a decimal number of bytes, with white space around it.
func (c *Companion) ParseSize(content string) (int64, error) {
	n, err := parseSize(strings.TrimSpace(content))
	if err != nil {
		return 0, fmt.Errorf("the companion holds no size: %w", err)
	}
	return n, nil
}

// NameSize finds the size of a file in its name.
type NameSize struct {
	text string
	re   *regexp.Regexp
}

// CompileNameSize makes a NameSize of a regular expression (the syntax of RE2) for the whole name, with one group named size.
func CompileNameSize(text string) (*NameSize, error) {
	if _, err := regexp.Compile(text); err != nil { // on its own, so that the error speaks of what was written
		return nil, fmt.Errorf("%q is not a regular expression: %w", text, err)
	}
	re, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return nil, fmt.Errorf("%q is not a regular expression: %w", text, err)
	}
	if re.SubexpIndex("size") < 0 {
		return nil, fmt.Errorf("%q has no group for the size: write (?P<size>[0-9]+)", text)
	}
	return &NameSize{text: text, re: re}, nil
}

// String is the text that it was compiled from.
func (n *NameSize) String() string { return n.text }

// ErrNoSize says that a name tells no size.
var ErrNoSize = errors.New("the name tells no size")

// Of is the size that the name of a file tells; the error Is ErrNoSize where it tells none.
func (n *NameSize) Of(p string) (int64, error) {
	m := n.re.FindStringSubmatch(path.Base(p))
	if m == nil {
		return 0, fmt.Errorf("%q does not match %q: %w", path.Base(p), n.text, ErrNoSize)
	}
	size, err := parseSize(m[n.re.SubexpIndex("size")])
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoSize, err)
	}
	return size, nil
}

func parseSize(digits string) (int64, error) {
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		if len(digits) > 32 {
			digits = digits[:32] + "..."
		}
		return 0, fmt.Errorf("%q is not a decimal number of bytes", digits)
	}
	return int64(n), nil
}
