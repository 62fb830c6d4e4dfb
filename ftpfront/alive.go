// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pulse is how a zone that waits for devices is asked for a sign of life.
type pulse struct {
	mu    sync.Mutex                    // one question at a time
	asked atomic.Pointer[chan struct{}] // closed with the answer
}

// Alive asks each zone that accepts devices for a sign of life, and waits for it: nil says that each would have taken a device just now.
// A Front that accepts no more, or not yet, has none to give and needs none.
func (f *Front) Alive(ctx context.Context) error {
	for _, z := range f.zones {
		l, ok := z.listener.(*net.TCPListener)
		if !ok {
			continue
		}
		if err := z.pulse.ask(ctx, l); err != nil {
			return fmt.Errorf("zone %q does not accept devices: %w", z.Name, err)
		}
	}
	return nil
}

// ask has Accept come back without a device.
func (p *pulse) ask(ctx context.Context, l *net.TCPListener) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := make(chan struct{})
	p.asked.Store(&answer)
	defer p.asked.Store(nil)
	if err := l.SetDeadline(time.Unix(1, 0)); err != nil {
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		return err
	}
	select {
	case <-answer:
		return nil
	case <-ctx.Done():
		if l.SetDeadline(time.Time{}) != nil { // closed meanwhile
			return nil
		}
		return context.Cause(ctx)
	}
}

// answer reports whether Accept has come back because of ask, and answers.
func (p *pulse) answer(l net.Listener, err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	_ = l.(*net.TCPListener).SetDeadline(time.Time{}) // it fails when the listener is closed, which Accept tells next
	if asked := p.asked.Swap(nil); asked != nil {
		close(*asked)
	}
	return true
}
