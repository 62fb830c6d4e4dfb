// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/control"
	"github.com/ftpgw/ftpgw/ftpfront"
	"github.com/ftpgw/ftpgw/internal/config"
)

// section is one part of the status of a running gateway.
type section struct {
	name string // of its member in the JSON document
	// look returns the part as it is now: as a document, whose field names are a contract, and in lines for people.
	look func(ctx context.Context) (document any, lines []string)
}

// sections are all parts, in the order in which people read them. Whatever has something to show adds a line here.
func (a *appliance) sections() []section {
	return []section{
		{"gateway", a.gatewayStatus},
		{"configuration", a.configurationStatus},
		{"island", a.islandStatus},
		{"zones", a.zonesStatus},
		{"conduits", a.conduitsStatus},
		{"spool", a.spoolStatus},
		{"limits", a.limitsStatus},
		{"audit", a.auditStatus},
		{"transfers", a.transfersStatus},
	}
}

func (a *appliance) statusRoutes() []control.Route {
	return []control.Route{{Pattern: "GET /v1/status", Handle: func(ctx context.Context, r *control.Request) (any, error) {
		document := map[string]any{}
		var text []string
		for _, s := range a.sections() {
			part, lines := s.look(ctx)
			document[s.name] = part
			text = append(text, lines...)
		}
		if r.Query("form") != "text" {
			return document, nil
		}
		var folded []string
		for _, line := range text {
			folded = append(folded, fold(line)...)
		}
		return folded, nil
	}}}
}

// lineWidth is what fits on any terminal.
const lineWidth = 80

// indent is where the words of an entry begin.
const indent = 15

// fold breaks a line that is too long between words, or within one that is very long: nothing is cut off, since the cause of an error
// stands at its end.
func fold(line string) []string {
	var lines []string
	rest := []rune(line)
	for len(rest) > lineWidth {
		end, next := lineWidth, lineWidth
		for i := lineWidth; i > lineWidth/2; i-- {
			if rest[i] == ' ' {
				end, next = i, i+1
				break
			}
		}
		lines = append(lines, string(rest[:end]))
		rest = append([]rune(strings.Repeat(" ", indent)), rest[next:]...)
	}
	return append(lines, string(rest))
}

// entry is a line of the status: what it is about, and how that is.
func entry(about, format string, args ...any) string {
	return fmt.Sprintf("%-*s %s", indent-1, about, fmt.Sprintf(format, args...))
}

// ago is how long ago something was, in whole seconds.
func ago(t time.Time) string { return time.Since(t).Round(time.Second).String() }

// moment is a time, for people.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// inForce is a configuration and since when it has been in force.
type inForce struct {
	cfg   *config.Config
	since time.Time
}

func (a *appliance) gatewayStatus(context.Context) (any, []string) {
	type document struct {
		Version string    `json:"version"`
		PID     int       `json:"pid"`
		Started time.Time `json:"started"`
		Uptime  int64     `json:"uptime_s"`
	}
	up := time.Since(a.started)
	return document{Version: version(), PID: os.Getpid(), Started: a.started.UTC(), Uptime: int64(up / time.Second)},
		[]string{entry("gateway", "%s, pid %d, up %s", version(), os.Getpid(), up.Round(time.Second))}
}

func (a *appliance) configurationStatus(context.Context) (any, []string) {
	type document struct {
		Digest  string    `json:"digest"`
		Since   time.Time `json:"since"`
		Files   []string  `json:"files"`
		Devices int       `json:"devices"`
		Rules   int       `json:"rules"`
	}
	now := a.inForce.Load()
	d := document{Digest: now.cfg.Digest, Since: now.since.UTC(), Files: now.cfg.Files, Devices: len(now.cfg.Devices), Rules: len(now.cfg.Policy.Rules())}
	return d, []string{entry("configuration", "%.12s since %s, %s, %s", d.Digest, moment(d.Since), count(d.Devices, "device"), count(d.Rules, "rule"))}
}

func (a *appliance) islandStatus(context.Context) (any, []string) {
	s := a.island.status()
	if !s.On {
		return s, []string{entry("island", "off")}
	}
	text := "ON"
	if !s.Complete {
		text += ", not complete yet"
	}
	lines := []string{entry("island", "%s, since %s, by %s", text, moment(s.Since), strings.Join(s.By, " and "))}
	if s.Reason != "" {
		lines = append(lines, entry("", "%s", s.Reason))
	}
	return s, lines
}

func (a *appliance) zonesStatus(context.Context) (any, []string) {
	type document struct {
		Name     string `json:"name"`
		Listen   string `json:"listen"`
		Sessions int    `json:"sessions"`
		LoggedIn int    `json:"logged_in"`
	}
	var docs []document
	var lines []string
	sessions := a.front.Sessions()
	for i, z := range a.inForce.Load().cfg.Zones {
		d := document{Name: z.Name, Listen: a.front.Addresses()[i].String()}
		for _, s := range sessions {
			if s.Zone == z.Name {
				d.Sessions++
				if s.Device != "" {
					d.LoggedIn++
				}
			}
		}
		docs = append(docs, d)
		lines = append(lines, entry("zone", "%s at %s: %s, %d logged in", d.Name, d.Listen, count(d.Sessions, "session"), d.LoggedIn))
	}
	return docs, lines
}

func (a *appliance) conduitsStatus(context.Context) (any, []string) {
	type document struct {
		Name        string    `json:"name"`
		Address     string    `json:"address"`
		Up          bool      `json:"up"`
		Connections int       `json:"connections"`
		Since       time.Time `json:"since,omitzero"` // of being up or down
		LastError   string    `json:"last_error,omitempty"`
	}
	var docs []document
	var lines []string
	for _, c := range a.inForce.Load().cfg.Conduits {
		n, cause := a.conduits[c.Name].Connections()
		since, last := a.ups.of(c.Name)
		d := document{Name: c.Name, Address: c.Address, Up: n > 0, Connections: n, Since: since, LastError: last}
		if cause != nil {
			d.LastError = cause.Error()
		}
		docs = append(docs, d)
		state := "not tried yet"
		switch {
		case d.Up && since.IsZero(): // it has just come up, and that is not noted yet
			state = fmt.Sprintf("up, %s", count(n, "connection"))
		case d.Up:
			state = fmt.Sprintf("up since %s, %s", moment(d.Since), count(n, "connection"))
		case !since.IsZero():
			state = "DOWN since " + moment(d.Since)
		}
		lines = append(lines, entry("conduit", "%s: %s", d.Name, state))
		if d.LastError != "" {
			lines = append(lines, entry("", "last error: %s", d.LastError))
		}
	}
	return docs, lines
}

func (a *appliance) auditStatus(context.Context) (any, []string) {
	type document struct {
		Dir          string    `json:"dir"`
		Durable      uint64    `json:"durable_seq"`
		Checkpoint   uint64    `json:"checkpoint_seq,omitempty"`
		CheckpointAt time.Time `json:"checkpoint_at,omitzero"`
		Free         int64     `json:"free_bytes"` // -1 where that is not known
		Error        string    `json:"error,omitempty"`
	}
	s := a.log.State()
	d := document{Dir: a.inForce.Load().cfg.Audit.Dir, Durable: s.Durable, Checkpoint: s.Checkpoint, CheckpointAt: s.CheckpointAt, Free: s.Free}
	text := fmt.Sprintf("record %d is durable", d.Durable)
	if d.Checkpoint > 0 {
		text += fmt.Sprintf(", checkpoint at %d %s ago", d.Checkpoint, ago(d.CheckpointAt))
	}
	if d.Free >= 0 {
		text += ", " + bytesWord(d.Free) + " free"
	}
	lines := []string{entry("audit log", "%s", text)}
	if s.Err != nil {
		d.Error = s.Err.Error()
		lines = append(lines, entry("", "FAILED: %s", d.Error))
	}
	return d, lines
}

// mostTransfers is how many transfers people are shown.
const mostTransfers = 20

func (a *appliance) transfersStatus(context.Context) (any, []string) {
	type document struct {
		Session string    `json:"session"`
		Zone    string    `json:"zone"`
		Device  string    `json:"device"`
		Peer    string    `json:"peer"`
		Verb    string    `json:"verb"`
		Args    string    `json:"args"`
		Bytes   int64     `json:"bytes"`
		Since   time.Time `json:"since"`
	}
	docs := []document{}
	running := slices.DeleteFunc(a.front.Sessions(), func(s ftpfront.SessionState) bool { return s.Transfer == nil })
	lines := []string{entry("transfers", "%d running", len(running))}
	for i, s := range running {
		t := s.Transfer
		docs = append(docs, document{s.ID, s.Zone, s.Device, s.Peer.String(), t.Verb, t.Args, t.Bytes, t.Since.UTC()})
		if i < mostTransfers {
			lines = append(lines, entry("", "%s %s %s, %s in %s", s.Device, t.Verb, t.Args, bytesWord(t.Bytes), ago(t.Since)))
		}
	}
	if more := len(running) - mostTransfers; more > 0 {
		lines = append(lines, entry("", "and %d more", more))
	}
	return docs, lines
}

// bytesWord is a number of bytes as people say it.
func bytesWord(n int64) string {
	value, units := float64(n), []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	for value >= 1024 && len(units) > 1 {
		value, units = value/1024, units[1:]
	}
	if units[0] == "bytes" {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}
