// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// The table in docs/ftp.md names every command, says whether it is offered and whether it is open before login, and no other.
func TestDocumentedCommands(t *testing.T) {
	text, err := os.ReadFile("../docs/ftp.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := commandTable()
	rows := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		fields := strings.Split(line, "|")
		if len(fields) != 8 || strings.TrimSpace(fields[1]) == "command" || strings.HasPrefix(fields[1], "-") {
			continue
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		verb := fields[1]
		cmd, known := commands[verb]
		if !known {
			t.Errorf("%s is documented, but is no command", verb)
			continue
		}
		rows++
		delete(commands, verb)
		offered := reflect.ValueOf(cmd.run).Pointer() != reflect.ValueOf(absent).Pointer()
		if (fields[3] == "yes") != offered {
			t.Errorf("%s: documented as offered: %q, but it is %v", verb, fields[3], offered)
		}
		if (fields[4] == "yes") != cmd.open {
			t.Errorf("%s: documented as open before login: %q, but it is %v", verb, fields[4], cmd.open)
		}
		if !offered && !strings.HasPrefix(fields[5], "502") {
			t.Errorf("%s is not offered, but documented with %s", verb, fields[5])
		}
	}
	for verb := range commands {
		t.Errorf("%s is not documented", verb)
	}
	if rows < 50 {
		t.Errorf("%d rows were found in the table", rows)
	}
}
