// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Template says under which path an upload is published. It is an expression of the Language that yields a text and does not depend
// on what is only known when the last byte has come: the far side is opened when the first one does.
type Template struct {
	language *Language
	expr     hclsyntax.Expression
	source   string
}

// String is the template as it is written, on one line.
func (t *Template) String() string { return strings.Join(strings.Fields(t.source), " ") }

// CompileTemplate checks a template as Compile checks a condition.
func (l *Language) CompileTemplate(expr hcl.Expression, source string) (*Template, hcl.Diagnostics) {
	at := expr.Range()
	invalid := func(format string, args ...any) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid path", Subject: &at, Detail: fmt.Sprintf(format, args...)}}
	}
	native, ok := expr.(hclsyntax.Expression)
	if !ok {
		return nil, invalid("Paths are written in HCL's own syntax.")
	}
	ctx := &hcl.EvalContext{Variables: l.unknown(), Functions: l.functions}
	if diags := checkTypes(native, ctx); diags.HasErrors() {
		return nil, diags
	}
	value, diags := native.Value(ctx)
	switch {
	case diags.HasErrors():
		return nil, diags
	case value.Type() != cty.String || value.IsNull():
		return nil, invalid("A path is a text, but this is %s.", article(value))
	case slices.ContainsFunc(native.Variables(), late):
		return nil, invalid("The path of a file cannot depend on its size: it is needed before the last byte has come.")
	case value.IsKnown():
		return nil, invalid("Every file would be published under the name %q, each in place of the one before. Use ${file.name} or the like.", value.AsString())
	}
	return &Template{language: l, expr: native, source: source}, nil
}

// late reports whether a variable has no value before the last byte of an upload has come.
func late(t hcl.Traversal) bool {
	if t.RootName() != "file" || len(t) < 2 {
		return t.RootName() == "file" // the whole object
	}
	attr, ok := t[1].(hcl.TraverseAttr)
	return !ok || attr.Name == "size"
}

// path evaluates the template for what is asked. It is absolute and clean, and never leaves the place that it starts from.
func (t *Template) path(s *scope, place *time.Location) (string, error) {
	value, diags := t.expr.Value(&hcl.EvalContext{Variables: s.variables(t.language, place), Functions: t.language.functions})
	switch {
	case diags.HasErrors():
		return "", errors.New(diags[0].Summary + ": " + diags[0].Detail)
	case value.IsNull() || !value.IsKnown() || value.Type() != cty.String:
		return "", errors.New("the path is not a text")
	}
	text := value.AsString()
	if slices.Contains(strings.Split(text, "/"), "..") || strings.HasSuffix(text, "/") || path.Clean("/"+text) == "/" {
		return "", fmt.Errorf("%q is not the path of a file", text)
	}
	return path.Clean("/" + text), nil
}
