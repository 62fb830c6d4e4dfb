// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Language is what conditions are written in: the variables of schema, the labels that devices have, and the functions.
type Language struct {
	labels    []string
	functions map[string]function.Function
}

// NewLanguage makes the language for a configuration whose devices have these labels.
func NewLanguage(labels []string) *Language {
	return &Language{labels: labels, functions: functions()}
}

// Condition is an expression of the language that is known to be well typed and to yield true, false or "not known yet".
type Condition struct {
	language *Language
	expr     hclsyntax.Expression
	source   string
}

// String is the condition as it is written, on one line.
func (c *Condition) String() string { return strings.Join(strings.Fields(c.source), " ") }

// Compile checks an expression: names that do not exist, operators between types that do not go together and a result that is
// neither true nor false are diagnostics. source is its text, for explanations.
func (l *Language) Compile(expr hcl.Expression, source string) (*Condition, hcl.Diagnostics) {
	native, ok := expr.(hclsyntax.Expression)
	if !ok {
		at := expr.Range()
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid condition", Subject: &at, Detail: "Conditions are written in HCL's own syntax."}}
	}
	ctx := &hcl.EvalContext{Variables: l.unknown(), Functions: l.functions}
	if diags := checkTypes(native, ctx); diags.HasErrors() {
		return nil, diags
	}
	value, diags := native.Value(ctx)
	if diags.HasErrors() {
		return nil, diags
	}
	if value.Type() != cty.Bool || value.IsNull() {
		at := expr.Range()
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid condition", Subject: &at,
			Detail: fmt.Sprintf("A condition is true or false, but this is %s.", article(value))}}
	}
	return &Condition{language: l, expr: native, source: source}, nil
}

// evaluate answers the condition for what is asked, with times of day as told at the place.
func (c *Condition) evaluate(s *scope, place *time.Location) (outcome, error) {
	value, diags := c.expr.Value(&hcl.EvalContext{Variables: s.variables(c.language, place), Functions: c.language.functions})
	switch {
	case diags.HasErrors():
		return failed, errors.New(diags[0].Summary + ": " + diags[0].Detail)
	case value.IsNull() || value.Type() != cty.Bool:
		return failed, errors.New("the result is neither true nor false")
	case !value.IsKnown():
		return pending, nil
	case value.True():
		return matched, nil
	}
	return notMatched, nil
}

// article is a value's type in words.
func article(v cty.Value) string {
	switch t := v.Type(); {
	case v.IsNull():
		return "null"
	case t == cty.DynamicPseudoType:
		return "of a type that is not known before it is used"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		return "an object"
	case t == cty.String:
		return "a text"
	case t == cty.Bool:
		return "true or false"
	default:
		return "a " + t.FriendlyName()
	}
}
