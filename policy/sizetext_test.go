// SPDX-License-Identifier: Apache-2.0

package policy

import "testing"

// Sizes are shown exactly, as they are written in a configuration.
func TestSizeText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1000: "1000 bytes", 1024: "1KiB", 1025: "1025 bytes", 64 << 20: "64MiB", 4 << 30: "4GiB", 2048 << 40: "2048TiB"} {
		if got := SizeText(n); got != want {
			t.Errorf("%d: %s, not %s", n, got, want)
		}
	}
	if got, want := (&Limits{MaxFile: 16 << 20, FilesPerHour: 60, BytesPerDay: 4 << 30, Bandwidth: 250000}).String(), "max_file 16MiB, files_per_hour 60, bytes_per_day 4GiB, bandwidth 250000 bytes/s"; got != want {
		t.Errorf("limits: %s, not %s", got, want)
	}
}
