// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
)

// Files of all sizes arrive as they were sent and come back as they are: the digests of the device, of the server's disk and of the
// audit record are the same.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	sizes := []int64{0, 1, 4 << 10, 1<<20 + 3, 256 << 20}
	g := startGateway(t, setup{})
	f := g.login(0)
	want := map[string]string{}
	for i, size := range sizes {
		path := fmt.Sprintf("/file-%d.bin", size)
		want[path] = digest(t, pattern(size, byte(i)))
		f.expectReply("STOR "+path, f.store(path, pattern(size, byte(i))), 226)
		if got := digestFile(t, filepath.Join(g.home(0), path)); got != want[path] {
			t.Errorf("%d bytes: the server has another file than was sent", size)
		}
		if r := f.expect(213, "SIZE %s", path); r.text != fmt.Sprint(size) {
			t.Errorf("SIZE of %d bytes: %v", size, r)
		}
		conn := f.data("RETR %s", path)
		got := digest(t, conn)
		_ = conn.Close()
		f.expectReply("RETR "+path, f.read(), 226)
		if got != want[path] {
			t.Errorf("%d bytes: the device got another file than the server has", size)
		}
	}
	f.expect(221, "QUIT")
	ups, downs := 0, 0
	for _, r := range g.recordsOf(audit.TransferCommitted) {
		if r.TransferFields == nil || r.Bytes == nil || r.SHA256 != want[r.Path] || r.Path != fmt.Sprintf("/file-%d.bin", *r.Bytes) {
			t.Errorf("the record of %s is wrong: %+v", r.Path, r.TransferFields)
			continue
		}
		if r.Rule != "all" || r.Reason == "" || r.Conduit != "far" || r.Device != "relay" || r.Session == "" || r.Peer == "" {
			t.Errorf("the record of %s lacks something: %+v %+v", r.Path, r, r.TransferFields)
		}
		switch r.Op {
		case "upload":
			ups++
			if r.Receipt == nil || r.Receipt.Bytes != *r.Bytes || !r.Receipt.Fsynced || !r.Receipt.Atomic || r.Acknowledge != "delivered" {
				t.Errorf("the upload of %s: receipt %+v, acknowledge %q", r.Path, r.Receipt, r.Acknowledge)
			}
		case "download":
			downs++
		}
	}
	if ups != len(sizes) || downs != len(sizes) {
		t.Errorf("%d uploads and %d downloads on record, want %d each", ups, downs, len(sizes))
	}
}

// In ASCII type the bytes are the same: nothing is converted on the way.
func TestTypeANeverAltersBytes(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	f := g.login(0)
	f.expect(200, "TYPE A")
	text := []byte("one\r\ntwo\nthree\rfour\x00\xff\r\n")
	f.put("/text", text)
	if got := f.get("RETR /text"); string(got) != string(text) {
		t.Errorf("sent %q, got %q", text, got)
	}
	if got, want := digestFile(t, filepath.Join(g.home(0), "text")), digest(t, bytes.NewReader(text)); got != want {
		t.Error("the server has other bytes than were sent")
	}
}
