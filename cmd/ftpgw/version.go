// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// buildVersion is set by the linker in releases (-ldflags "-X main.buildVersion=v1.2.3") and never by the program, which is why it
// is a variable of the package. Where it is empty the module's version counts.
var buildVersion string

// version is the program's version in a word.
func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// newVersionCommand is "ftpgw version".
func newVersionCommand(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is, and what it was built from",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			settings := map[string]string{}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					settings[s.Key] = s.Value
				}
			}
			revision := "unknown"
			if r := settings["vcs.revision"]; r != "" {
				revision = r + " of " + settings["vcs.time"]
				if settings["vcs.modified"] == "true" {
					revision += ", modified"
				}
			}
			_, err := fmt.Fprintf(env.stdout, "ftpgw    %s\nrevision %s\nbuilt by %s for %s/%s\n",
				version(), revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
