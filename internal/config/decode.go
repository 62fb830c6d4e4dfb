// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// decoder collects what is wrong while one configuration is decoded.
type decoder struct {
	dir    string            // absolute; relative paths start here
	texts  map[string][]byte // the files by name
	listed []source          // further files that are part of the configuration
	checks Checks
	diags  hcl.Diagnostics
	// What seems to be missing is not reported where it may only have been unreadable, since that would repeat, in a misleading
	// way, a mistake that is reported already. broken says that a file has syntax errors, so that anything may be missing; unsure
	// holds the kinds of blocks of which some are misspelt.
	broken   bool
	unsure   map[string]bool
	profiles map[string]Quirks    // by label
	first    map[string]hcl.Range // where a labelled block, or one that may stand once, stood first
}

func newDecoder(dir string, checks Checks) *decoder {
	return &decoder{
		dir: dir, checks: checks, unsure: map[string]bool{}, profiles: map[string]Quirks{}, first: map[string]hcl.Range{}, texts: map[string][]byte{},
	}
}

// located is a piece of text and the place where it is written.
type located struct {
	text string
	at   hcl.Range
}

// body is one block that is being decoded.
type body struct {
	*decoder
	spec    blockSpec
	content *hcl.BodyContent
	label   string
	header  hcl.Range
	excused map[string]bool // required attributes that seem to be there, misspelt
}

func (d *decoder) fail(at hcl.Range, summary, format string, args ...any) {
	diag := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}
	if at.Filename != "" {
		diag.Subject = &at
	}
	d.diags = append(d.diags, diag)
}

// open checks a block's body against its spec: unknown attributes and blocks are reported, with suggestions.
func (d *decoder) open(spec blockSpec, content hcl.Body, label string, header hcl.Range) body {
	b := body{decoder: d, spec: spec, label: label, header: header, excused: map[string]bool{}}
	var diags hcl.Diagnostics
	b.content, diags = content.Content(spec.schema())
	if d.broken {
		diags = slices.DeleteFunc(diags, swallowed)
	}
	d.diags = append(d.diags, diags...)
	native, ok := content.(*hclsyntax.Body)
	if !ok {
		return b
	}
	for name := range native.Attributes {
		if _, known := spec.attribute(name); !known {
			b.excused[nearest(name, spec.attributeNames())] = true
		}
	}
	for _, block := range native.Blocks {
		if near := nearest(block.Type, spec.blockNames()); near != block.Type || len(block.Labels) != spec.labels(near) {
			d.unsure[near] = true
		}
	}
	return b
}

// swallowed finds complaints about blocks that stand in other blocks only because a closing brace is missing.
func swallowed(diag *hcl.Diagnostic) bool {
	if diag.Summary != "Unsupported block type" {
		return false
	}
	return slices.ContainsFunc(rootSpec().blockNames(), func(name string) bool {
		return strings.HasPrefix(diag.Detail, fmt.Sprintf("Blocks of type %q are not", name))
	})
}

// once reports whether this is the first block of its kind and label, and complains where it is not.
func (d *decoder) once(spec blockSpec, block *hcl.Block) bool {
	key, name := spec.name, "The "+spec.name+" block"
	if spec.label != "" {
		key, name = spec.name+" "+block.Labels[0], fmt.Sprintf("%s %q", capital(spec.name), block.Labels[0])
	}
	if earlier, seen := d.first[key]; seen {
		d.fail(block.DefRange, "Duplicate "+spec.name, "%s was already defined at %s.", name, place(earlier))
		return false
	}
	d.first[key] = block.DefRange
	return true
}

// place names a position the way that editors and compilers do.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// value evaluates an attribute; false where it is absent (null included) or wrong, which is reported.
func (b body) value(name string) (cty.Value, hcl.Range, bool) {
	attr, ok := b.content.Attributes[name]
	if !ok {
		b.missing(name, b.header)
		return cty.NilVal, b.header, false
	}
	at := attr.Expr.Range()
	value, diags := attr.Expr.Value(nil)
	b.diags = append(b.diags, diags...)
	switch {
	case diags.HasErrors() || !value.IsWhollyKnown():
		return cty.NilVal, at, false
	case value.IsNull():
		b.missing(name, at)
		return cty.NilVal, at, false
	}
	return value, at, true
}

func (b body) missing(name string, at hcl.Range) {
	a, _ := b.spec.attribute(name)
	if a.required && !b.excused[name] && !b.broken {
		b.fail(at, "Missing "+name, "%s needs %s, for example %s = %s: %s", b.title(), name, name, a.example, a.meaning)
	}
}

// title names the block for messages.
func (b body) title() string {
	if b.label == "" {
		return "The " + b.spec.name + " block"
	}
	return fmt.Sprintf("%s %q", capital(b.spec.name), b.label)
}

// text is the attribute's value, or its default. It is false where there is neither, or the value is wrong, which is reported.
func (b body) text(name string) (located, bool) {
	value, at, ok := b.value(name)
	if !ok {
		a, _ := b.spec.attribute(name)
		_, written := b.content.Attributes[name]
		return located{a.fallback, at}, a.fallback != "" && !written
	}
	return b.asText(name, value, at)
}

func (b body) asText(name string, value cty.Value, at hcl.Range) (located, bool) {
	text, err := convert.Convert(value, cty.String)
	if err != nil || text.IsNull() {
		b.fail(at, "Invalid "+name, "One text or number is needed here, not %s.", typeName(value))
		return located{at: at}, false
	}
	return located{text.AsString(), at}, true
}

// list is the elements of a list attribute, each with its own place. It is nil where the attribute is absent or wrong.
func (b body) list(name string) []located {
	value, at, ok := b.value(name)
	if !ok {
		return nil
	}
	if value.Type() == cty.String {
		b.fail(at, "Invalid "+name, "A list is needed here: write [%q].", value.AsString())
		return nil
	}
	elements, diags := hcl.ExprList(b.content.Attributes[name].Expr)
	if diags.HasErrors() {
		b.fail(at, "Invalid "+name, "A list of texts in square brackets is needed here, not %s.", typeName(value))
		return nil
	}
	if len(elements) == 0 {
		b.fail(at, "Empty "+name, "A list without elements says nothing. Name at least one element%s.", b.leaveOut(name))
		return nil
	}
	var list []located
	for _, e := range elements {
		v, diags := e.Value(nil)
		b.diags = append(b.diags, diags...)
		if diags.HasErrors() {
			continue
		}
		if text, ok := b.asText(name, v, e.Range()); ok {
			list = append(list, text)
		}
	}
	return list
}

func (b body) leaveOut(name string) string {
	if a, _ := b.spec.attribute(name); a.absent != "" && a.kind != kindOperations {
		return ", or leave the attribute out, which means: " + a.absent
	}
	return ""
}

// typeName is what operators call a value's type.
func typeName(value cty.Value) string {
	switch t := value.Type(); {
	case value.IsNull():
		return "null"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		return "an object"
	default:
		return "a " + t.FriendlyName()
	}
}

// textOf is what is written in a range.
func (d *decoder) textOf(r hcl.Range) string {
	if text := d.texts[r.Filename]; r.CanSliceBytes(text) {
		return string(r.SliceBytes(text))
	}
	return ""
}

// has reports whether the attribute is written in the block, right or wrong.
func (b body) has(name string) bool {
	_, ok := b.content.Attributes[name]
	return ok || b.excused[name]
}

// valueRange is where the attribute's value is written, or the block's header.
func (b body) valueRange(name string) hcl.Range {
	if attr, ok := b.content.Attributes[name]; ok {
		return attr.Expr.Range()
	}
	return b.header
}

// path is a file name, made absolute.
func (b body) path(name string) string {
	text, ok := b.text(name)
	if !ok {
		return ""
	}
	if text.text == "" {
		b.fail(text.at, "Invalid "+name, "The path is empty.")
		return ""
	}
	if filepath.IsAbs(text.text) {
		return filepath.Clean(text.text)
	}
	return filepath.Join(b.dir, text.text)
}
