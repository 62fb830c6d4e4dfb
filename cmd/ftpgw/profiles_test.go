// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/internal/config"
)

// Each profile that is shipped must load beside a whole configuration and reach the device that names it.
func TestProfilesLoad(t *testing.T) {
	want := map[string]config.Quirks{
		"busybox":       {MakeParents: config.Yes},
		"generic-rtu":   {},
		"ge-ur":         {},
		"ip-camera":     {MakeParents: config.Yes},
		"sel-relay":     {},
		"siemens-meter": {},
	}
	files := profiles(t)
	if len(files) != len(want) {
		t.Errorf("there are %d profiles, expected are %d", len(files), len(want))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".hcl")
		t.Run(name, func(t *testing.T) {
			cfg, err := config.Load(stageProfile(t, file, name), checks(environment{now: testTime}))
			if err != nil {
				t.Fatal(err)
			}
			quirks, known := want[name]
			if !known {
				t.Fatalf("%s is not an expected profile", file)
			}
			for _, d := range cfg.Devices {
				if d.Name == "relay-99" {
					if d.Quirks != quirks {
						t.Errorf("the device has %+v, want %+v", d.Quirks, quirks)
					}
					return
				}
			}
			t.Error("the device that uses the profile is not in the configuration")
		})
	}
}

// A setting without a source is a guess. What has no setting must say so.
func TestProfilesNameTheirSources(t *testing.T) {
	const nothing = "# No setting has a published source; start from the defaults and read the audit log's refused commands.\n"
	for _, file := range profiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		settings, previous := 0, ""
		_, block, _ := strings.Cut(string(text), "\nprofile ")
		for line := range strings.Lines(block) {
			if code, _, _ := strings.Cut(line, "#"); strings.Contains(code, " = ") {
				settings++
				if code == line && !strings.HasPrefix(strings.TrimSpace(previous), "#") {
					t.Errorf("%s: no comment beside %q", file, strings.TrimSpace(line))
				}
			}
			previous = line
		}
		if says := strings.Contains(string(text), nothing); says != (settings == 0) {
			t.Errorf("%s has %d settings; that none has a source it says: %t", file, settings, says)
		}
	}
}

// profiles names the files of the profiles that are shipped.
func profiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../configs/profiles/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no profiles: %v", err)
	}
	return files
}

// stageProfile makes a configuration directory of an example, the profile's file and a device that uses it.
func stageProfile(t testing.TB, file, name string) string {
	t.Helper()
	dir := t.TempDir()
	copyFile(t, "../../configs/substation.hcl", filepath.Join(dir, "substation.hcl"))
	copyFile(t, file, filepath.Join(dir, filepath.Base(file)))
	device := fmt.Sprintf(`device "relay-99" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  profile       = %q
}
`, name)
	writeFile(t, filepath.Join(dir, "relay-99.hcl"), []byte(device), 0o644)
	stageKeys(t, dir)
	return dir
}
