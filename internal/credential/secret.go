// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"fmt"
	"io"
	"log/slog"
)

// Masked is what a Secret shows of itself, wherever it is written.
const Masked = "****"

// Secret is a text that must reach no log, no record and no error: a password, or a line that may hold one. Whoever prints, logs or
// marshals it gets Masked, whatever the verb. The text lies behind a pointer, so that it stays hidden in an unexported field, too,
// where the fmt package calls no method. The zero Secret is empty.
type Secret struct{ text *string }

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns what the Secret hides.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Len is the length of the text in bytes.
func (s Secret) Len() int { return len(s.Reveal()) }

// Equal reports whether both hide the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String implements fmt.Stringer.
func (s Secret) String() string { return Masked }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return Masked }

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) {
	// An error of f is kept by the fmt function that was called.
	_, _ = io.WriteString(f, Masked)
}

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Masked) }

// MarshalText implements encoding.TextMarshaler, which encoding/json asks, also for the keys of a map.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Masked), nil }
