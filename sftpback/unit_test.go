// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/wire"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		base, p, below string
		ok             bool
	}{
		{"/a", "/a", "/", true},
		{"/a", "/a/b/c", "/b/c", true},
		{"/a", "/ab", "", false},
		{"/a", "/", "", false},
		{"/a", "/a/../b", "", false},
		{"/a", "a/b", "", false},
		{"", "/a", "", false},
		{"/", "/a", "/a", true},
		{"/", "/", "/", true},
		{"/a/", "/a/b", "/b", true},
	} {
		if below, ok := within(c.base, c.p); ok != c.ok || ok && below != c.below {
			t.Errorf("within(%q, %q): %q, %v", c.base, c.p, below, ok)
		}
	}
}

func TestComponents(t *testing.T) {
	c := &Conduit{cfg: Config{Root: "/root"}}
	for _, k := range []struct {
		home, p string
		want    error
		n       int
	}{
		{"/", "/", nil, 0},
		{"/dev", "/a/b", nil, 2},
		{"/dev", "/a b/..c/...", nil, 3},
		{"dev", "/a", gateway.ErrBadName, 0},
		{"/dev", "a", gateway.ErrBadName, 0},
		{"/dev", "", gateway.ErrBadName, 0},
		{"/dev", "/a/", gateway.ErrBadName, 0},
		{"/dev", "/a//b", gateway.ErrBadName, 0},
		{"/dev", "/a/../../b", gateway.ErrBadName, 0},
		{"/dev/..", "/a", gateway.ErrBadName, 0},
		{"/dev", "/\x00", gateway.ErrBadName, 0},
		{"/dev", "/a/.ftpgw-", fs.ErrPermission, 0},
		{"/.ftpgw-x", "/a", fs.ErrPermission, 0},
		{"/dev", "/" + strings.Repeat("x", 255), nil, 1},
		{"/dev", "/" + strings.Repeat("x", 256), syscall.ENAMETOOLONG, 0},
		{"/dev", strings.Repeat("/x", 2050), syscall.ENAMETOOLONG, 0},
	} {
		names, err := c.components(gateway.Location{Home: k.home, Path: k.p})
		if !errors.Is(err, k.want) || len(names) != k.n {
			t.Errorf("%q %q: %q, %v", k.home, k.p, names, err)
		}
	}
}

func TestTempNames(t *testing.T) {
	c := &Conduit{cfg: Config{Instance: "abcd1234"}, run: "0123abcd"}
	next := &Conduit{cfg: Config{Instance: "abcd1234"}, run: "99999999"}
	name := c.tempName()
	if name == c.tempName() || len(name) > maxName || isListable(name) {
		t.Errorf("name %q", name)
	}
	if c.isStale(name) || !next.isStale(name) {
		t.Errorf("%q: stale for its own run %v, for the next %v", name, c.isStale(name), next.isStale(name))
	}
}

func TestErrors(t *testing.T) {
	c := &Conduit{cfg: Config{Name: "far"}}
	failure := &wire.Status{Code: wire.CodeFailure}
	for name, k := range map[string]struct {
		err       error
		temporary bool
		is        []error
	}{
		"not found":   {fs.ErrNotExist, false, []error{fs.ErrNotExist}},
		"failure":     {failure, false, nil},
		"retryable":   {retryable(failure), true, nil},
		"refused":     {retryable(fs.ErrPermission), false, []error{fs.ErrPermission}},
		"full":        {fmt.Errorf("%w: %w", syscall.ENOSPC, failure), true, []error{syscall.ENOSPC}},
		"end of file": {io.EOF, false, nil},
		"lost":        {lost(io.EOF), true, nil},
		"lost so":     {lost(net.ErrClosed), true, []error{net.ErrClosed}},
		"cancelled":   {context.Canceled, true, []error{context.Canceled}},
		"changed":     {gateway.ErrChanged, false, []error{gateway.ErrChanged}},
		"deep":        {fmt.Errorf("a: %w", &transient{fmt.Errorf("b: %w", io.EOF)}), true, nil},
	} {
		err := c.fault("stat", "/a/b", k.err)
		if gateway.IsTemporary(err) != k.temporary {
			t.Errorf("%s: temporary: %v", name, !k.temporary)
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("%s: is io.EOF", name)
		}
		for _, want := range k.is {
			if !errors.Is(err, want) {
				t.Errorf("%s: is not %v", name, want)
			}
		}
		if text := err.Error(); !strings.HasPrefix(text, "conduit far: stat /a/b: ") || strings.Count(text, "conduit") != 1 {
			t.Errorf("%s: text %q", name, text)
		}
		if again := c.fault("list", "/", err); again != err {
			t.Errorf("%s: dressed twice: %v", name, again)
		}
	}
	if c.fault("stat", "/", nil) != nil {
		t.Error("no error becomes one")
	}
}

// script is a server's side of a channel: what it says, and what it was told.
type script struct {
	io.Reader
	bytes.Buffer
}

func (s *script) Read(p []byte) (int, error) { return s.Reader.Read(p) }

func packet(body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(all))), all...)
}

func str(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }

func u64(numbers ...uint64) (b []byte) {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func TestGreet(t *testing.T) {
	version := []byte{fxpVersion, 0, 0, 0, 3}
	offer := packet(version, str("a@b"), str("1"), str(limitsExtension), str("1"))
	reply := []byte{fxpExtendedReply, 0, 0, 0, 0}
	for name, c := range map[string]struct {
		says        []byte
		read, write int
		bad         bool
	}{
		"plain":           {packet(version), safePacket, safePacket, false},
		"other extension": {packet(version, str("a@b"), str("1")), safePacket, safePacket, false},
		"other version":   {packet(version, str(limitsExtension), str("2")), safePacket, safePacket, false},
		"openssh":         {append(offer, packet(reply, u64(256<<10, 255<<10, 255<<10, 1000))...), maxPacket, maxPacket, false},
		"no limit":        {append(offer, packet(reply, u64(0, 0, 0, 0))...), maxPacket, maxPacket, false},
		"small":           {append(offer, packet(reply, u64(0, 1000, 2000, 0))...), 1000, 2000, false},
		"small packets":   {append(offer, packet(reply, u64(34<<10, 0, 0, 0))...), 33 << 10, 33 << 10, false},
		"tiny packets":    {append(offer, packet(reply, u64(1, 0, 0, 0))...), packetOverhead, packetOverhead, false},
		"huge":            {append(offer, packet(reply, u64(1<<63, 1<<63, 1<<63, 0))...), maxPacket, maxPacket, false},
		"refused":         {append(offer, packet([]byte{101, 0, 0, 0, 0, 0, 0, 0, 8})...), safePacket, safePacket, false},
		"SFTP 6":          {packet([]byte{fxpVersion, 0, 0, 0, 6}), 0, 0, true},
		"a banner":        {[]byte("This system is for authorised use only"), 0, 0, true},
		"another packet":  {packet([]byte{101, 0, 0, 0, 3}), 0, 0, true},
		"empty packet":    {packet(nil), 0, 0, true},
		"cut off":         {packet(version)[:7], 0, 0, true},
		"cut extension":   {packet(version, str("a@b"), []byte{0, 0, 0, 9, 'x'}), 0, 0, true},
		"cut limits":      {offer, 0, 0, true},
		"nothing":         {nil, 0, 0, true},
	} {
		s := &script{Reader: bytes.NewReader(c.says)}
		h, err := greet(s)
		if (err != nil) != c.bad || h.read != c.read || h.write != c.write {
			t.Errorf("%s: read %d, write %d, %v", name, h.read, h.write, err)
		}
		if _, known := h.extensions["a@b"]; err == nil && known != bytes.Contains(c.says, []byte("a@b")) {
			t.Errorf("%s: extensions %q", name, h.extensions)
		}
		if want := packet([]byte{fxpInit, 0, 0, 0, 3}); !bytes.HasPrefix(s.Bytes(), want) {
			t.Errorf("%s: sent %x", name, s.Bytes())
		}
	}
}

func FuzzGreet(f *testing.F) {
	version := []byte{fxpVersion, 0, 0, 0, 3}
	f.Add(packet(version, str(limitsExtension), str("1")))
	f.Add(append(packet(version, str(limitsExtension), str("1")), packet([]byte{fxpExtendedReply, 0, 0, 0, 0}, u64(1, 2, 3, 4))...))
	f.Fuzz(func(t *testing.T, says []byte) {
		h, err := greet(&script{Reader: bytes.NewReader(says)})
		if err == nil && (h.read < 1 || h.read > maxPacket || h.write < 1 || h.write > maxPacket) {
			t.Errorf("sizes %d and %d", h.read, h.write)
		}
	})
}

// A server that goes away while it is dialled, as when it is restarted, is no alarm; one whose key does not fit is.
func TestGravity(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want slog.Level
	}{
		"gone":      {fmt.Errorf("open SFTP: open channel: %w", lost(errors.New("the server closed the connection"))), slog.LevelWarn},
		"wrong key": {errors.New("ssh: handshake failed: the host key is another one"), slog.LevelError},
	} {
		if level, _ := gravity(c.err); level != c.want {
			t.Errorf("%s: logged as %v, want %v", name, level, c.want)
		}
	}
}
