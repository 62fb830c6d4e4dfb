// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pkg/sftp"

	"github.com/ftpgw/ftpgw/gateway"
)

// A rename of which nobody knows whether it has happened may happen later. It does not replace what was published under the name, and
// confirmed, meanwhile.
func TestLateRenameReplacesNothing(t *testing.T) {
	for name, publish := range map[string]func(*testing.T, *far) error{
		"uploaded": func(t *testing.T, f *far) error {
			_, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, []byte("second"))
			return err
		},
		"renamed": func(t *testing.T, f *far) error {
			f.put(t, "/y", []byte("second"))
			return f.Rename(t.Context(), at("/y"), at("/x"))
		},
	} {
		t.Run(name, func(t *testing.T) { lateRename(t, publish) })
	}
}

func lateRename(t *testing.T, publish func(*testing.T, *far) error) {
	begun, removing := make(chan struct{}), make(chan struct{})
	release, late := make(chan struct{}), make(chan error, 1)
	var renames, removes atomic.Int32
	s := &fake{}
	s.rename = func(from, to string) error {
		if renames.Add(1) > 1 {
			return os.Rename(from, to)
		}
		close(begun)
		<-release
		late <- os.Rename(from, to)
		return nil
	}
	s.remove = func(p string) error {
		switch removes.Add(1) {
		case 1: // to find out what has become of the rename
			return sftp.ErrSSHFxFailure
		case 2: // what has been left
			close(removing)
			<-release
		}
		return os.Remove(p)
	}
	var p *proxy
	f := overFake(t, s, func(cfg *Config) {
		p = newProxy(t, cfg.Address)
		cfg.Address = p.listener.Addr().String()
	})
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	result := make(chan error)
	go func() {
		_, err := f.upload(t.Context(), gateway.Target{Location: at("/x")}, []byte("first"))
		result <- err
	}()
	<-begun
	p.cut()
	if err := <-result; !errors.Is(err, errUnknown) {
		t.Fatalf("of a rename that may or may not have happened: %v", err)
	}
	<-removing
	eventually(t, "another channel", func() bool {
		ch := f.pool.spare()
		if ch != nil {
			f.pool.release(ch)
		}
		return ch != nil
	})
	if err := publish(t, f); err != nil {
		t.Fatal(err)
	}
	letGo()
	if err := <-late; !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the first rename: %v", err)
	}
	if got, err := os.ReadFile(f.local("/x")); err != nil || string(got) != "second" {
		t.Errorf("%q, %v", got, err)
	}
}
