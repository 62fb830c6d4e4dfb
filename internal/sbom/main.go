// SPDX-License-Identifier: Apache-2.0

// Command sbom writes the software bill of materials of a Go program: which modules are in it, by what the linker has written into the
// program itself, in the form of CycloneDX (ECMA-424).
//
//	sbom PROGRAM VERSION > PROGRAM.cdx.json
//
// The same program gives the same bytes, wherever and whenever this is run. It is part of making a release (make release) and of
// nothing else.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: sbom PROGRAM VERSION")
	}
	info, err := buildinfo.ReadFile(args[0])
	if err != nil {
		return err
	}
	program, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	return cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(materials(filepath.Base(args[0]), args[1], program, info), cdx.SpecVersion1_6)
}

// materials is the bill for a program of this name, version and content.
func materials(name, version string, program []byte, info *debug.BuildInfo) *cdx.BOM {
	sum := sha256.Sum256(program)
	root := module(debug.Module{Path: info.Main.Path, Version: version})
	root.Type = cdx.ComponentTypeApplication
	root.Name = name
	root.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	root.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}
	var settings []cdx.Property
	for _, s := range info.Settings {
		settings = append(settings, cdx.Property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	root.Properties = &settings
	standard := module(debug.Module{Path: "std", Version: info.GoVersion})
	parts := []cdx.Component{standard}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		parts = append(parts, module(*m))
	}
	var refs []string
	for _, p := range parts {
		refs = append(refs, p.BOMRef)
	}
	bom := cdx.NewBOM()
	// A number as RFC 9562, 5.8 has them, made of the program's digest instead of chance.
	id := sum[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	bom.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	bom.Metadata = &cdx.Metadata{Component: &root}
	bom.Components = &parts
	bom.Dependencies = &[]cdx.Dependency{{Ref: root.BOMRef, Dependencies: &refs}}
	return bom
}

// module is a component with its package URL (ECMA-427), and the checksum of go.sum where it has one.
func module(m debug.Module) cdx.Component {
	url := "pkg:golang/" + m.Path + "@" + m.Version
	c := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url, BOMRef: url}
	if m.Sum != "" {
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: m.Sum}}
	}
	return c
}
