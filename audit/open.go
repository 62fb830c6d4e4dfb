// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/ftpgw/ftpgw/internal/durable"
)

const (
	dirPerm  = 0o750
	filePerm = 0o640
	keyPerm  = 0o600
)

// The files of a log beside its segments.
const (
	lockFile       = "lock"
	instanceFile   = "instance"
	tornFile       = "torn"
	checkpointFile = "checkpoint"
	publicKeyFile  = "checkpoint.pub"
)

// ErrLocked says that another process, or another Log of this one, writes the log.
var ErrLocked = errors.New("the audit log is in use by another process")

// Options tune a Log. The zero Options are good, but write no checkpoints and
// one segment only.
type Options struct {
	// Queue bounds the records that wait to be written; callers beyond it wait. 0 means 4096.
	Queue int
	// Clock is where times come from. nil means time.Now.
	Clock func() time.Time
	// Key is the file of the key that signs checkpoints; it is made where it is missing. "" means that there are no checkpoints.
	Key string
	// CheckpointInterval is the time between two checkpoints while records are written. 0 means at Close only.
	CheckpointInterval time.Duration
	// SegmentSize in bytes and SegmentAge are when a segment is finished and the next one begun, looked at after each batch and at
	// each checkpoint. 0 means never.
	SegmentSize int64
	SegmentAge  time.Duration
	// Retention is how long records are kept, at least MinRetention, in time that the log was open; whole segments are removed. 0 means
	// for ever.
	Retention time.Duration
	// SpaceWarning is the free space in bytes below which a warning is recorded. 0 means that nobody looks.
	SpaceWarning int64
	// OnSpace, where not nil, hears of it, too, in a goroutine of the Log.
	OnSpace func(low bool, free int64)
	// OnFailure, where not nil, hears when the log cannot be written, and with nil when it can be again. It is called by the goroutine
	// that writes, which waits for it.
	OnFailure func(err error)

	noKeeper bool                 // for tests that do the keeper's work themselves
	running  func() time.Duration // for tests: how long the log has been open, in the place of the monotonic clock
}

// Open opens the log in dir for writing and makes what is missing: the directory (mode 0750), the instance, the key and the first
// segment. Where the log was stopped in mid-write it is repaired first, as the package documentation says. Errors: one that Is
// ErrLocked while somebody else writes the log, a LineError that names file and line for a log that was not damaged by a crash, and
// those of the file system. The Log must be closed.
func Open(dir string, opts Options) (*Log, error) {
	return openWith(dir, opts, func(path string) (appender, error) { return durable.OpenAppend(path, filePerm) })
}

// MakeDir makes the directory of a log where it is missing, durably, as Open does.
func MakeDir(dir string) error { return durable.MkdirAll(dir, dirPerm) }

func openWith(dir string, opts Options, open func(path string) (appender, error)) (_ *Log, err error) {
	if opts.Queue < 0 {
		return nil, fmt.Errorf("open audit log: a queue of %d records", opts.Queue)
	}
	if opts.Retention != 0 && opts.Retention < MinRetention {
		return nil, fmt.Errorf("open audit log: records are kept for %v at least, not for %v", MinRetention, opts.Retention)
	}
	if err := MakeDir(dir); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	lock, err := acquire(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("open audit log in %s: %w", dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	instance, err := loadInstance(filepath.Join(dir, instanceFile))
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	var key note.Signer
	if opts.Key != "" {
		if key, err = loadKey(opts.Key, filepath.Join(dir, publicKeyFile), instance); err != nil {
			return nil, fmt.Errorf("open audit log: %w", err)
		}
	}
	at, err := recoverLog(dir)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	file, err := open(at.segment.path())
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l := newLog(opts, at)
	l.instance, l.lock, l.key, l.file, l.openSegment = instance, lock, key, file, open
	go l.write()
	if opts.noKeeper {
		close(l.kept)
	} else {
		go l.keep()
	}
	return l, nil
}

// acquire takes the lock that goes away with the process, however that ends.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func loadInstance(path string) (string, error) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	const length = 8
	b, err := os.ReadFile(path)
	if err == nil {
		name := strings.TrimSuffix(string(b), "\n")
		if len(name) != length || strings.Trim(name, alphabet) != "" {
			return "", fmt.Errorf("%s does not hold %d characters of [a-z0-9]; remove it to have a new one made", path, length)
		}
		return name, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	name := strings.ToLower(rand.Text())[:length] // base32: of a-z and 2-7
	return name, durable.WriteFile(path, []byte(name+"\n"), filePerm)
}
