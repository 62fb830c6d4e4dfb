// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/internal/config"
)

// A standard output that nobody reads does not keep the program, nor is anything left that writes to it.
func TestSinkThatNobodyReads(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	in, stdout := os.NewFile(uintptr(pipe[0]), "read"), os.NewFile(uintptr(pipe[1]), "stdout")
	defer in.Close()
	defer stdout.Close()
	cfg := config.Audit{Dir: t.TempDir(), Sinks: []config.Sink{{Name: "out", Type: config.SinkStdout, Format: "json"}}}
	log, err := audit.Open(cfg.Dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := openOutput(cfg, stdout)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startSinks(context.Background(), cfg, log, out, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 { // more than the pipe holds
		if err := log.Note(audit.Record{Event: audit.Command, Cause: "to fill the pipe, which holds 64 KiB and no more"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.close(); err != nil { // waits for all that writes
		t.Error(err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}
