// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// demoPlay is where the demo is played.
type demoPlay struct {
	w    io.Writer
	addr string // of the zone
}

// sample is a file that the demo relays.
type sample struct {
	name string // as the device names it
	far  string // where it must arrive, below the conduit's root
	data []byte
}

// play relays the samples and shows the evidence. An error says that something is not as it must be.
func (w *demoWorld) play(ctx context.Context, p *demoPlay) error {
	say(p.w, `
  relay-12, workstation, rtu-3        ftpgw %-17s      SFTP server
  ---- FTP, zone bay-7 ------->     policy, audit  ---- SSH, pinned host key ---->  %s
`, p.addr, w.far)
	records := demoRecord()
	firmware := sample{"/rtu-v2.bin", "/firmware/rtu-v2.bin", demoFirmware()}

	say(p.w, "1. The relay sends a disturbance record.")
	if err := p.session(ctx, "relay-12", func(c *demoClient) error {
		c.command("MKD /events")
		for _, s := range records {
			if err := c.store(s.name, s.data); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	say(p.w, "\n2. The workstation places a firmware image, and the RTU fetches it.")
	if err := p.session(ctx, "workstation", func(c *demoClient) error { return c.store(firmware.name, firmware.data) }); err != nil {
		return err
	}
	var fetched []byte
	if err := p.session(ctx, "rtu-3", func(c *demoClient) (err error) {
		fetched, err = c.fetch(firmware.name)
		return err
	}); err != nil {
		return err
	}
	if !bytes.Equal(fetched, firmware.data) {
		return fmt.Errorf("the RTU fetched %d bytes that are not those of the image", len(fetched))
	}
	say(p.w, "\n3. The relay tries to remove what it has sent, which no rule allows.")
	if err := p.session(ctx, "relay-12", func(c *demoClient) error {
		if code := c.command("DELE " + records[0].name); code != 550 {
			return fmt.Errorf("the forbidden command was answered with %d", code)
		}
		return nil
	}); err != nil {
		return err
	}
	return w.evidence(p, append(records, firmware))
}

// evidence compares the digests of what was sent, what is on the far side and what is on record, and shows the records.
func (w *demoWorld) evidence(p *demoPlay, samples []sample) error {
	onRecord, lines, err := w.awaitRefusal()
	if err != nil {
		return err
	}
	say(p.w, "\nThe evidence: SHA-256 as sent, on the far side, and on record")
	for _, s := range samples {
		arrived, err := os.ReadFile(filepath.Join(w.far, "ingest", s.far))
		if err != nil {
			return fmt.Errorf("look at the far side: %w", err)
		}
		sent, there, recorded := digest(s.data), digest(arrived), onRecord[s.name]
		if sent != there || sent != recorded {
			return fmt.Errorf("%s: digests differ: sent %s, far side %s, on record %s", s.name, sent, there, recorded)
		}
		say(p.w, "  %-22s %.16s…  %.16s…  %.16s…  the same", s.name, sent, there, recorded)
	}
	say(p.w, "\nThe audit log (%s):", w.cfg.Audit.Dir)
	for _, line := range lines {
		say(p.w, "  %s", line)
	}
	return nil
}

// awaitRefusal is readLog when the refusal is there. A device is not kept waiting until a refusal is durable, so that the log may be a
// moment behind the reply.
func (w *demoWorld) awaitRefusal() (digests map[string]string, lines []string, err error) {
	const patience, pause = 10 * time.Second, 10 * time.Millisecond
	for begin := time.Now(); ; time.Sleep(pause) {
		digests, lines, err = w.readLog()
		refused := slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, string(audit.DecisionDenied)) })
		if refused || time.Since(begin) > patience {
			return digests, lines, err
		}
	}
}

// readLog returns the digests of committed uploads by path, and the records of decisions and transfers as they stand in the log.
func (w *demoWorld) readLog() (digests map[string]string, lines []string, err error) {
	digests = make(map[string]string)
	for r, err := range audit.Read(w.cfg.Audit.Dir) {
		if err != nil {
			return nil, nil, fmt.Errorf("read the audit log: %w", err)
		}
		switch r.Event {
		case audit.TransferCommitted, audit.DecisionDenied:
			if r.Op == "upload" {
				digests[r.Path] = r.SHA256
			}
			line, err := json.Marshal(r)
			if err != nil {
				return nil, nil, err
			}
			lines = append(lines, string(line))
		}
	}
	return digests, lines, nil
}

func digest(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

// demoRecord is a disturbance record in the form of IEEE C37.111-1999 (COMTRADE), ASCII data: one current, 50 Hz, with a fault in
// its second half.
func demoRecord() []sample {
	const samples, rate = 80, 1600
	cfg := fmt.Sprintf("BAY-7,RELAY-12,1999\r\n1,1A,0D\r\n1,IL1,L1,,A,0.1,0,0,-32767,32767,600,1,P\r\n50\r\n1\r\n%d,%d\r\n"+
		"01/03/2026,12:00:00.000000\r\n01/03/2026,12:00:00.025000\r\nASCII\r\n1\r\n", rate, samples)
	var dat bytes.Buffer
	for i := range samples {
		amplitude := 400.0
		if i >= samples/2 {
			amplitude = 4200
		}
		value := int(amplitude * math.Sin(2*math.Pi*50*float64(i)/rate))
		fmt.Fprintf(&dat, "%d,%d,%d\r\n", i+1, i*1_000_000/rate, value)
	}
	return []sample{
		{"/events/F0001.cfg", "/relay-12/events/F0001.cfg", []byte(cfg)},
		{"/events/F0001.dat", "/relay-12/events/F0001.dat", dat.Bytes()},
	}
}

// demoFirmware is a file of every byte value, which any conversion on the way would corrupt.
func demoFirmware() []byte {
	image := []byte("RTU firmware v2\r\n\x00\xff")
	for i := range 64 << 10 {
		image = append(image, byte(i*i>>8^i))
	}
	return image
}

// liveView shows records as they come, once it has been started.
type liveView struct {
	w  io.Writer
	on atomic.Bool
	mu sync.Mutex
}

func (v *liveView) start() { v.on.Store(true) }

// show writes one record.
func (v *liveView) show(r audit.Record) {
	if !v.on.Load() || !interesting(r) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case r.CommandFields != nil:
		say(v.w, "  %s > %s %s", r.Device, r.Verb, r.Args)
		say(v.w, "  %s < %d %s", r.Device, r.Code, r.Text)
	case r.TransferFields != nil:
		rule := r.Rule
		if rule == "" {
			rule = "none"
		}
		say(v.w, "  %s ! %s: %s %s, rule %s: %s %s", r.Device, r.Event, r.Op, r.Path, rule, r.Reason, r.Cause)
	default:
		say(v.w, "  %s ! %s %s", r.Device, r.Event, r.Cause)
	}
}
