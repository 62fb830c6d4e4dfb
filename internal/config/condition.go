// SPDX-License-Identifier: Apache-2.0

package config

import (
	"github.com/ftpgw/ftpgw/policy"
)

// condition checks and compiles an attribute that is an expression. It is nil where the attribute is absent or wrong.
func (b body) condition(name string, language *policy.Language) *policy.Condition {
	attr, ok := b.content.Attributes[name]
	if !ok || b.unsure["device"] {
		return nil
	}
	condition, diags := language.Compile(attr.Expr, b.textOf(attr.Expr.Range()))
	b.diags = append(b.diags, diags...)
	return condition
}

// template checks and compiles an attribute that is a template. It is nil where the attribute is absent or wrong.
func (b body) template(name string, language *policy.Language) *policy.Template {
	attr, ok := b.content.Attributes[name]
	if !ok || b.unsure["device"] {
		return nil
	}
	template, diags := language.CompileTemplate(attr.Expr, b.textOf(attr.Expr.Range()))
	b.diags = append(b.diags, diags...)
	return template
}
