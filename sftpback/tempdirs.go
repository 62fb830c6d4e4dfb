// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/durable"
)

// tempDirs knows in which directories there may be temporary files, of this run and of those before, and keeps that in a file: each
// is noted there before the first file is made in it. The homes of the devices that the configuration has now are not all of them:
// a rule can file elsewhere, and a device can be gone by the time that what it has left is looked for.
type tempDirs struct {
	path string // of the file; empty: nothing is kept

	writing sync.Mutex // held while the file is replaced; before mu

	mu      sync.Mutex
	earlier []gateway.Location // of earlier runs, not swept yet
	own     map[gateway.Location]*tempDir
}

// tempDir is a directory in which this run makes temporaries.
type tempDir struct {
	count int  // of those that may be there
	noted bool // the file has it
}

// idleDirs is how many directories stay noted although no temporary of this run is left in them, so that the next upload into one of them
// need not wait for the file.
const idleDirs = 512

// openTempDirs reads what earlier runs have noted. What is wrong with the file is no reason to do without the conduit: the error says
// what is not known.
func openTempDirs(path string) (*tempDirs, error) {
	d := &tempDirs{path: path, own: make(map[gateway.Location]*tempDir)}
	if path == "" {
		return d, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return d, fmt.Errorf("read the directories of temporary files: %w", err)
	}
	wrong := 0
	for line := range bytes.Lines(text) {
		l, ok := parseDir(strings.TrimSuffix(string(line), "\n"))
		if !ok {
			wrong++
			continue
		}
		d.earlier = append(d.earlier, l)
	}
	if wrong > 0 {
		return d, fmt.Errorf("read the directories of temporary files: %d lines of %s make no sense", wrong, path)
	}
	return d, nil
}

// line is a directory as it stands in the file: its home and its path, which may hold any bytes, each as a Go string literal.
func line(l gateway.Location) string { return strconv.Quote(l.Home) + " " + strconv.Quote(l.Path) }

func parseDir(text string) (l gateway.Location, ok bool) {
	home, err := strconv.QuotedPrefix(text)
	if err != nil {
		return l, false
	}
	dir, ok := strings.CutPrefix(text[len(home):], " ")
	if !ok {
		return l, false
	}
	if l.Home, err = strconv.Unquote(home); err != nil {
		return l, false
	}
	l.Path, err = strconv.Unquote(dir)
	return l, err == nil
}

// enter says that a temporary is about to be made in a directory, and returns when that is on stable storage. After an error it is known
// as long as the program runs, and the next one tries again to note it.
func (d *tempDirs) enter(l gateway.Location) error {
	if d.path == "" || d.count(l) {
		return nil
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	if d.isNoted(l) { // together with another one, meanwhile
		return nil
	}
	return d.write()
}

// count counts one more temporary, and reports whether its directory is noted.
func (d *tempDirs) count(l gateway.Location) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir := d.own[l]
	if dir == nil {
		dir = &tempDir{}
		d.own[l] = dir
	}
	dir.count++
	return dir.noted
}

func (d *tempDirs) isNoted(l gateway.Location) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.own[l].noted
}

// leave says that a temporary is gone from a directory.
func (d *tempDirs) leave(l gateway.Location) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if dir := d.own[l]; dir != nil {
		dir.count--
	}
}

// left are the directories in which an earlier run may have left something.
func (d *tempDirs) left() []gateway.Location {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.earlier)
}

// swept forgets directories in which nothing is left of earlier runs.
func (d *tempDirs) swept(clean []gateway.Location) error {
	if len(clean) == 0 {
		return nil
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	d.earlier = slices.DeleteFunc(d.earlier, func(l gateway.Location) bool { return slices.Contains(clean, l) })
	d.mu.Unlock()
	return d.write()
}

// write replaces the file. d.writing is held.
func (d *tempDirs) write() error {
	text, dirs := d.text()
	if err := durable.WriteFile(d.path, text, 0o600); err != nil {
		return fmt.Errorf("note the directories of temporary files: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dir := range dirs {
		dir.noted = true
	}
	return nil
}

// text is the file as it should be, and those of this run that it has.
func (d *tempDirs) text() (text []byte, dirs []*tempDir) {
	d.mu.Lock()
	defer d.mu.Unlock()
	full := len(d.own) > idleDirs // a rule can file each upload into a directory of its own
	var lines []string
	for l, dir := range d.own {
		if full && dir.count == 0 {
			delete(d.own, l)
			continue
		}
		lines, dirs = append(lines, line(l)+"\n"), append(dirs, dir)
	}
	for _, l := range d.earlier {
		lines = append(lines, line(l)+"\n")
	}
	slices.Sort(lines)
	return []byte(strings.Join(slices.Compact(lines), "")), dirs
}
