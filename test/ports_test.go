// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

// Each gateway gets a block of ports below those that the kernel hands out by itself: the first to listen on, the rest for passive
// data connections. So ranges are disjoint, and a range is known to be free.
const (
	blockSize  = 80
	firstBlock = 10240
	lastBlock  = 32000
)

var nextBlock atomic.Int64

// portBlock is the first port of a block that is the test's own until it ends.
func portBlock(t testing.TB) int {
	t.Helper()
	start := int64(os.Getpid()) // spreads runs over the range
	for range (lastBlock - firstBlock) / blockSize {
		i := (start + nextBlock.Add(1)) % ((lastBlock - firstBlock) / blockSize)
		first := firstBlock + int(i)*blockSize
		release, err := reserve(first)
		if err != nil {
			continue // another test has it
		}
		if portsFree(first) {
			t.Cleanup(release)
			return first
		}
		release()
	}
	t.Fatal("no free block of ports")
	return 0
}

// reserve keeps a block from all other tests, those of other processes included: between the look whether its ports are free and the
// moment in which a gateway listens there another one could take them, or could just be looking, which takes each port for a moment. The
// reservation is a name in the network namespace, as the ports are, and ends with the process at the latest.
func reserve(first int) (release func(), err error) {
	l, err := net.Listen("unix", fmt.Sprintf("@ftpgw-test-ports-%d", first))
	if err != nil {
		return nil, err
	}
	return func() { _ = l.Close() }, nil
}

func portsFree(first int) bool {
	for port := first; port < first+blockSize; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// A block belongs to one test at a time, though nobody listens at its ports.
func TestPortBlocksAreReserved(t *testing.T) {
	var first int
	t.Run("one", func(t *testing.T) {
		first = portBlock(t)
		if release, err := reserve(first); err == nil {
			release()
			t.Error("another test can have the same ports")
		}
	})
	release, err := reserve(first)
	if err != nil {
		t.Fatalf("behind the end of its test: %v", err)
	}
	release()
}
