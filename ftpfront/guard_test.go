// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/credential"
)

// clocked is a guard whose clock stands.
func clocked(l Limits) (*guard, *time.Time) {
	g, now := newGuard(l), time.Unix(1_000_000, 0)
	g.now = func() time.Time { return now }
	return g, &now
}

func attemptAt(t *testing.T, g *guard, from netip.Addr, user string, right bool) []string {
	t.Helper()
	a, err := g.begin(t.Context(), from, user)
	if err != nil {
		t.Fatalf("%s at %s: %v", user, from, err)
	}
	locked, _ := a.end(right)
	return locked
}

func fail(t *testing.T, g *guard, from netip.Addr, user string) []string {
	t.Helper()
	return attemptAt(t, g, from, user, false)
}

func mustBeLocked(t *testing.T, g *guard, from netip.Addr, user string, want bool) {
	t.Helper()
	_, wait, err := g.try(from, user)
	if wait != nil || errors.Is(err, errLocked) != want {
		t.Errorf("%s at %s: %v, want locked %v", user, from, err, want)
	}
}

var (
	here      = netip.MustParseAddr("192.0.2.1")
	elsewhere = netip.MustParseAddr("192.0.2.2")
)

// A user is locked out at the address of whoever guesses, and nowhere else, until the time is over.
func TestLockoutIsByUserAndAddress(t *testing.T) {
	g, now := clocked(Limits{LoginAttempts: 3, LoginAttemptsPerAddress: 100, Lockout: time.Minute})
	for i := range 3 {
		mustBeLocked(t, g, here, "relay", false)
		g, now = clocked(g.limits) // the attempts of the question above are given up
		for range i {
			fail(t, g, here, "relay")
		}
	}
	if locked := fail(t, g, here, "relay"); len(locked) != 1 || locked[0] != "login_attempts" {
		t.Fatalf("the third failure locks %v", locked)
	}
	mustBeLocked(t, g, here, "relay", true)
	mustBeLocked(t, g, elsewhere, "relay", false)
	mustBeLocked(t, g, here, "meter", false)
	*now = now.Add(time.Minute - time.Second)
	mustBeLocked(t, g, here, "relay", true)
	*now = now.Add(time.Second)
	mustBeLocked(t, g, here, "relay", false)
}

// Whoever tries one password on many users is stopped; a user that has logged in from the same address before is not.
func TestSprayLocksTheAddress(t *testing.T) {
	const most = 10
	g, now := clocked(Limits{LoginAttempts: 5, LoginAttemptsPerAddress: most, Lockout: time.Minute})
	attemptAt(t, g, here, "relay", true)
	for i := range most {
		locked := fail(t, g, here, fmt.Sprint("user", i))
		if (len(locked) == 1) != (i == most-1) {
			t.Errorf("failure %d locks %v", i+1, locked)
		}
	}
	mustBeLocked(t, g, here, "another", true)
	mustBeLocked(t, g, elsewhere, "another", false)
	attemptAt(t, g, here, "relay", true)
	*now = now.Add(time.Minute)
	mustBeLocked(t, g, here, "another", false)
}

// A login that succeeds does not pay for guesses at others.
func TestOneGoodLoginDoesNotClearTheAddress(t *testing.T) {
	g, _ := clocked(Limits{LoginAttempts: 100, LoginAttemptsPerAddress: 10, Lockout: time.Minute})
	for range 9 {
		fail(t, g, here, "victim")
		attemptAt(t, g, here, "own", true)
	}
	fail(t, g, here, "victim")
	mustBeLocked(t, g, here, "victim", true)
}

// Many attempts at once are no more than one after the other: those above the limit wait for the others.
func TestAttemptsAtOnceAreCounted(t *testing.T) {
	const most = 3
	g, _ := clocked(Limits{LoginAttempts: most, LoginAttemptsPerAddress: 100, Lockout: time.Minute})
	var wg sync.WaitGroup
	var mu sync.Mutex
	checked, locked := 0, 0
	for range 50 {
		wg.Go(func() {
			a, err := g.begin(context.Background(), here, "relay")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				locked++
				return
			}
			checked++
			a.end(false)
		})
	}
	wg.Wait()
	if checked != most || locked != 50-most {
		t.Errorf("%d were looked at, %d were locked out", checked, locked)
	}
	// All right at once: all get in, in turn.
	for range 50 {
		wg.Go(func() {
			a, err := g.begin(context.Background(), elsewhere, "relay")
			if err != nil {
				t.Error(err)
				return
			}
			a.end(true)
		})
	}
	wg.Wait()
	// Who waits can leave.
	var held []*attempt
	for range most {
		a, err := g.begin(context.Background(), elsewhere, "meter")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, a)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := g.begin(ctx, elsewhere, "meter"); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	for _, a := range held {
		a.drop()
	}
}

// The users of one address that are told apart are bounded.
func TestUsersOfAnAddressAreBounded(t *testing.T) {
	g, _ := clocked(Limits{LoginAttempts: 5, Lockout: time.Minute})
	for i := range 10 * maxUsers {
		fail(t, g, here, fmt.Sprint("user", i))
	}
	if n := len(g.suspects.entries[here].users); n > maxUsers {
		t.Errorf("%d users are remembered", n)
	}
}

// On the wire: the lock is told by 421 and recorded, the right password is not even looked at while it holds, and from another
// address the device logs in all the same.
func TestLockoutOnTheWire(t *testing.T) {
	f := start(t, func(z *Zone) { z.Limits.LoginAttempts = 3 })
	c := f.dialFrom(t, "127.0.0.5", 220)
	for range 2 {
		c.cmd(331, "USER relay")
		c.cmd(530, "PASS wrong")
	}
	c.cmd(331, "USER relay")
	c.cmd(421, "PASS wrong")
	c.ended()
	if r := f.incident(t, audit.LoginLocked, "login_attempts"); r.User != "relay" {
		t.Errorf("on record: %+v", r)
	}
	c = f.dialFrom(t, "127.0.0.5", 220)
	c.cmd(331, "USER relay")
	c.cmd(421, "PASS "+password)
	f.incident(t, audit.LoginLocked, "refused")
	f.loginFrom(t, "127.0.0.6").cmd(200, "NOOP")
}

// Whether a user exists is told neither by the replies nor by what is done: the same way, one check of a hash for each that is looked
// at, and none once it is locked out.
func TestUsersCannotBeEnumerated(t *testing.T) {
	f := start(t, nil)
	// told is all that a user from an address of his own is told until he is locked out, and behind that, and what it cost.
	told := func(user, password string, from int) (dialogue string) {
		for range 3 {
			c := f.dialFrom(t, fmt.Sprintf("127.0.1.%d", from), 220)
			for reply := ""; !strings.HasPrefix(reply, "421"); {
				before := f.hashed.n.Load()
				c.send("USER " + user + "\r\n")
				dialogue += readReply(t, c)
				c.send("PASS " + password + "\r\n")
				reply = readReply(t, c)
				dialogue += fmt.Sprintf("%d hashes, %s", f.hashed.n.Load()-before, reply)
			}
			_ = c.conn.Close()
		}
		return dialogue
	}
	want := told("relay", "wrong", 1)
	if strings.Count(want, "1 hashes") != 5 || strings.Count(want, "0 hashes") != 2 {
		t.Errorf("relay is told\n%s", want)
	}
	for i, try := range [][2]string{
		{"nobody", "wrong"}, {"nobody", password}, {"elsewhere", "wrong"}, {"elsewhere", password}, {"root", "wrong"}, {strings.Repeat("x", 500), "wrong"},
		{"relay ", "wrong"}, {"relay x", password}, {"nobody", strings.Repeat("x", 100)}, {"relay", strings.Repeat("x", 100)},
	} {
		if got := told(try[0], try[1], i+2); got != want {
			t.Errorf("%.20q with the password %.20q is told\n%s, relay\n%s", try[0], try[1], got, want)
		}
	}
	l := f.front.login.Load()
	for _, user := range []string{"nobody", "elsewhere", "root"} {
		if h := l.decoy(user); h == "" || h != l.decoy(user) {
			t.Errorf("%q has the decoy %q", user, h)
		}
	}
}

// With hashes of different cost a user that does not exist costs what one that exists could, and always the same.
func TestDecoysAreOfTheSameKinds(t *testing.T) {
	devices := []Device{{Name: "a", User: "a", PasswordHash: credential.NewSecret("cheap")}, {Name: "b", User: "b", PasswordHash: credential.NewSecret("dear")}}
	f := start(t, nil)
	l := newLogin(devices, f.front.seed)
	count := map[string]int{}
	for i := range 1000 {
		count[l.decoy(fmt.Sprint("nobody", i))]++
	}
	if len(count) != 2 || count["cheap"] < 300 || count["dear"] < 300 {
		t.Errorf("decoys: %v", count)
	}
}
