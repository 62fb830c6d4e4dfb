// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/ftpgw/ftpgw/sftpback/wire"
)

// link is one SSH connection. It ends once, with a cause, and takes all its channels with it.
type link struct {
	conn   *heardConn
	client *ssh.Client
	cfg    Config
	wg     sync.WaitGroup
	done   chan struct{} // closed when the link has failed

	once  sync.Once
	cause error // valid when done is closed

	mu       sync.Mutex
	channels []*channel // those that work
	ended    bool       // no more goroutines may start

	rootErr error // why the root could not be used when the link was made, if so; not changed after

	noCheckFile atomic.Bool // the server does not know the check-file extension

	// Guarded by the pool's lock.
	opening bool // another channel is being opened
	full    bool // the server has refused another channel
}

func newLink(conn *heardConn, client *ssh.Client, cfg Config) *link {
	l := &link{conn: conn, client: client, cfg: cfg, done: make(chan struct{})}
	l.goes(func() {
		err := client.Wait()
		if err == nil || err == io.EOF {
			err = errors.New("the server closed the connection")
		}
		l.fail(err)
	})
	l.goes(l.keepAlive)
	return l
}

// goes starts a goroutine that wait waits for, unless the link has ended.
func (l *link) goes(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.wg.Go(f)
	return true
}

// fail ends the link. Every request that is under way on it fails, and one that has not been sent does not reach the server any more: whoever
// was told of its failure may have done something else under the same name by then.
func (l *link) fail(cause error) {
	l.once.Do(func() {
		l.cause = withoutEOF(cause)
		close(l.done)
		_ = l.conn.abort() // what it could report no longer matters
	})
}

// failure is the cause of the end, or nil.
func (l *link) failure() error {
	select {
	case <-l.done:
		return l.cause
	default:
		return nil
	}
}

// wait returns when the link's goroutines have ended; the link must have failed.
func (l *link) wait() {
	<-l.done
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.wg.Wait()
}

// keepAlive asks the server for an answer now and then (keepalive@openssh.com is refused by every server, which is the answer), so
// that a connection that has silently gone is noticed before a device needs it.
func (l *link) keepAlive() {
	ticker := time.NewTicker(l.cfg.KeepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ticker.C:
		}
		watch := newWatch(l.cfg.KeepAlive, func() (time.Duration, bool) {
			left := l.cfg.KeepAlive - l.conn.silent()
			if left <= 0 {
				l.fail(fmt.Errorf("no answer to keepalive within %v", l.cfg.KeepAlive))
			}
			return left, left > 0
		})
		_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
		watch.stop()
		if err != nil {
			l.fail(fmt.Errorf("keepalive: %w", err))
			return
		}
	}
}

// open adds an SFTP channel. The caller bounds it in time by ending the link.
func (l *link) open() (*channel, error) {
	sc, err := l.session()
	if err != nil {
		return nil, err
	}
	ch, err := l.startSFTP(sc)
	if err != nil {
		_ = sc.Close() // the reason is in err
		return nil, err
	}
	return ch, nil
}

func (l *link) startSFTP(sc ssh.Channel) (*channel, error) {
	h, err := greet(sc)
	if err != nil {
		return nil, err
	}
	ch := &channel{link: l, watchdog: newWatchdog(l.cfg.RequestTimeout, l.fail), writeSize: h.write}
	ch.readSize.Store(int64(h.read))
	ch.client = wire.New(duplex{heardReader{sc, ch.watchdog}, sc}, h.extensions)
	if !l.goes(func() { l.attend(ch) }) {
		_ = ch.client.Close() // the link is gone
		return nil, lost(l.failure())
	}
	l.mu.Lock()
	l.channels = append(l.channels, ch)
	l.mu.Unlock()
	return ch, nil
}

// duplex is a channel whose reading goes through something else.
type duplex struct {
	io.Reader
	io.WriteCloser
}

// attend takes the channel out of the link when it ends; a link without channels is of no use.
func (l *link) attend(ch *channel) {
	_ = ch.client.Wait() // it only says that the connection was lost
	_ = ch.client.Close()
	l.mu.Lock()
	l.channels = slices.DeleteFunc(l.channels, func(other *channel) bool { return other == ch })
	left := len(l.channels)
	l.mu.Unlock()
	if left == 0 {
		l.fail(errors.New("the server closed the SFTP channel"))
	}
}

// working lists the channels that can be used now.
func (l *link) working() []*channel {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.channels), func(ch *channel) bool { return ch.dead.Load() })
}
