// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Window is when a rule holds. A span that passes midnight belongs to the day on which it begins: with Weekdays {Friday} and the
// span 22:00-04:00, Saturday at 02:00 is inside. Times of day are those that a clock on the wall of Location shows, changes to and
// from daylight saving included.
type Window struct {
	Between   []Span         // empty is all day
	Weekdays  []time.Weekday // empty is every day
	NotBefore time.Time      // zero is no bound
	NotAfter  time.Time      // zero is no bound; this instant itself is inside
	Location  *time.Location
	// CutOff says what becomes of a transfer that began inside when the window closes: true, it is broken off; false, it may end.
	CutOff bool
}

// Span is a part of the day, in minutes since midnight: From inclusive, To exclusive. Where To is not above From it ends on the next day.
type Span struct{ From, To int }

const day = 24 * 60

// ParseSpan reads a span such as "22:00-04:00". "00:00-24:00" is the whole day.
func ParseSpan(text string) (Span, error) {
	from, to, ok := strings.Cut(text, "-")
	f, ferr := parseClock(from)
	t, terr := parseClock(to)
	switch {
	case !ok || ferr != nil || terr != nil:
		return Span{}, fmt.Errorf("%q is not a span of the day, such as \"08:00-17:30\" or \"22:00-04:00\"", text)
	case f == t || f == day:
		return Span{}, fmt.Errorf("the span %q is empty; the whole day is \"00:00-24:00\"", text)
	}
	return Span{f, t}, nil
}

// parseClock reads a time of day, "00:00" to "24:00", in minutes. Seconds are taken and left out.
func parseClock(text string) (int, error) {
	if text == "24:00" {
		return day, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil && len(text) == len(layout) {
			return t.Hour()*60 + t.Minute(), nil
		}
	}
	return 0, fmt.Errorf("%q is not a time of day, such as \"08:00\"", text)
}

// String is the span as it is written.
func (s Span) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60)
}

// contains reports whether the minute of a day is inside, and whether the span then began on the day before.
func (s Span) contains(minute int) (inside, yesterday bool) {
	if s.From < s.To {
		return s.From <= minute && minute < s.To, false
	}
	return minute >= s.From || minute < s.To, minute < s.To
}

// ParseWeekday reads the English name of a day, or its first three letters, in any case.
func ParseWeekday(text string) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := d.String(); strings.EqualFold(text, name) || strings.EqualFold(text, name[:3]) {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%q is not a day of the week; write mon, tue, wed, thu, fri, sat or sun", text)
}

// Open reports whether the instant is inside the window.
func (w *Window) Open(at time.Time) bool {
	if w == nil {
		return true
	}
	if !w.NotBefore.IsZero() && at.Before(w.NotBefore) || !w.NotAfter.IsZero() && at.After(w.NotAfter) {
		return false
	}
	local := at.In(w.Location)
	if len(w.Between) == 0 {
		return w.onDay(local.Weekday())
	}
	minute := local.Hour()*60 + local.Minute()
	return slices.ContainsFunc(w.Between, func(s Span) bool {
		inside, yesterday := s.contains(minute)
		began := local.Weekday()
		if yesterday {
			began = (began + 6) % 7
		}
		return inside && w.onDay(began)
	})
}

func (w *Window) onDay(d time.Weekday) bool {
	return len(w.Weekdays) == 0 || slices.Contains(w.Weekdays, d)
}

// String is the window in words, as explain and the report show it.
func (w *Window) String() string {
	if w == nil {
		return "always"
	}
	var parts []string
	if len(w.Between) > 0 {
		parts = append(parts, joinWords(w.Between))
	}
	if len(w.Weekdays) > 0 {
		var days []string
		for _, d := range w.Weekdays {
			days = append(days, strings.ToLower(d.String()[:3]))
		}
		parts = append(parts, "on "+strings.Join(days, ", "))
	}
	if !w.NotBefore.IsZero() {
		parts = append(parts, "not before "+w.NotBefore.In(w.Location).Format(time.RFC3339))
	}
	if !w.NotAfter.IsZero() {
		parts = append(parts, "not after "+w.NotAfter.In(w.Location).Format(time.RFC3339))
	}
	if len(parts) == 0 {
		return "always"
	}
	return strings.Join(parts, " ") + " (" + w.Location.String() + ")"
}
