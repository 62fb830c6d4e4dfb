// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is what a Secret shows of itself.
const hidden = "***"

// Secret is a string that must not reach a log, a record or an error text: however it is printed, it shows "***".
// Only as the key of a map would encoding/json print it, which asks no string for its opinion.
type Secret string

// Reveal returns what the Secret hides.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (s Secret) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return hidden }

// Format implements fmt.Formatter for every verb; %x and %d would otherwise print the bytes.
func (s Secret) Format(f fmt.State, _ rune) {
	// An error of f is kept by the fmt function that was called.
	_, _ = io.WriteString(f, hidden)
}

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
