// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files of a store.
const (
	journalFile = "journal"
	damagedFile = "journal.damaged"
)

// version is that of the journal's form. One that is not known is refused: what it means cannot be guessed.
const version = 1

// maxJournal bounds what is read, in bytes. A hundred thousand busy accounts are less.
const maxJournal = 512 << 20

// frame is one line of the journal: a snapshot, which has a version, or a batch.
type frame struct {
	Version int     `json:"version,omitempty"`
	At      int64   `json:"at"`            // the store's time in seconds
	Clock   int64   `json:"clock"`         // what the machine's clock showed then, in seconds since 1970
	All     []state `json:"all,omitempty"` // of a snapshot: every account with usage
	Uses    []use   `json:"use,omitempty"` // of a batch, in order
}

// state is one account of a snapshot.
type state struct {
	Key   string `json:"k"`
	Files series `json:"f,omitempty"`
	Bytes series `json:"b,omitempty"`
}

// snapshot is the book as the first frame of a journal.
func (b *book) snapshot() frame {
	at := b.tick()
	f := frame{Version: version, At: at, Clock: b.last.Unix()}
	for key, a := range b.accounts {
		a.files, a.bytes = a.files.trim(hourly(), at), a.bytes.trim(daily(), at)
		if a.files.sum(hourly(), at) > 0 || a.bytes.sum(daily(), at) > 0 {
			f.All = append(f.All, state{key, slices.Clone(a.files), slices.Clone(a.bytes)})
		}
	}
	slices.SortFunc(f.All, func(a, b state) int { return strings.Compare(a.Key, b.Key) })
	return f
}

// line is the frame as it is written. The JSON of a frame has no newline in it.
func (f frame) line() ([]byte, error) {
	body, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode a frame of the journal: %w", err)
	}
	return fmt.Appendf(nil, "%08x %s\n", checksum(body), body), nil
}

func checksum(body []byte) uint32 { return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) }

var errFrame = errors.New("this is not a frame of a journal")

func parseFrame(line []byte) (f frame, err error) {
	sum, body, ok := bytes.Cut(line, []byte(" "))
	if !ok || string(sum) != fmt.Sprintf("%08x", checksum(body)) {
		return f, errFrame
	}
	if err := json.Unmarshal(body, &f); err != nil {
		return f, fmt.Errorf("%w: %w", errFrame, err)
	}
	return f, nil
}

// Report says what was found in a journal.
type Report struct {
	// Damaged, where not nil, says what could not be read although no crash leaves it so. The rest counts.
	Damaged error
	// Torn is true where the last frame was cut short by a crash. Nobody had been told that it was there.
	Torn bool
	// Missing is true where there is no journal yet.
	Missing bool

	text []byte // of a journal that is damaged
}

// read makes a book of the journal in dir; without one it is empty.
func read(dir string, now func() time.Time) (*book, Report, error) {
	b := newBook(now)
	path := filepath.Join(dir, journalFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, Report{Missing: true}, nil
	}
	if err != nil {
		return nil, Report{}, fmt.Errorf("read the journal: %w", err)
	}
	if info.Size() > maxJournal {
		return nil, Report{}, fmt.Errorf("the journal %s has %d bytes, which is no journal", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, Report{}, fmt.Errorf("read the journal: %w", err)
	}
	r, err := b.replay(path, text)
	return b, r, err
}

// replay counts every frame that can be read.
func (b *book) replay(path string, text []byte) (r Report, err error) {
	lines := bytes.Split(text, []byte("\n"))
	if last := len(lines) - 1; len(lines[last]) == 0 {
		lines = lines[:last] // what stands behind the last newline
	}
	wrong := 0 // the number of the first line that is no frame, while that may still be a torn tail
	for i, line := range lines {
		f, err := parseFrame(line)
		if err == nil && (i == 0) != (f.Version != 0) {
			err = errFrame
		}
		if f.Version > version {
			return r, fmt.Errorf("%s is of version %d, and this program knows %d: use the program that wrote it, or move the file away, which forgets what was used", path, f.Version, version)
		}
		if wrong > 0 || err != nil && i == 0 {
			r.Damaged = fmt.Errorf("%s:%d: %w", path, max(1, wrong), errFrame)
		}
		if err != nil {
			if wrong == 0 {
				wrong = i + 1
			}
			continue
		}
		b.take(f)
	}
	if len(lines) == 0 {
		r.Damaged = fmt.Errorf("%s: it is empty, and a journal never is", path)
	}
	r.Torn = wrong > 0 && r.Damaged == nil
	if r.Damaged != nil {
		r.text = text
	}
	return r, nil
}

func (b *book) take(f frame) {
	for _, s := range f.All {
		a := b.account(s.Key)
		a.files, a.bytes = s.Files, s.Bytes
	}
	for _, u := range f.Uses {
		b.apply(u)
	}
	b.resume(f.At, f.Clock)
}
