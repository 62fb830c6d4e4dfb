// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/internal/durable"
)

const (
	dirPerm  = 0o750
	filePerm = 0o640
)

// ErrLocked says that another process, or another Log of this one, writes the log.
var ErrLocked = errors.New("the audit log is in use by another process")

// Options tune a Log. The zero Options are good.
type Options struct {
	// Queue bounds the records that wait to be written; callers beyond it wait. 0 means 4096.
	Queue int
	// Clock is where times come from. nil means time.Now.
	Clock func() time.Time
}

// Open opens the log in dir for writing and makes what is missing: the directory (mode 0750), the instance and the first segment.
// Where the log was stopped in mid-write it is repaired first, as the package documentation says. Errors: one that Is ErrLocked
// while somebody else writes the log, one that names file and line for a log that was not damaged by a crash, and those of the file
// system. The Log must be closed.
func Open(dir string, opts Options) (*Log, error) {
	return openWith(dir, opts, func(path string) (appender, error) { return durable.OpenAppend(path, filePerm) })
}

func openWith(dir string, opts Options, open func(path string) (appender, error)) (_ *Log, err error) {
	if opts.Queue < 0 {
		return nil, fmt.Errorf("open audit log: a queue of %d records", opts.Queue)
	}
	if err := durable.MkdirAll(dir, dirPerm); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	lock, err := acquire(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open audit log in %s: %w", dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	instance, err := loadInstance(filepath.Join(dir, "instance"))
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	at, err := recoverTail(dir)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	file, err := open(filepath.Join(dir, at.segment))
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return start(opts, instance, lock, file, at), nil
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

// position is where the log goes on.
type position struct {
	segment string
	seq     uint64    // of the last record, 0 for none
	time    time.Time // of the last record
}

// recoverTail finds the end of the log, and repairs it where a write was interrupted.
func recoverTail(dir string) (position, error) {
	names, err := segments(dir)
	if err != nil {
		return position{}, err
	}
	if len(names) == 0 {
		return position{segment: segmentName(1)}, nil
	}
	at := position{segment: names[len(names)-1]}
	path := filepath.Join(dir, at.segment)
	end, err := readTail(path)
	if err != nil {
		return position{}, err
	}
	last := end.last
	// A segment may be empty still: then the one before it has the last record.
	for i := len(names) - 2; i >= 0 && last == nil; i-- {
		before, err := readTail(filepath.Join(dir, names[i]))
		if err != nil {
			return position{}, err
		}
		if len(before.torn) > 0 {
			return position{}, fmt.Errorf("%s: the last line is torn, but a later segment exists", filepath.Join(dir, names[i]))
		}
		last = before.last
	}
	if last != nil {
		at.seq, at.time = last.Seq, last.Time
	}
	return at, cutTorn(dir, &at, end, last)
}

// cutTorn takes a torn tail off the log and records it, in the order of the package documentation.
func cutTorn(dir string, at *position, end tail, last *Record) error {
	path, kept := filepath.Join(dir, at.segment), filepath.Join(dir, "torn")
	saved, err := os.ReadFile(kept)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	exists := err == nil
	if len(end.torn) > 0 {
		if !bytes.Equal(saved, end.torn) {
			saved = append(saved, end.torn...)
		}
		if err := durable.WriteFile(kept, saved, filePerm); err != nil {
			return err
		}
		if err := durable.Truncate(path, end.end); err != nil {
			return err
		}
	} else if !exists {
		return nil
	}
	text := base64.StdEncoding.EncodeToString(saved)
	if last == nil || last.Event != LogRecovered || last.Detail["tail"] != text {
		if err := appendRecovered(path, at, text, len(saved)); err != nil {
			return err
		}
	}
	return durable.Remove(kept)
}

func appendRecovered(path string, at *position, text string, length int) (err error) {
	body, err := encodeBody(Record{
		Event: LogRecovered,
		Cause: "the log ended in an incomplete line, which nobody was told is there",
		Detail: map[string]string{
			"segment": at.segment,
			"bytes":   strconv.Itoa(length),
			"tail":    text, // base64
		},
	})
	if err != nil {
		return err
	}
	f, err := durable.OpenAppend(path, filePerm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	now := later(at.time, time.Now())
	if _, err := f.Write(appendLine(nil, now, at.seq+1, body)); err != nil {
		return fmt.Errorf("record the recovery: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("record the recovery: %w", err)
	}
	at.seq, at.time = at.seq+1, now
	return nil
}
