// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Activity is what one device, or one user that is no device, has done in a time.
type Activity struct {
	Device           string // its label; the user name in quotes where no device is known
	Sessions, Logins int
	FailedLogins     int
	Uploads          int
	UploadedBytes    int64
	Downloads        int
	DownloadedBytes  int64
	Aborted          int // transfers
	Denied           int // decisions
	Changes          int // of names and attributes
	First, Last      time.Time
}

// Incident is a kind of denial, failed login or attack, and how often it came.
type Incident struct {
	Who   string // device or user
	Peer  string // address without port, for failed logins and attacks
	What  string // operation and path of a denial, event and kind of an attack; empty for failed logins
	Rule  string // that denied; empty where none matched
	Why   string
	Count int
	First time.Time
	Last  time.Time
}

// Report sums up a log, or a part of it, for a review: what NERC CIP-007 R4 wants to be looked at.
type Report struct {
	From, To     time.Time
	Records      int
	FirstSeq     uint64
	LastSeq      uint64
	Devices      []Activity // in the order of their names
	Denials      []Incident // the most frequent first
	FailedLogins []Incident
	Attacks      []Incident // what begins with "security.", and lockouts; Count has those that a record stands for
	Spool        []SpoolActivity
	Operators    []Record // starts and stops, configurations, and what operators have changed
	Alarms       []Record // conduits that went down or came back, the log's own trouble
}

// Reporter makes a Report of the records that it is shown.
type Reporter struct {
	report  Report
	devices map[string]*Activity
	denials map[Incident]*Incident
	logins  map[Incident]*Incident
	attacks map[Incident]*Incident
	spool   map[string]*SpoolActivity
}

// NewReporter begins a report; from and to are what is to stand in it.
func NewReporter(from, to time.Time) *Reporter {
	return &Reporter{
		report: Report{From: from, To: to}, devices: make(map[string]*Activity),
		denials: make(map[Incident]*Incident), logins: make(map[Incident]*Incident),
		attacks: make(map[Incident]*Incident), spool: make(map[string]*SpoolActivity),
	}
}

// Add takes one record into account. Records come in the order of the log.
func (p *Reporter) Add(r Record) {
	if p.report.Records == 0 {
		p.report.FirstSeq = r.Seq
	}
	p.report.Records++
	p.report.LastSeq = r.Seq
	switch r.Event {
	case ConduitDown, ConduitUp, LogSpaceLow, LogSpaceOK, LogTrouble, LogRecovered, LogResumed, LogRemoved, ClockJumped, ForwardingFound, LimitDamaged, SpoolAside, IslandOn, IslandOff:
		p.report.Alarms = append(p.report.Alarms, r)
	case GatewayStart, GatewayStop, ConfigLoaded, ConfigRefused, ControlDone, ControlFailed, ControlRefused:
		p.report.Operators = append(p.report.Operators, r)
	case LoginFailed:
		who := quoted(r.User)
		p.of(who, r).FailedLogins++
		count(p.logins, Incident{Who: who, Peer: host(r.Peer), Why: r.Cause}, 1, r.Time)
	}
	p.addAttack(r)
	p.addSpool(r)
	if r.Device == "" {
		return
	}
	a := p.of(r.Device, r)
	switch r.Event {
	case LoginOK:
		a.Logins++
	case SessionClose:
		a.Sessions++
	case TransferAborted:
		a.Aborted++
	case ChangeMade:
		a.Changes++
	case TransferCommitted:
		a.transfer(r)
	case DecisionDenied:
		a.Denied++
		i := Incident{Who: r.Device}
		if r.TransferFields != nil {
			i.What, i.Rule, i.Why = r.Op+" "+r.Path, r.Rule, r.Reason
		}
		if limit := r.Detail["limit"]; limit != "" { // with a cause, the rule's reason is why it allows the transfer
			i.Why = "beyond " + limit + " of " + r.Detail["of"]
		} else if r.Cause != "" { // what is in the file
			i.Why = r.Cause
		}
		count(p.denials, i, 1, r.Time)
	}
}

func (a *Activity) transfer(r Record) {
	var n int64
	if r.TransferFields == nil {
		return
	}
	if r.Bytes != nil {
		n = *r.Bytes
	}
	if r.Op == "download" {
		a.Downloads++
		a.DownloadedBytes += n
		return
	}
	a.Uploads++
	a.UploadedBytes += n
}

func (p *Reporter) of(device string, r Record) *Activity {
	a := p.devices[device]
	if a == nil {
		a = &Activity{Device: device, First: r.Time}
		p.devices[device] = a
	}
	a.Last = r.Time
	return a
}

// addAttack counts attacks and lockouts. A record with a count stands for as many.
func (p *Reporter) addAttack(r Record) {
	if r.Event != LoginLocked && !strings.HasPrefix(string(r.Event), "security.") {
		return
	}
	i := Incident{Who: r.Device, Peer: host(r.Peer), What: strings.TrimSpace(string(r.Event) + " " + r.Detail["kind"])}
	if i.Who == "" && r.User != "" {
		i.Who = quoted(r.User)
	}
	n, err := strconv.Atoi(r.Detail["count"])
	if err != nil {
		n = 1
	}
	count(p.attacks, i, n, r.Time)
}

func count(list map[Incident]*Incident, key Incident, n int, at time.Time) {
	i := list[key]
	if i == nil {
		i = new(Incident)
		*i = key
		i.First = at
		list[key] = i
	}
	i.Count += n
	i.Last = at
}

// Report is the report of all that was added.
func (p *Reporter) Report() Report {
	r := p.report
	for _, name := range slices.Sorted(maps.Keys(p.devices)) {
		r.Devices = append(r.Devices, *p.devices[name])
	}
	r.Denials, r.FailedLogins, r.Attacks, r.Spool = ranked(p.denials), ranked(p.logins), ranked(p.attacks), p.spools()
	return r
}

func ranked(m map[Incident]*Incident) []Incident {
	var list []Incident
	for _, i := range m {
		list = append(list, *i)
	}
	slices.SortFunc(list, func(a, b Incident) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.First.Compare(b.First), cmp.Compare(a.Who, b.Who), cmp.Compare(a.What, b.What))
	})
	return list
}

func quoted(user string) string { return `"` + user + `"` }

// host is an address without its port.
func host(peer string) string {
	for i := len(peer) - 1; i >= 0; i-- {
		if peer[i] == ':' {
			return peer[:i]
		}
	}
	return peer
}
