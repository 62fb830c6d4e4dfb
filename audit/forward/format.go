// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// Severities of RFC 5424, section 6.2.1, and the facility "log audit".
const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
	facilityAudit   = 13
)

// dataID names our structured data. 32473 is the enterprise number for documentation (RFC 5612); the project has none of its own.
const dataID = "ftpgw@32473"

// severity is how much an event matters to who watches. Every event has its place here: a test of package audit looks.
func severity(e audit.Event) int {
	switch e {
	case audit.ConduitDown, audit.LogTrouble, audit.LogSpaceLow, audit.LogRecovered, audit.LogResumed, audit.ClockJumped,
		audit.ForwardingFound, audit.SpoolAside, audit.LimitDamaged:
		return severityError
	case audit.ConfigRefused, audit.LoginFailed, audit.LoginLocked, audit.DecisionDenied, audit.TransferAborted,
		audit.ChangeFailed, audit.ControlFailed, audit.ControlRefused, audit.IslandOn, audit.SpoolRetry, audit.SpoolHeld,
		audit.SpoolDiscarded, audit.SpoolSuspended, audit.SecurityLimit, audit.SecurityFlood, audit.SecurityBounce,
		audit.SecurityHijack, audit.SecurityInjection, audit.SecurityName, audit.SecurityProtocol, audit.SecurityTLS:
		return severityWarning
	case audit.ConfigLoaded, audit.GatewayStart, audit.GatewayStop, audit.LogCheckpoint, audit.LogSegment,
		audit.LogRemoved, audit.LogSpaceOK, audit.ConduitUp, audit.SessionOpen, audit.SessionTLS, audit.SessionClose,
		audit.LoginOK, audit.Command, audit.DecisionAllowed, audit.TransferBegin, audit.TransferCommitted, audit.ChangeMade,
		audit.TemporariesSwept, audit.ControlRequest, audit.ControlDone, audit.IslandOff, audit.SpoolRecovered,
		audit.SpoolDelivered, audit.SpoolReleased, audit.SpoolExported, audit.SpoolPurged, audit.SpoolResumed:
		return severityInfo
	}
	return severityError // of a later version, which this one knows nothing of
}

// field is a part of a record under the name that it has in syslog and in CEF.
type field struct{ name, cef, value string }

// fields are the parts of a record that collectors search by. All of it is in the record itself.
func fields(r audit.Record) []field {
	list := []field{
		{"seq", "externalId", strconv.FormatUint(r.Seq, 10)},
		{"zone", "cs1", r.Zone}, {"session", "cs2", r.Session}, {"device", "dhost", r.Device},
		{"peer", "src", host(r.Peer)}, {"user", "suser", r.User},
	}
	if c := r.CommandFields; c != nil {
		list = append(list, field{"verb", "requestMethod", c.Verb}, field{"code", "cn1", strconv.Itoa(c.Code)})
	}
	if t := r.TransferFields; t != nil {
		list = append(list, field{"op", "act", t.Op}, field{"path", "filePath", t.Path}, field{"sha256", "fileHash", t.SHA256},
			field{"rule", "cs3", t.Rule}, field{"reason", "reason", t.Reason}, field{"conduit", "cs4", t.Conduit})
		if t.Bytes != nil {
			list = append(list, field{"bytes", "fsize", strconv.FormatInt(*t.Bytes, 10)})
		}
	}
	return append(list, field{"cause", "msg", r.Cause})
}

// host is an address without its port, and without the brackets of IPv6.
func host(peer string) string {
	if i := strings.LastIndexByte(peer, ':'); i >= 0 {
		peer = peer[:i]
	}
	return strings.Trim(peer, "[]")
}

// syslogMessage is a record as RFC 5424, section 6 has it.
func syslogMessage(r audit.Record, hostname string, pid int, text string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s ftpgw %d %s [%s event=\"%s\"", facilityAudit*8+severity(r.Event),
		r.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), hostname, pid, r.Event, dataID, r.Event)
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)
	for _, f := range fields(r) {
		if f.value != "" {
			fmt.Fprintf(&b, " %s=\"%s\"", f.name, quote.Replace(oneLine(f.value)))
		}
	}
	b.WriteString("] ")
	b.WriteString(text)
	return b.String()
}

// oneLine makes valid UTF-8 without control characters of what devices have sent. In the record itself nothing is lost.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// cef is a record in ArcSight's Common Event Format, version 0 (Micro Focus, "Implementing ArcSight CEF", revision 25).
func cef(r audit.Record, version string) string {
	head := strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	ext := strings.NewReplacer(`\`, `\\`, `=`, `\=`)
	level := map[int]int{severityError: 8, severityWarning: 6}[severity(r.Event)]
	if level == 0 {
		level = 2
	}
	var b strings.Builder
	fmt.Fprintf(&b, "CEF:0|ftpgw|ftpgw|%s|%s|%s|%d|rt=%d", head.Replace(oneLine(version)), r.Event, r.Event, level, r.Time.UnixNano()/int64(time.Millisecond))
	labels := map[string]string{"cs1": "zone", "cs2": "session", "cs3": "rule", "cs4": "conduit", "cn1": "replyCode"}
	for _, f := range fields(r) {
		if f.value == "" {
			continue
		}
		fmt.Fprintf(&b, " %s=%s", f.cef, ext.Replace(oneLine(f.value)))
		if label := labels[f.cef]; label != "" {
			fmt.Fprintf(&b, " %sLabel=%s", f.cef, label)
		}
	}
	return b.String()
}
