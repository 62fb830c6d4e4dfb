// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/internal/memremote"
	"github.com/ftpgw/ftpgw/policy"
)

// While the beginning of a transfer is put on record the far side is opened, but not a byte goes there before it is; and none does if it
// cannot be.
func TestRecordedBeforeFirstByte(t *testing.T) {
	for name, failure := range map[string]error{"recorded": nil, "not recorded": errors.New("the disk is full")} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, all("far"))
			opened, recorded := make(chan struct{}), false
			w.log.refuse = func(r audit.Record) error {
				if r.Event != audit.TransferBegin {
					return nil
				}
				<-opened // the far side does not wait for the record
				recorded = failure == nil
				return failure
			}
			w.far.Fail = func(s memremote.Step, _ string) error {
				switch s {
				case memremote.Begin:
					close(opened)
				case memremote.Write:
					w.log.mu.Lock()
					defer w.log.mu.Unlock()
					if !recorded {
						t.Error("a byte has crossed before the transfer was on record")
					}
				}
				return nil
			}
			in, err := w.Receive(t.Context(), w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/x", Declared: policy.SizeUnknown})
			if err != nil {
				t.Fatal(err)
			}
			_, err = in.Take(t.Context(), strings.NewReader("data"))
			if failure == nil {
				err = errors.Join(err, in.Commit(t.Context(), gateway.Ending{}))
			}
			in.Abort(err)
			if !errors.Is(err, failure) {
				t.Errorf("%v, want %v", err, failure)
			}
			if first := w.log.records[0]; failure == nil && first.Event != audit.TransferBegin {
				t.Errorf("the first record is %q", first.Event)
			}
		})
	}
}

// Nor is a directory made there, whose name can be what a device has sent.
func TestNoDirectoryUnrecorded(t *testing.T) {
	w := newWorld(t, filedUnder(t, `"/records/${file.name}/data"`))
	full := errors.New("the disk is full")
	looked := make(chan struct{})
	w.log.refuse = func(r audit.Record) error {
		if r.Event != audit.TransferBegin {
			return nil
		}
		<-looked
		return full
	}
	w.far.Fail = func(s memremote.Step, name string) error {
		switch {
		case s == memremote.Look && name == "/records":
			close(looked)
		case s == memremote.Change:
			t.Errorf("%s was made", name)
		}
		return nil
	}
	if err := w.upload("/secret", strings.NewReader("data")); !errors.Is(err, full) {
		t.Errorf("%v, want %v", err, full)
	}
}

// A log that is known to have failed refuses a transfer before the device is told to send.
func TestNothingBeginsUnrecorded(t *testing.T) {
	w := newWorld(t, all("far"))
	w.log.err = errors.New("the disk is full")
	in, err := w.Receive(t.Context(), w.device, gateway.UploadRequest{Op: policy.Upload, Path: "/x", Declared: policy.SizeUnknown})
	if !errors.Is(err, w.log.err) {
		t.Errorf("%v, %v", in, err)
	}
}
