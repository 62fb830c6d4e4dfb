// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"path"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Variable describes one variable of conditions, for documentation.
type Variable struct{ Name, Type, Meaning string }

// Variables lists the variables of conditions. Those of file, transfer and time describe the question; device.labels holds every
// label that any device of the configuration has, "" where this one has not.
func Variables() []Variable {
	return []Variable{
		{"device.name", "text", "the device's label"},
		{"device.groups", "list of texts", "the groups that it belongs to"},
		{"device.labels.NAME", "text", "a label of the device; empty where it has none of that name, and a mistake where no device has"},
		{"zone.name", "text", "the zone's label"},
		{"peer.address", "text", "the device's address"},
		{"peer.certificate", "list of texts", "the names in its client certificate; empty where it has shown none"},
		{"file.path", "text", "the path as the device sees it"},
		{"file.name", "text", "its last part"},
		{"file.dir", "text", "what stands before the last part"},
		{"file.ext", "text", "what follows the last dot of the name, in lower case and without the dot"},
		{"file.size", "number", "bytes; of an upload it is known when the last byte has come, and the decision waits for it where it must"},
		{"file.declared_size", "number", "bytes that the device announced (ALLO); -1 where it announced none"},
		{"transfer.op", "text", "the operation"},
		{"transfer.tls", "true or false", "the control connection is under TLS"},
		{"transfer.ascii", "true or false", "the device asked for type A"},
		{"time.date", "text", "such as \"2006-01-31\", in the rule's time zone"},
		{"time.clock", "text", "such as \"22:05:00\""},
		{"time.stamp", "text", "such as \"2006-01-31T22:05:00.123+01:00\""},
		{"time.weekday", "text", "mon, tue, wed, thu, fri, sat or sun"},
		{"time.year", "number", "with time.month, time.day, time.hour and time.minute"},
	}
}

// unknown is every variable, with its type and without a value.
func (l *Language) unknown() map[string]cty.Value {
	labels := map[string]cty.Type{}
	for _, name := range l.labels {
		labels[name] = cty.String
	}
	text, number := cty.String, cty.Number
	object := func(fields map[string]cty.Type) cty.Value {
		// The object is known, its fields are not: so a null check of the object itself does not make everything unknown.
		values := map[string]cty.Value{}
		for name, t := range fields {
			values[name] = cty.UnknownVal(t).RefineNotNull()
		}
		return cty.ObjectVal(values)
	}
	return map[string]cty.Value{
		"device":   object(map[string]cty.Type{"name": text, "groups": cty.List(text), "labels": cty.Object(labels)}),
		"zone":     object(map[string]cty.Type{"name": text}),
		"peer":     object(map[string]cty.Type{"address": text, "certificate": cty.List(text)}),
		"file":     object(map[string]cty.Type{"path": text, "name": text, "dir": text, "ext": text, "size": number, "declared_size": number}),
		"transfer": object(map[string]cty.Type{"op": text, "ascii": cty.Bool, "tls": cty.Bool}),
		"time": object(map[string]cty.Type{"stamp": text, "date": text, "clock": text, "weekday": text, "year": number, "month": number, "day": number,
			"hour": number, "minute": number}),
	}
}

// scope holds the variables of one question, those that do not depend on a rule's time zone made once.
type scope struct {
	in     *inquiry
	common map[string]cty.Value
	place  *time.Location // of common["time"]
}

func newScope(in *inquiry) *scope {
	return &scope{in: in}
}

// variables are the values of the question.
func (s *scope) variables(l *Language, place *time.Location) map[string]cty.Value {
	if s.common == nil {
		s.common = s.values(l)
	}
	if s.place != place {
		s.place, s.common["time"] = place, timeValue(s.in.Time.In(place))
	}
	return s.common
}

func (s *scope) values(l *Language) map[string]cty.Value {
	in := s.in
	text := cty.StringVal
	var groups []string
	if d := in.device(); d != nil {
		groups = d.Groups
	}
	size := cty.UnknownVal(cty.Number).RefineNotNull()
	if in.Size != SizeUnknown {
		size = cty.NumberIntVal(in.Size)
	}
	return map[string]cty.Value{
		"device": cty.ObjectVal(map[string]cty.Value{"name": text(in.Device), "groups": texts(groups), "labels": in.labels(l)}),
		"zone":   cty.ObjectVal(map[string]cty.Value{"name": text(in.Zone)}),
		"peer":   cty.ObjectVal(map[string]cty.Value{"address": text(in.Peer.Unmap().String()), "certificate": texts(in.Certificate)}),
		"file": cty.ObjectVal(map[string]cty.Value{
			"path": text(in.Path), "name": text(in.name), "dir": text(path.Dir(in.Path)),
			"ext":  text(strings.ToLower(strings.TrimPrefix(path.Ext(in.name), "."))),
			"size": size, "declared_size": cty.NumberIntVal(in.Declared),
		}),
		"transfer": cty.ObjectVal(map[string]cty.Value{"op": text(string(in.Op)), "ascii": cty.BoolVal(in.ASCII), "tls": cty.BoolVal(in.TLS)}),
	}
}

func texts(list []string) cty.Value {
	if len(list) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	var values []cty.Value
	for _, text := range list {
		values = append(values, cty.StringVal(text))
	}
	return cty.ListVal(values)
}

func (in *inquiry) labels(l *Language) cty.Value {
	labels := map[string]cty.Value{}
	for _, name := range l.labels {
		value := ""
		if d := in.device(); d != nil {
			value = d.Labels[name]
		}
		labels[name] = cty.StringVal(value)
	}
	return cty.ObjectVal(labels)
}

func timeValue(t time.Time) cty.Value {
	number := func(n int) cty.Value { return cty.NumberIntVal(int64(n)) }
	return cty.ObjectVal(map[string]cty.Value{
		"stamp": cty.StringVal(t.Format("2006-01-02T15:04:05.000Z07:00")),
		"date":  cty.StringVal(t.Format(time.DateOnly)), "clock": cty.StringVal(t.Format(time.TimeOnly)),
		"weekday": cty.StringVal(weekdayName(t.Weekday())),
		"year":    number(t.Year()), "month": number(int(t.Month())), "day": number(t.Day()), "hour": number(t.Hour()), "minute": number(t.Minute()),
	})
}

func weekdayName(d time.Weekday) string { return strings.ToLower(d.String()[:3]) }
