// SPDX-License-Identifier: Apache-2.0

// Package config turns HCL files into a typed configuration.
//
// Load reads one file, or all *.hcl files of a directory as one configuration, and promises two things. What it returns is whole
// and consistent: every name that is referred to exists, every value is in its range, every default is filled in, every path is
// absolute. And when it refuses, it says everything that is wrong in one run, each mistake once, with the lines that it stands on.
//
// Each block has a file of its own (zone.go, conduit.go, audit.go, device.go, rule.go, gateway.go) that holds the Go type, a table
// of the block's attributes, and the checks. The table is the only place where an attribute's name, default and meaning are
// written: the schema, the defaults and the reference in docs/configuration.md are made from it.
//
// The package knows no SSH: checks of keys and host keys come in as Checks.
package config
