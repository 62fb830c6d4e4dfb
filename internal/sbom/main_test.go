// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"slices"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// The bill of this test's own program names every module that is linked into it, the standard library and the program's digest, and is
// the same each time.
func TestBillNamesEveryModule(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := run([]string{self, "v1.2.3"}, out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two bills of the same program differ")
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(&first, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, c := range *bom.Components {
		urls = append(urls, c.PackageURL)
	}
	want := []string{"pkg:golang/std@" + info.GoVersion, "pkg:golang/github.com/CycloneDX/cyclonedx-go@v0.9.3"}
	for _, m := range info.Deps {
		want = append(want, "pkg:golang/"+m.Path+"@"+m.Version)
	}
	for _, url := range want {
		if !slices.Contains(urls, url) {
			t.Errorf("%s is not in the bill: %q", url, urls)
		}
	}
	c := bom.Metadata.Component
	if bom.SpecVersion != cdx.SpecVersion1_6 || c.PackageURL != "pkg:golang/github.com/ftpgw/ftpgw@v1.2.3" || len((*c.Hashes)[0].Value) != 64 {
		t.Errorf("%v, %+v", bom.SpecVersion, c)
	}
}

func TestRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"a"}, {"a", "b", "c"}, {"main.go", "v1"}, {"/none", "v1"}} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
