// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"testing"
)

// answers are what a server may send to whatever was asked; they are also where fuzzing starts.
func answers() [][]byte {
	attrs := newPacket(typeAttrs, 0).u32(attrSize | attrPermissions | attrTimes | attrExtended).u64(5).u32(posixDir | 0o755).u32(1).u32(2).u32(1).str("a").str("b")
	names := newPacket(typeName, 0).u32(2).str("a").str("-rw a").u32(0).str("b").str("").u32(attrIDs).u32(1).u32(2)
	return [][]byte{
		attrs, names, names[:len(names)-3], newPacket(typeName, 0).u32(1 << 31),
		newPacket(typeStatus, 0).u32(CodeFailure).str("no").str("en"), newPacket(typeStatus, 0).u32(CodeEOF), newPacket(typeStatus, 0),
		newPacket(typeHandle, 0).str("handle"), newPacket(typeHandle, 0).u32(1 << 30), newPacket(typeData, 0).str("data"), newPacket(typeData, 0).u32(9),
		newPacket(typeExtendedReply, 0).u64(1).u64(2).u64(3).u64(4).u64(5).u64(6).u64(7).u64(8).u64(9).u64(10).u64(11), {0, 0, 0, 0, 0, 0, 0, 0, 0},
	}
}

// stream is a channel on which a server has already sent all that it will.
type stream struct{ io.Reader }

func (stream) Write(p []byte) (int, error) { return len(p), nil }
func (stream) Close() error                { return nil }

// FuzzAnswers holds that a server can send whatever it likes: every call ends, nothing panics, and what comes out as an outcome is what
// callers rely on: names without "." and "..", sizes that are none below zero, no more data than there is room for.
func FuzzAnswers(f *testing.F) {
	for kind := range byte(6) {
		for _, a := range answers() {
			f.Add(kind, a)
		}
	}
	f.Fuzz(func(t *testing.T, ask byte, sent []byte) {
		if len(sent) >= headerSize { // most inputs shall get past the first checks: right length, right id
			binary.BigEndian.PutUint32(sent, uint32(len(sent)-4))
			binary.BigEndian.PutUint32(sent[5:], 1)
		}
		gate := make(chan struct{})
		c := New(stream{io.MultiReader(gated(gate), bytes.NewReader(sent))}, nil)
		room := make([]byte, 16)
		var outcome func() error
		switch ask % 6 {
		case 0:
			call := c.Stat("/x")
			outcome = func() error { info, err := call.Info(); return checkInfo(t, info, err) }
		case 1:
			call := c.Readdir("h")
			outcome = func() error {
				list, err := call.Names()
				for _, info := range list {
					if info.Name() == "." || info.Name() == ".." {
						t.Errorf("%q is listed", info.Name())
					}
					if err := checkInfo(t, info, nil); err != nil {
						return err
					}
				}
				return err
			}
		case 2:
			call := c.Opendir("/x")
			outcome = func() error {
				h, err := call.Handle()
				if err == nil && len(h) > maxHandle {
					t.Errorf("a handle of %d bytes", len(h))
				}
				return err
			}
		case 3:
			call := c.Read("h", 0, room)
			outcome = func() error {
				n, err := call.Data()
				if n < 0 || n > len(room) {
					t.Errorf("%d bytes in %d", n, len(room))
				}
				return err
			}
		case 4:
			call := c.Realpath("/x")
			outcome = func() error { _, err := call.Path(); return err }
		default:
			call := c.StatVFS("/x")
			outcome = func() error { _, err := call.FileSystem(); return err }
		}
		close(gate)
		_ = outcome() // that it comes is what counts
		if err := c.Wait(); err == nil {
			t.Error("the channel has ended without a cause")
		}
	})
}

// gated reads nothing and ends when gate is closed.
func gated(gate <-chan struct{}) io.Reader { return gateReader(gate) }

type gateReader <-chan struct{}

func (g gateReader) Read([]byte) (int, error) { <-g; return 0, io.EOF }

func checkInfo(t *testing.T, info fs.FileInfo, err error) error {
	if err == nil && info.Size() < 0 {
		t.Errorf("%q has the size %d", info.Name(), info.Size())
	}
	return err
}
