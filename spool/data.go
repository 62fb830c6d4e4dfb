// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
)

// Data is the content of an entry, open for reading from the first byte to the last: bytes of which those in front were not read could
// not be held to the digest. It goes on being readable when the entry is removed. It is used by one goroutine at a time and must be closed.
type Data struct {
	file file
	r    *io.SectionReader
	hash hash.Hash // of what was read
	want string    // the digest
}

// OpenData opens the content of an entry from its first byte. Errors: fs.ErrNotExist where there is no such entry, ErrDamaged where
// its file is not what was committed, and those of the file system.
func (s *Spool) OpenData(id string) (*Data, error) {
	s.mu.RLock()
	it := s.index.byID[id]
	var e Entry
	if it != nil {
		e = it.entry
	}
	s.mu.RUnlock()
	if it == nil {
		return nil, fmt.Errorf("open spooled file %.40q: %w", id, fs.ErrNotExist)
	}
	d, err := s.openData(it, e)
	if err != nil {
		return nil, fmt.Errorf("open spooled file %s: %w", id, err)
	}
	return d, nil
}

func (s *Spool) openData(it *item, e Entry) (_ *Data, err error) {
	key, err := s.keys.get(it.key)
	if err != nil {
		return nil, err
	}
	f, err := s.sys.open(s.entryPath(it.seq))
	if err != nil {
		return nil, s.located(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < it.data {
		return nil, fmt.Errorf("%w: %d of %d bytes are there", ErrDamaged, info.Size(), it.data)
	}
	r, size, err := key.reader(f, it.data)
	if err != nil {
		return nil, err
	}
	if size != e.Size {
		return nil, fmt.Errorf("%w: it has %d bytes, its record speaks of %d", ErrDamaged, size, e.Size)
	}
	return &Data{file: f, r: io.NewSectionReader(r, 0, size), want: e.SHA256, hash: sha256.New()}, nil
}

// Size is the number of bytes in all.
func (d *Data) Size() int64 { return d.r.Size() }

// Read implements io.Reader. Its end is ErrDamaged instead of io.EOF where the bytes are not those that were committed.
func (d *Data) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.hash.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(d.hash.Sum(nil)) != d.want {
		return n, fmt.Errorf("%w: the bytes of the spooled file are not those that were committed", ErrDamaged)
	}
	return n, err
}

// Close implements io.Closer.
func (d *Data) Close() error { return d.file.Close() }
