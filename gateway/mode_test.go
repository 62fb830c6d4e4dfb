// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
)

// wantMode compares what a device sees.
func (s *spooling) wantMode(t *testing.T, name string, want fs.FileMode) {
	t.Helper()
	if info, err := s.Stat(t.Context(), s.device, name); err != nil || info.Mode().Perm() != want {
		t.Errorf("the mode of %s: %v, %v, want %v", name, info, err, want)
	}
}

// A mode that is set while the file, or the directory, is in the spool is seen there, and set across the conduit, also where that is
// lost between the rename and the setting.
func TestModeOfWhatIsHeld(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	s.down.Store(true)
	if err := s.Mkdir(t.Context(), s.device, "/d"); err != nil {
		t.Fatal(err)
	}
	if err := s.upload("/d/x", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, mode := range map[string]fs.FileMode{"/d": 0o701, "/d/x": 0o444} {
		if err := s.Chmod(t.Context(), s.device, name, mode); err != nil {
			t.Errorf("chmod %s: %v", name, err)
		}
		if err := s.SetModTime(t.Context(), s.device, name, when); err != nil {
			t.Errorf("mfmt %s: %v", name, err)
		}
		s.wantMode(t, name, mode)
	}
	s.down.Store(false)
	lost := false
	s.mu.Lock()
	s.fail = func(step memremote.Step, name string) error {
		if step == memremote.Change && name == "/relay/d/x" && !lost {
			lost = true
			return away{}
		}
		return nil
	}
	s.mu.Unlock()
	stop := s.run(t)
	defer stop()
	until(t, "delivery", s.empty)
	s.wantMode(t, "/d", 0o701)
	s.wantMode(t, "/d/x", 0o444)
	if info, err := s.Stat(t.Context(), s.device, "/d/x"); err != nil || !info.ModTime().Equal(when) {
		t.Errorf("its time: %v, %v", info, err)
	}
	if n := len(s.log.events(audit.SpoolDelivered)); !lost || n != 2 {
		t.Errorf("%d deliveries on record; the conduit was lost: %t", n, lost)
	}
}

// A mode that would be in the way of a delivery waits for it: the files have their 226.
func TestModeInTheWay(t *testing.T) {
	s := newSpooling(t, t.TempDir(), gateway.ForwardOptions{}, spooled("far"))
	if err := s.Mkdir(t.Context(), s.device, "/across"); err != nil {
		t.Fatal(err)
	}
	s.down.Store(true)
	if err := s.Mkdir(t.Context(), s.device, "/held"); err != nil {
		t.Fatal(err)
	}
	if err := s.upload("/across/x", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	s.down.Store(false)
	for name, mode := range map[string]fs.FileMode{"/across": 0o500, "/held": 0o300, "/across/x": 0o200} {
		if err := s.Chmod(t.Context(), s.device, name, mode); !gateway.IsTemporary(err) {
			t.Errorf("chmod %s %o: %v", name, mode, err)
		}
	}
	stop := s.run(t)
	defer stop()
	until(t, "delivery", s.empty)
	for name, mode := range map[string]fs.FileMode{"/across": 0o500, "/held": 0o300, "/across/x": 0o200} {
		if err := s.Chmod(t.Context(), s.device, name, mode); err != nil {
			t.Errorf("chmod %s %o: %v", name, mode, err)
		}
		s.wantMode(t, name, mode)
	}
}
