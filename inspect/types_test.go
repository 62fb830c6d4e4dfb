// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"strings"
	"testing"

	"github.com/gabriel-vasile/mimetype"
)

// A media type that the library does not call by this name would never be found.
func TestMediaTypesAreTheLibrarys(t *testing.T) {
	var all []string
	for media := range mediaTypes() {
		all = append(all, media)
	}
	for _, media := range append(all, unreadable()...) {
		found := mimetype.Lookup(media)
		if found == nil {
			t.Errorf("the library does not know %s", media)
			continue
		}
		if name, _, _ := strings.Cut(found.String(), ";"); name != media {
			t.Errorf("the library calls %s %s", media, name)
		}
	}
}
