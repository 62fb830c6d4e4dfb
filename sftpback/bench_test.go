// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
)

func BenchmarkUpload(b *testing.B) {
	benchmark(b, func(b *testing.B, f *far, size int) {
		data := noise(size)
		for b.Loop() {
			if _, err := f.upload(b.Context(), gateway.Target{Location: at("/x")}, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDownload(b *testing.B) {
	benchmark(b, func(b *testing.B, f *far, size int) {
		f.put(b, "/x", bytes.Repeat([]byte{7}, size))
		for b.Loop() {
			d, err := f.Open(b.Context(), at("/x"), 0)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := d.WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmark(b *testing.B, body func(*testing.B, *far, int)) {
	servers := map[string]func() *far{
		"openssh":  func() *far { return overSSHD(b, nil) },
		"embedded": func() *far { return overEmbedded(b) },
	}
	for name, start := range servers {
		for _, size := range []int{1 << 10, 1 << 20, 64 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				f := start()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				before := ownCPU(b)
				body(b, f, size)
				b.ReportMetric((ownCPU(b)-before).Seconds()*1e9/float64(b.N)/float64(size), "cpu-s/GB")
			})
		}
	}
}

// ownCPU is the CPU time of this process: on a machine that does other things, too, it says more than the time that passes. What the
// embedded server needs is in it.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
