// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxFile bounds one file of a configuration, in bytes. A configuration of ten thousand devices is smaller.
const maxFile = 4 << 20

// Checks are what the configuration needs to know about keys. All of the functions must be set. Their errors are shown as they are.
type Checks struct {
	// WithoutKeys is for questions about the policy alone, on machines that do not have the keys: no key file is looked at.
	WithoutKeys bool

	Identity    func(file string) error                    // can the private key be used?
	HostKey     func(line string) error                    // is it a public key that can be pinned?
	KnownHosts  func(file, address string) error           // does the file know a key of the server at host:port?
	Certificate func(certificate, privateKey string) error // can a zone show the certificate, now?
	ClientCA    func(file string) error                    // are there authorities in the file?

	AgeRecipient func(text string) error            // is it a public key of age?
	AgeIdentity  func(file, recipient string) error // does the file hold the identity of the recipient?
}

// Load reads a file, or all *.hcl files of a directory in the order of their names as one configuration. Where it is wrong, the
// error is a *DiagnosticsError that knows everything that is wrong with it.
func Load(path string, checks Checks) (*Config, error) {
	if checks.Identity == nil || checks.HostKey == nil || checks.KnownHosts == nil || checks.Certificate == nil || checks.ClientCA == nil ||
		checks.AgeRecipient == nil || checks.AgeIdentity == nil {
		return nil, errors.New("load the configuration: a check is missing")
	}
	dir, sources, err := read(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return parse(path, dir, sources, checks)
}

// source is one file of a configuration.
type source struct {
	name string // as the operator knows it
	text []byte
	says string // of a list: what is on it, whatever else the text has
}

// read reads the files at path and says where relative paths start, which is an absolute directory.
func read(path string) (dir string, sources []source, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %s", path, osReason(err))
	}
	files := []string{path}
	dir = filepath.Dir(path)
	if info.IsDir() {
		dir = path
		if files, err = list(path); err != nil {
			return "", nil, err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, fmt.Errorf("find the directory of %s: %w", path, err)
	}
	for _, name := range files {
		text, err := readFile(name)
		if err != nil {
			return "", nil, err
		}
		sources = append(sources, source{name: name, text: text})
	}
	return dir, sources, nil
}

// list names the configuration files of a directory in order. Hidden ones, such as editors leave behind, are none, nor are tests.
func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read %s: %s", dir, osReason(err))
	}
	var files []string
	for _, e := range entries {
		if name := e.Name(); filepath.Ext(name) == ".hcl" && !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, testSuffix) && !e.IsDir() {
			files = append(files, filepath.Join(dir, name))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the directory %s holds no file whose name ends in .hcl", dir)
	}
	return files, nil
}

func readFile(name string) (text []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %s", name, osReason(err))
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %s", name, osReason(err))
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("the file %s is larger than %d bytes, which is no configuration", name, maxFile)
	}
	return text, nil
}

// parse turns sources into a configuration. path is for the error.
func parse(path, dir string, sources []source, checks Checks) (*Config, error) {
	d := newDecoder(dir, checks)
	byName := map[string]*hcl.File{}
	var files []*hcl.File
	for _, s := range sources {
		file, diags := d.parseFile(s)
		d.diags = append(d.diags, diags...)
		byName[s.name], d.texts[s.name] = file, s.text
		files = append(files, file)
	}
	c := d.config(files)
	if len(d.diags) > 0 {
		order(d.diags, sources)
		return nil, &DiagnosticsError{path: path, diags: d.diags, files: withoutSecrets(byName), digest: digest(append(sources, d.listed...))}
	}
	for _, s := range sources {
		c.Files = append(c.Files, s.name)
	}
	for _, s := range d.listed {
		c.Lists = append(c.Lists, s.name)
	}
	c.Digest = digest(append(sources, d.listed...))
	c.Policy = c.Policy.WithDigest(c.Digest)
	return c, nil
}

// parseFile parses one file. One with a syntax error is decoded as far as it goes, but what is missing then proves nothing.
func (d *decoder) parseFile(s source) (*hcl.File, hcl.Diagnostics) {
	if at, too := tooComplex(s); too {
		d.broken = true
		return &hcl.File{Body: hcl.EmptyBody(), Bytes: s.text}, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Too complicated", Subject: &at,
			Detail: fmt.Sprintf("At this place more than %d brackets are open, or one value is made of more than %d words and signs.", maxDepth, maxRun),
		}}
	}
	file, diags := hclsyntax.ParseConfig(s.text, s.name, hcl.InitialPos)
	if diags.HasErrors() {
		d.broken = true
		diags = untilOpenQuote(diags)
	}
	if file == nil {
		file = &hcl.File{Body: hcl.EmptyBody(), Bytes: s.text}
	}
	return file, diags
}

// untilOpenQuote drops what follows the first text whose closing quote is missing. Behind it the parser takes texts for code and
// code for texts, and would complain about nearly every line of the file.
func untilOpenQuote(diags hcl.Diagnostics) hcl.Diagnostics {
	var quote *hcl.Range
	for _, diag := range diags {
		if diag.Subject != nil && diag.Summary == "Invalid multi-line string" && (quote == nil || diag.Subject.Start.Byte < quote.Start.Byte) {
			quote = diag.Subject
		}
	}
	if quote == nil {
		return diags
	}
	return slices.DeleteFunc(diags, func(diag *hcl.Diagnostic) bool {
		return diag.Subject != nil && diag.Subject != quote && diag.Subject.Start.Byte >= quote.Start.Byte
	})
}

// digest identifies what was read: the base names, so that it does not hang on where the files lie, and the contents.
func digest(sources []source) string {
	h := sha256.New()
	field := func(b []byte) {
		// A hash never returns an error. Lengths keep one field from running into the next.
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		_, _ = h.Write(b)
	}
	for _, s := range sources {
		field([]byte(filepath.Base(s.name)))
		field(s.text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// order sorts diagnostics the way that a reader goes through the files; those about no place come last.
func order(diags hcl.Diagnostics, sources []source) {
	index := map[string]int{}
	for i, s := range sources {
		index[s.name] = i
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return cmp.Compare(boolToInt(a.Subject == nil), boolToInt(b.Subject == nil))
		}
		return cmp.Or(
			cmp.Compare(index[a.Subject.Filename], index[b.Subject.Filename]),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
		)
	})
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
