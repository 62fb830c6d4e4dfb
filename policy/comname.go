// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// comnameFunction is comname(stamp, station, device, company): the required fields of a file name after IEEE C37.232 (COMNAME),
// without extension: start date (yymmdd), start time (hhmmssmmm), time code, station, device, company.
func comnameFunction() function.Function {
	params := []function.Parameter{{Name: "stamp", Type: cty.String}, {Name: "station", Type: cty.String}, {Name: "device", Type: cty.String},
		{Name: "company", Type: cty.String}}
	return function.New(&function.Spec{
		Params: params,
		Type: func(args []cty.Value) (cty.Type, error) { // what is written in the configuration is checked with it
			for i, field := range args[1:] {
				if s := known(field); s != nil {
					if err := checkField(*s); err != nil {
						return cty.String, function.NewArgError(i+1, err)
					}
				}
			}
			return cty.String, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t, err := time.Parse(time.RFC3339Nano, args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(0, "%q is not a moment in RFC 3339, such as time.stamp", args[0].AsString())
			}
			fields := []string{t.Format("060102"), strings.ReplaceAll(t.Format("150405.000"), ".", ""), timeCode(t)}
			for i, field := range args[1:] {
				if err := checkField(field.AsString()); err != nil {
					return cty.NilVal, function.NewArgError(i+1, err)
				}
				fields = append(fields, field.AsString())
			}
			return cty.StringVal(strings.Join(fields, ",")), nil
		},
	})
}

// checkField refuses what would end a field of the name, or the name itself.
func checkField(s string) error {
	if s == "" || strings.ContainsAny(s, `,/\?"<>|*:;[]$%{}`) || strings.TrimSpace(s) != s {
		return fmt.Errorf("%q cannot be a field of a COMNAME: it is empty, begins or ends with a blank, or has one of the signs , / \\ ? \" < > | * : ; [ ] $ %% { }", s)
	}
	return nil
}

// timeCode is the offset from UTC: "0t", "-5t", "+5h30t". Recorders in the field write whole hours so ("140918,192612863,-5t,..."). Of
// hours and minutes IEEE C37.111-2013, 7.4.10, which says that its time code is that of C37.232, has "+10h30", without the letter that
// closes the field of a name; there, it is put behind.
func timeCode(t time.Time) string {
	_, seconds := t.Zone()
	if seconds == 0 {
		return "0t"
	}
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	if minutes := seconds % 3600 / 60; minutes != 0 {
		return fmt.Sprintf("%s%dh%02dt", sign, seconds/3600, minutes)
	}
	return fmt.Sprintf("%s%dt", sign, seconds/3600)
}
