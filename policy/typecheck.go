// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// checkTypes finds what HCL would let pass until the night on which it matters: HCL converts between texts and numbers where it can,
// and calls values of unlike types unequal without a word. ctx holds unknown values of the right types.
func checkTypes(expr hclsyntax.Expression, ctx *hcl.EvalContext) hcl.Diagnostics {
	t := &typeChecker{ctx: ctx}
	// A walker that returns diagnostics of its own would have them collected; t keeps those of the innermost mistakes only.
	if diags := hclsyntax.Walk(expr, t); diags.HasErrors() {
		return diags
	}
	return t.diags
}

type typeChecker struct {
	ctx   *hcl.EvalContext
	diags hcl.Diagnostics
}

func (t *typeChecker) Enter(hclsyntax.Node) hcl.Diagnostics { return nil }

// Exit looks at a node when its operands have been looked at, and not where one of them is wrong: that is reported.
func (t *typeChecker) Exit(node hclsyntax.Node) hcl.Diagnostics {
	if len(t.diags) > 0 {
		return nil
	}
	switch e := node.(type) {
	case *hclsyntax.ForExpr, *hclsyntax.SplatExpr, *hclsyntax.ObjectConsExpr:
		t.fail(node.Range(), "for, [*] and objects cannot be used in conditions.")
	case *hclsyntax.BinaryOpExpr:
		t.binary(e)
	case *hclsyntax.UnaryOpExpr:
		t.operand(e.Val, e.Op.Type)
	case *hclsyntax.ConditionalExpr:
		t.operand(e.Condition, cty.Bool)
	case *hclsyntax.FunctionCallExpr:
		t.call(e)
	}
	return nil
}

func (t *typeChecker) fail(at hcl.Range, format string, args ...any) {
	t.diags = append(t.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid condition", Subject: &at, Detail: fmt.Sprintf(format, args...)})
}

// value is what an operand is as far as it is known; false where it is wrong, which is reported.
func (t *typeChecker) value(e hclsyntax.Expression) (cty.Value, bool) {
	v, diags := e.Value(t.ctx)
	t.diags = append(t.diags, diags...)
	return v, !diags.HasErrors()
}

func (t *typeChecker) operand(e hclsyntax.Expression, want cty.Type) {
	if v, ok := t.value(e); ok && (v.Type() != want || v.IsNull()) {
		t.fail(e.Range(), "%s is needed here, not %s.", capitalized(typeWords(want)), article(v))
	}
}

func (t *typeChecker) binary(e *hclsyntax.BinaryOpExpr) {
	if e.Op != hclsyntax.OpEqual && e.Op != hclsyntax.OpNotEqual {
		want := cty.Number // of <, <=, >, >= as well, whose own type is that of the result
		if e.Op == hclsyntax.OpLogicalAnd || e.Op == hclsyntax.OpLogicalOr {
			want = cty.Bool
		}
		t.operand(e.LHS, want)
		t.operand(e.RHS, want)
		return
	}
	l, lok := t.value(e.LHS)
	r, rok := t.value(e.RHS)
	switch {
	case !lok || !rok:
	case l.IsNull() || r.IsNull():
		t.fail(e.Range(), "Nothing is ever null here; an absent text is \"\" and an absent number is -1.")
	case !l.Type().IsPrimitiveType() || !r.Type().IsPrimitiveType():
		t.fail(e.Range(), "Only texts, numbers, true and false can be compared, not %s with %s.", article(l), article(r))
	case l.Type() != r.Type():
		t.fail(e.Range(), "This compares %s with %s, which are never equal.", article(l), article(r))
	}
}

func (t *typeChecker) call(e *hclsyntax.FunctionCallExpr) {
	f, ok := t.ctx.Functions[e.Name]
	if !ok {
		t.value(e) // HCL's own diagnostic, with a suggestion
		return
	}
	params := f.Params()
	for i, arg := range e.Args {
		v, ok := t.value(arg)
		if !ok {
			return
		}
		want := cty.DynamicPseudoType
		switch {
		case i < len(params):
			want = params[i].Type
		case f.VarParam() != nil:
			want = f.VarParam().Type
		}
		if want.IsPrimitiveType() && v.Type() != want {
			t.fail(arg.Range(), "%s needs %s here, not %s.", e.Name, typeWords(want), article(v))
			return
		}
	}
	t.value(e)
}

func typeWords(t cty.Type) string {
	return article(cty.UnknownVal(t))
}

func capitalized(s string) string { return string(s[0]-'a'+'A') + s[1:] }
