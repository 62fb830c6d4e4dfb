// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// DiagnosticsError is everything that is wrong with a configuration.
type DiagnosticsError struct {
	path   string
	diags  hcl.Diagnostics
	files  map[string]*hcl.File
	digest string
}

// Digest is that of what was read, as Config.Digest would be; empty where nothing could be.
func (e *DiagnosticsError) Digest() string { return e.digest }

// Count is the number of mistakes, at least one.
func (e *DiagnosticsError) Count() int { return len(e.diags) }

// Error is a summary in one line.
func (e *DiagnosticsError) Error() string {
	if len(e.diags) == 1 {
		return fmt.Sprintf("1 error in %s: %s", e.path, e.diags[0].Summary)
	}
	return fmt.Sprintf("%d errors in %s", len(e.diags), e.path)
}

// WriteText writes every diagnostic with the source lines that it is about. Details are wrapped at width columns, unless it is 0;
// color marks them with escape sequences for terminals. Values of attributes that hold secrets are covered up. An error is w's.
func (e *DiagnosticsError) WriteText(w io.Writer, width int, color bool) error {
	writer := hcl.NewDiagnosticTextWriter(w, e.files, uint(max(width, 0)), color)
	if err := writer.WriteDiagnostics(e.diags); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

// unreadable is the error for a configuration that could not even be read.
func unreadable(path string, err error) error {
	return &DiagnosticsError{path: path, diags: hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "The configuration cannot be read",
		Detail:   capital(err.Error()) + ".",
	}}}
}

// withoutSecrets returns the files with every password covered up: diagnostics end up in logs.
func withoutSecrets(files map[string]*hcl.File) map[string]*hcl.File {
	masked := make(map[string]*hcl.File, len(files))
	for name, f := range files {
		text := slices.Clone(f.Bytes)
		if b, ok := f.Body.(*hclsyntax.Body); ok {
			maskBody(text, b)
		}
		maskLines(text)
		masked[name] = &hcl.File{Body: f.Body, Bytes: text, Nav: f.Nav}
	}
	return masked
}

// secretive reports whether an attribute of this name holds a password, the right name or a wrong one.
func secretive(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "pass") && !strings.HasPrefix(name, "passive")
}

func maskBody(text []byte, b *hclsyntax.Body) {
	for name, attr := range b.Attributes {
		if r := attr.Expr.Range(); secretive(name) && r.CanSliceBytes(text) {
			cover(text[r.Start.Byte:r.End.Byte])
		}
	}
	for _, block := range b.Blocks {
		maskBody(text, block.Body)
	}
}

// maskLines covers up what stands behind the equals sign of lines that only look like attributes: in a file with a syntax error the
// parser may not have seen them as such.
func maskLines(text []byte) {
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		name, value, ok := bytes.Cut(line, []byte("="))
		if words := strings.Fields(string(name)); ok && len(words) == 1 && secretive(words[0]) {
			cover(value)
		}
	}
}

// cover writes over a value and leaves its quotes and blanks, so that the snippet keeps its shape.
func cover(value []byte) {
	for i, c := range value {
		if !bytes.ContainsRune([]byte("\"\r\n\t "), rune(c)) {
			value[i] = '*'
		}
	}
}
