// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
)

// What was set aside does not come back over a newer version of the same file that is across, neither there nor in what the device sees.
func TestSetAsideIsSuperseded(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{Workers: 1}, spooled("far"))
	var begun atomic.Int64
	s.failWith(func(step memremote.Step, _ string) error {
		if step == memremote.Begin && begun.Add(1) == 1 {
			return fmt.Errorf("open: %w", fs.ErrPermission)
		}
		return nil
	})
	for _, text := range []string{"old one", "newer"} {
		if err := s.upload("/x", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	defer s.run(t)()
	until(t, "delivery", func() bool { return len(s.log.events(audit.SpoolDelivered)) == 1 })
	until(t, "the end of the entry", s.empty)
	id := s.log.events(audit.SpoolAside)[0].Entry
	if _, err := s.Forwarder().Retry(t.Context(), id, "uid 0"); !errors.Is(err, gateway.ErrState) {
		t.Errorf("retry: %v", err)
	}
	if _, err := s.Forwarder().Hold(t.Context(), id, "uid 0"); err != nil {
		t.Errorf("hold: %v", err)
	}
	if _, err := s.Forwarder().Release(t.Context(), id, "uid 0"); !errors.Is(err, gateway.ErrState) {
		t.Errorf("release: %v", err)
	}
	if n := len(s.log.events(audit.SpoolReleased)); n != 0 {
		t.Errorf("%d records of a release", n)
	}
	if got := s.fetch(t, "/x", 0); got != "newer" {
		t.Errorf("the device sees %q", got)
	}
	if infos, _, err := s.ReadDir(t.Context(), s.device, "/"); err != nil || len(infos) != 1 || infos[0].Size() != 5 {
		t.Errorf("it lists %v, %v", infos, err)
	}
	if err := s.Rename(t.Context(), s.device, "/x", "/y"); err != nil {
		t.Fatal(err)
	}
	if e, ok := s.store.Get(id); !ok || e.Path != "/x" || len(s.there("/y")) != 1 {
		t.Errorf("renamed: %+v, there %q", e, s.there("/x", "/y"))
	}
	if _, err := s.Forwarder().Discard(t.Context(), id, "uid 0", "test"); err != nil {
		t.Errorf("discard: %v", err)
	}
}
