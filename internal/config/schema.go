// SPDX-License-Identifier: Apache-2.0

package config

import (
	"github.com/hashicorp/hcl/v2"
)

// kind is the type of an attribute's value, as the reference names it.
type kind string

const (
	kindText         kind = "text"
	kindPath         kind = "path"
	kindDuration     kind = "duration"
	kindPeriod       kind = "period"
	kindSize         kind = "size"
	kindNumber       kind = "number"
	kindRate         kind = "rate"
	kindAddressPort  kind = "address and port"
	kindAddress      kind = "address"
	kindPortRange    kind = "port range"
	kindPrefixes     kind = "list of CIDR prefixes"
	kindPatterns     kind = "list of patterns"
	kindOperations   kind = "list of operations"
	kindRequirements kind = "list of requirements"
	kindFlag         kind = "true or false"
	kindSpans        kind = "list of spans of the day"
	kindWeekdays     kind = "list of weekdays"
	kindInstant      kind = "moment"
	kindLabels       kind = "labels"
	kindCondition    kind = "condition"
	kindNames        kind = "list of names"
	kindTemplate     kind = "template"
)

// attribute describes one attribute of a block. Schema, default value and reference are all made from it.
type attribute struct {
	name     string
	kind     kind
	required bool
	fallback string // the default, as it would be written without quotes; empty where there is none
	absent   string // what it means to leave out an attribute that has neither a default nor required
	meaning  string
	example  string // as it would be written, quotes included
}

// blockSpec describes one block.
type blockSpec struct {
	name       string
	label      string // what the label is; empty for a block without one
	count      string // how often it may stand, in words
	meaning    string
	attributes []attribute
	blocks     []blockSpec
}

// schema is the block's schema for hcl. Nothing is marked as required there: this package checks that itself, since hcl would call
// a misspelt attribute both unsupported and missing.
func (s blockSpec) schema() *hcl.BodySchema {
	schema := new(hcl.BodySchema)
	for _, a := range s.attributes {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a.name})
	}
	for _, b := range s.blocks {
		header := hcl.BlockHeaderSchema{Type: b.name}
		if b.label != "" {
			header.LabelNames = []string{"name"}
		}
		schema.Blocks = append(schema.Blocks, header)
	}
	return schema
}

func (s blockSpec) attribute(name string) (attribute, bool) {
	for _, a := range s.attributes {
		if a.name == name {
			return a, true
		}
	}
	return attribute{}, false
}

// labels is the number of labels that the named inner block has.
func (s blockSpec) labels(block string) int {
	for _, b := range s.blocks {
		if b.name == block && b.label != "" {
			return 1
		}
	}
	return 0
}

func (s blockSpec) attributeNames() []string {
	var names []string
	for _, a := range s.attributes {
		names = append(names, a.name)
	}
	return names
}

func (s blockSpec) blockNames() []string {
	var names []string
	for _, b := range s.blocks {
		names = append(names, b.name)
	}
	return names
}

// rootSpec is the top level of a configuration.
func rootSpec() blockSpec {
	return blockSpec{attributes: islandAttributes(), blocks: []blockSpec{zoneSpec(), conduitSpec(), auditSpec(), deviceSpec(), groupSpec(), ruleSpec(), profileSpec(), gatewaySpec(), limitsSpec(), spoolSpec()}}
}
