// SPDX-License-Identifier: Apache-2.0

package config

import (
	"time"

	"github.com/ftpgw/ftpgw/policy"
)

// window reads the attributes that say when a rule holds. It is nil where none of them is written.
func (b body) window() *policy.Window {
	zone := b.timezone()
	w := &policy.Window{Location: zone}
	for _, text := range b.list("between") {
		s, err := policy.ParseSpan(text.text)
		if err != nil {
			b.invalid("between", text, err)
			continue
		}
		w.Between = append(w.Between, s)
	}
	for _, text := range b.list("weekdays") {
		day, err := policy.ParseWeekday(text.text)
		if err != nil {
			b.invalid("weekdays", text, err)
			continue
		}
		w.Weekdays = append(w.Weekdays, day)
	}
	w.NotBefore, w.NotAfter = b.instant("not_before", zone), b.instant("not_after", zone)
	if !w.NotBefore.IsZero() && !w.NotAfter.IsZero() && !w.NotBefore.Before(w.NotAfter) {
		b.fail(b.valueRange("not_before"), "Window upside down", "not_before is not before not_after: this never holds.")
	}
	w.CutOff = b.choice("on_close", "finish", "abort") == "abort"
	closes := len(w.Between) > 0 || len(w.Weekdays) > 0 || !w.NotAfter.IsZero()
	if w.CutOff && !closes && !b.diags.HasErrors() {
		b.fail(b.valueRange("on_close"), "No window", "on_close says what happens when the rule's window closes, and this rule has none: write between, weekdays or not_after.")
	}
	if !closes && w.NotBefore.IsZero() && !b.has("timezone") {
		return nil
	}
	return w
}

func (b body) timezone() *time.Location {
	text, ok := b.text("timezone")
	if !ok {
		return time.UTC
	}
	// "Local" would make a decision depend on the machine.
	zone, err := time.LoadLocation(text.text)
	if err != nil || text.text == "Local" || text.text == "" {
		b.fail(text.at, "Invalid timezone", "%q is not a name of the IANA time zone database, such as \"Europe/Berlin\" or \"UTC\".", text.text)
		return time.UTC
	}
	return zone
}

// instant is a moment, or the zero Time where the attribute is absent.
func (b body) instant(name string, zone *time.Location) time.Time {
	text, ok := b.text(name)
	if !ok {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text.text, zone); err == nil {
			return t
		}
	}
	b.fail(text.at, "Invalid "+name, "%q is not a moment; write \"2006-01-31 18:00\" in the rule's timezone, or with an offset \"2006-01-31T18:00:00+01:00\".", text.text)
	return time.Time{}
}
