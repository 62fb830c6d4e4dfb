// SPDX-License-Identifier: Apache-2.0

package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// hcl's parser and its expressions call themselves for each bracket, operator and index. A stack that overflows ends the whole
// program, which a broken file must not do to running transfers when it is loaded again; so both are bounded before parsing.
const (
	maxDepth = 100  // brackets open at once
	maxRun   = 1000 // tokens of one value, or of one element of a list
)

// tooComplex finds the place where a file goes beyond maxDepth or maxRun.
func tooComplex(s source) (hcl.Range, bool) {
	// What the scanner complains about is reported by the parser; the tokens are all there nevertheless.
	tokens, _ := hclsyntax.LexConfig(s.text, s.name, hcl.InitialPos)
	depth, run := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenNewline, hclsyntax.TokenComment:
			continue
		case hclsyntax.TokenEqual, hclsyntax.TokenComma:
			run = 0
			continue
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth = max(0, depth-1)
		}
		if run++; run > maxRun || depth > maxDepth {
			return t.Range, true
		}
	}
	return hcl.Range{}, false
}
