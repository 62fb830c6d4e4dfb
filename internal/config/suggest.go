// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// farthest is the largest edit distance at which a name is still taken for a misspelling; it is hcl's own for its suggestions.
const farthest = 2

// nearest is the name most like the given one, or "" where none is alike.
func nearest(given string, names []string) string {
	best, at := "", farthest+1
	for _, name := range names {
		if n := levenshtein.Distance(given, name, nil); n < at {
			best, at = name, n
		}
	}
	return best
}

// Suggest says in a sentence what may have been meant by a name that is not among names: the nearest one, or all of them where
// none is alike. It is empty where there are none. kinds is the plural of what the names are.
func Suggest(given, kinds string, names []string) string {
	if near := nearest(given, names); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	return enumerate(kinds, names)
}

// enumerate lists names in a sentence, the first of them where they are many.
func enumerate(kinds string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	names = slices.Sorted(slices.Values(names))
	const shown = 12
	if len(names) > shown {
		return fmt.Sprintf("The %s are %s and %d more.", kinds, strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return fmt.Sprintf("The %s are: %s.", kinds, strings.Join(names, ", "))
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
