// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/spool"
)

// The configuration of a set comes last even if the gateway was started again after the set was let go.
func TestSetLetGoBeforeAStart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Hour, policy.HoldOverdue))
		order := s.published()
		s.down.Store(true)
		stop := s.run(t)
		s.put(t, "/f1.cfg", "/f1.hdr", "/f1.dat")
		time.Sleep(time.Minute)
		stop()
		s.down.Store(false)
		defer s.run(t)()
		time.Sleep(time.Minute)
		if got := order(); !slices.Equal(got, []string{"/f1.hdr", "/f1.dat", "/f1.cfg"}) {
			t.Errorf("published %q", got)
		}
	})
}

// So it is where the spool could note only of a part of the set that it was let go, be it that it can later or after another start. Nothing
// is forgotten, and nothing goes without the rest.
func TestSetLetGoInPart(t *testing.T) {
	for name, again := range map[string]bool{"the same run": false, "the next run": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Hour, policy.HoldOverdue))
				order := s.published()
				stop := s.run(t)
				defer func() { stop() }()
				s.put(t, "/f1.cfg", "/f1.hdr")
				unblock := block(t, dir, s.store.Lookup("far", "/relay/f1.hdr")[0].ID)
				s.put(t, "/f1.dat")
				time.Sleep(time.Second)
				if got := order(); len(got) > 0 {
					t.Errorf("published %q before the set was let go", got)
				}
				if again {
					stop()
				}
				unblock()
				if again {
					stop = s.run(t)
				}
				time.Sleep(10 * time.Minute)
				if got := order(); !slices.Equal(got, []string{"/f1.hdr", "/f1.dat", "/f1.cfg"}) {
					t.Errorf("published %q", got)
				}
			})
		})
	}
}

// What comes later under the name of a set that was let go is another one, also when both are found at the start.
func TestSetBehindOneThatWasLetGo(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Hour, policy.HoldOverdue))
		order := s.published()
		s.down.Store(true)
		stop := s.run(t)
		s.put(t, "/f1.cfg", "/f1.dat")
		time.Sleep(time.Minute)
		s.put(t, "/f1.cfg")
		stop()
		s.down.Store(false)
		defer s.run(t)()
		time.Sleep(time.Minute)
		if got := order(); !slices.Equal(got, []string{"/f1.dat", "/f1.cfg"}) {
			t.Errorf("published %q", got)
		}
		s.put(t, "/f1.dat")
		time.Sleep(time.Minute)
		if got := order(); !slices.Equal(got[2:], []string{"/f1.dat", "/f1.cfg"}) {
			t.Errorf("published %q", got)
		}
	})
}

// A set of which something is taken away in the moment in which it is let go waits for that as long as any other.
func TestSetThatIsChangedWhileItIsLetGo(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSpooling(t, dir, gateway.ForwardOptions{Workers: 1}, comtradeSets(time.Hour, policy.PublishOverdue))
		order := s.published()
		defer s.run(t)()
		s.put(t, "/f1.cfg")
		changing, change, changed := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			_, err := s.store.Update(s.store.Lookup("far", "/relay/f1.cfg")[0].ID, func(e *spool.Entry) error {
				close(changing)
				<-change
				e.State = spool.Held
				return nil
			})
			changed <- err
		}()
		<-changing
		s.put(t, "/f1.dat") // it is let go, and then held
		close(change)
		if err := <-changed; err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute)
		if got := order(); len(got) > 0 {
			t.Errorf("published %q before its time has passed", got)
		}
		time.Sleep(20 * time.Minute)
		if got := order(); !slices.Equal(got, []string{"/f1.dat"}) {
			t.Errorf("published %q", got)
		}
	})
}
