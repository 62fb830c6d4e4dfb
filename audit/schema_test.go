// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

const schemaFile = "../docs/audit.schema.json"

// declaredEvents are the names of events in record.go, in their order.
func declaredEvents(t *testing.T) (events []string) {
	t.Helper()
	eachEvent(t, func(_, event string) { events = append(events, event) })
	return events
}

// declaredConstants are the names of events by those of their constants.
func declaredConstants(t *testing.T) map[string]string {
	t.Helper()
	list := map[string]string{}
	eachEvent(t, func(constant, event string) { list[constant] = event })
	return list
}

// eachEvent shows the constants of type Event in record.go.
func eachEvent(t *testing.T, do func(constant, event string)) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "record.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if kind, ok := v.Type.(*ast.Ident); ok && kind.Name == "Event" {
			name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			do(v.Names[0].Name, name)
		}
		return true
	})
}

// schemaOf is the JSON Schema of a type, as encoding/json writes it.
func schemaOf(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem())
	case t.Kind() == reflect.Struct:
		properties, required := map[string]any{}, []string{}
		addFields(t, properties, &required)
		return map[string]any{"type": "object", "properties": properties, "required": required}
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.String:
		return map[string]any{"type": "string"}
	case t.Kind() == reflect.Float64:
		return map[string]any{"type": "number"}
	}
	return map[string]any{"type": "integer"}
}

// addFields adds the fields of a struct; those of an embedded one are there only together, so that none is required.
func addFields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			addFields(f.Type.Elem(), properties, new([]string))
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = schemaOf(f.Type)
		if !strings.Contains(options, "omitempty") {
			*required = append(*required, name)
		}
	}
}

// The schema that is published is that of the code. FTPGW_UPDATE_SCHEMA=1 rewrites it.
func TestSchema(t *testing.T) {
	schema := schemaOf(reflect.TypeFor[Record]())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "A record of the ftpgw audit log"
	schema["description"] = "See audit.md. Fields may be added; those that are here keep their names and meanings."
	properties := schema["properties"].(map[string]any)
	properties["event"] = map[string]any{"type": "string", "enum": declaredEvents(t)}
	properties["prev"] = map[string]any{"type": "string", "pattern": "^[0-9a-f]{64}$"}
	properties["seq"] = map[string]any{"type": "integer", "minimum": 1}
	schema["required"] = append(schema["required"].([]string), "prev")
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("FTPGW_UPDATE_SCHEMA") != "" {
		write(t, schemaFile, b.String())
	}
	if read(t, schemaFile) != b.String() {
		t.Errorf("%s is not that of the code: FTPGW_UPDATE_SCHEMA=1 go test ./audit -run TestSchema rewrites it", schemaFile)
	}
}

// Receivers are told of every event how much it matters, under a name that fits into a MSGID (RFC 5424, section 6.2.7).
func TestEveryEventHasASeverity(t *testing.T) {
	const name = "forward/format.go"
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	placed := map[string]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name != "severity" {
			return false
		}
		if s, ok := n.(*ast.SelectorExpr); ok {
			placed[s.Sel.Name]++
		}
		return true
	})
	for constant, event := range declaredConstants(t) {
		if placed[constant] != 1 {
			t.Errorf("severity in audit/%s must name audit.%s once: how much does %s matter to who watches?", name, constant, event)
		}
		if len(event) > 32 || strings.ContainsFunc(event, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q is no MSGID", event)
		}
	}
}

// Every event and every field is explained where an auditor looks.
func TestEverythingIsDocumented(t *testing.T) {
	text := read(t, "../docs/audit.md")
	events := declaredEvents(t)
	if len(events) < 20 {
		t.Fatalf("only %d events were found", len(events))
	}
	for _, e := range events {
		if !strings.Contains(text, "| `"+e+"` |") {
			t.Errorf("docs/audit.md does not explain the event %s", e)
		}
	}
	properties := map[string]any{}
	addFields(reflect.TypeFor[Record](), properties, new([]string))
	addFields(reflect.TypeFor[Receipt](), properties, new([]string))
	for name := range properties {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/audit.md does not explain the field %s", name)
		}
	}
}
