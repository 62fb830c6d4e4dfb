// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// countedFile counts fsyncs.
type countedFile struct {
	file
	n *atomic.Int64
}

func (f countedFile) Sync() error {
	f.n.Add(1)
	return f.file.Sync()
}

func countSyncs(n *atomic.Int64) calls {
	c := system()
	create, open := c.create, c.open
	c.create = func(path string) (file, error) {
		f, err := create(path)
		return countedFile{f, n}, err
	}
	c.open = func(path string) (file, error) {
		f, err := open(path)
		return countedFile{f, n}, err
	}
	return c
}

// BenchmarkCommit stores files of 4 KiB; the fsyncs are those of the files and the shared ones of directories.
func BenchmarkCommit(b *testing.B) {
	for _, encrypted := range []bool{false, true} {
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%d,encrypted=%v", writers, encrypted), func(b *testing.B) { benchmarkCommit(b, writers, encrypted) })
		}
	}
}

func benchmarkCommit(b *testing.B, writers int, encrypted bool) {
	o := Options{Dir: b.TempDir()}
	if encrypted {
		o = secret(b, o.Dir)
	}
	var syncs atomic.Int64
	s, err := openWith(o, countSyncs(&syncs))
	if err != nil {
		b.Fatal(err)
	}
	content := strings.Repeat("x", 4096)
	sum := digest(content)
	syncs.Store(0)
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	var n atomic.Int64
	for range writers {
		wg.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if err := storeSum(s, fmt.Sprintf("/events/%d", i), content, sum); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "files/s")
	b.ReportMetric(float64(syncs.Load())/float64(b.N), "fsyncs/file")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func storeSum(s *Spool, name, content, sum string) error {
	w, err := s.Create(meta(name), int64(len(content)))
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write([]byte(content)); err != nil {
		return err
	}
	_, err = w.Commit(sum, nil)
	return err
}

const many = 100_000

// full makes a spool with many entries of 4 KiB in 100 directories, without waiting for the disk.
func full(b testing.TB, o Options) Options {
	b.Helper()
	sys := system()
	create, open := sys.create, sys.open
	sys.create = func(path string) (file, error) { f, err := create(path); return unsynced{f}, err }
	sys.open = func(path string) (file, error) { f, err := open(path); return unsynced{f}, err }
	s, err := openWith(o, sys)
	if err != nil {
		b.Fatal(err)
	}
	content := strings.Repeat("x", 4096)
	sum := digest(content)
	for i := range many {
		if err := storeSum(s, fmt.Sprintf("/events/%02d/record-%06d.dat", i%100, i), content, sum); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return o
}

type unsynced struct{ file }

func (unsynced) Sync() error { return nil }

func BenchmarkOpen(b *testing.B) {
	for _, encrypted := range []bool{false, true} {
		b.Run(fmt.Sprintf("encrypted=%v", encrypted), func(b *testing.B) {
			o := Options{Dir: b.TempDir()}
			if encrypted {
				o = secret(b, o.Dir)
			}
			full(b, o)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for b.Loop() {
				s, err := Open(o)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if s.Recovered().Entries != many {
					b.Fatalf("%+v", s.Recovered())
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/many, "bytes/entry")
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(diskUsage(b, o.Dir)/many, "disk-bytes/entry")
		})
	}
}

func diskUsage(b *testing.B, dir string) (total float64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err == nil {
			total += float64(info.Size())
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}

func BenchmarkFull(b *testing.B) {
	s, err := Open(full(b, Options{Dir: b.TempDir()}))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Children", func(b *testing.B) {
		for b.Loop() {
			if files, _ := s.Children("centre", "/relay-12/events/07"); len(files) != many/100 {
				b.Fatal(len(files))
			}
		}
	})
	b.Run("Children of the parent", func(b *testing.B) {
		for b.Loop() {
			if _, dirs := s.Children("centre", "/relay-12/events"); len(dirs) != 100 {
				b.Fatal(len(dirs))
			}
		}
	})
	b.Run("Lookup", func(b *testing.B) {
		for b.Loop() {
			if list := s.Lookup("centre", "/relay-12/events/07/record-000007.dat"); len(list) != 1 {
				b.Fatal(len(list))
			}
		}
	})
	b.Run("All", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range s.All() {
				n++
			}
		}
	})
	b.Run("Expired", func(b *testing.B) {
		for b.Loop() {
			s.Expired(time.Now(), 0)
		}
	})
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
