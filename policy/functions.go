// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Function describes one function of conditions, for documentation.
type Function struct{ Call, Meaning string }

// Functions lists the functions of conditions.
func Functions() []Function {
	return []Function{
		{`glob(pattern, text)`, "whether the whole text matches; patterns as in paths"},
		{`regex(pattern, text)`, "whether the RE2 pattern is found in the text; ^ and $ stand for its ends"},
		{`cidr(address, prefix, ...)`, "whether the address is in one of the prefixes"},
		{`between(clock, span, ...)`, "whether the time of day is in one of the spans, such as \"22:00-04:00\""},
		{`weekday(date)`, "mon, tue, wed, thu, fri, sat or sun, of a date such as \"2006-01-31\""},
		{`lower(text)`, "in lower case; upper(text) in upper case"},
		{`startswith(text, part)`, "whether the text begins with the part; endswith(text, part) whether it ends with it"},
		{`split(separator, text)`, "the list of the parts"},
		{`contains(list, text)`, "whether the text is in the list"},
		{`length(list)`, "the number of its elements; strlen(text) the number of characters"},
		{`comname(stamp, station, device, company)`, "the required fields of a file name after IEEE C37.232 (COMNAME), for paths: " +
			"`260301,063015123,-5t,Newark,relay-12,Utility`; the extension is for you to add"},
		{`kib(n)`, "n times 1024 bytes; mib(n) and gib(n) likewise"},
	}
}

// functions makes the table. A pattern that is written in the condition is checked when the condition is.
func functions() map[string]function.Function {
	return map[string]function.Function{
		"glob":       textTest("pattern", "text", matchGlob),
		"regex":      textTest("pattern", "text", matchRegex),
		"startswith": textTest("text", "part", func(a, b *string) (bool, error) { return both(a, b, strings.HasPrefix), nil }),
		"endswith":   textTest("text", "part", func(a, b *string) (bool, error) { return both(a, b, strings.HasSuffix), nil }),
		"cidr":       anyTest("address", "prefix", matchCIDR),
		"between":    anyTest("clock", "span", matchSpan),
		"weekday":    weekdayFunction(),
		"lower":      stdlib.LowerFunc,
		"upper":      stdlib.UpperFunc,
		"strlen":     stdlib.StrlenFunc,
		"split":      stdlib.SplitFunc,
		"contains":   containsFunction(),
		"length":     lengthFunction(),
		"comname":    comnameFunction(),
		"kib":        multiple(1 << 10),
		"mib":        multiple(1 << 20),
		"gib":        multiple(1 << 30),
	}
}

// test is a question about two texts, of which one is nil while it is not known: then only the other is checked.
type test func(a, b *string) (bool, error)

func known(v cty.Value) *string {
	if !v.IsKnown() || v.IsNull() {
		return nil
	}
	s := v.AsString()
	return &s
}

func both(a, b *string, f func(a, b string) bool) bool { return a != nil && b != nil && f(*a, *b) }

// textTest makes a function of two texts. cty asks for the type of the result even where an argument is unknown, which is when a
// pattern that is known is checked.
func textTest(first, second string, t test) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: first, Type: cty.String}, {Name: second, Type: cty.String}},
		Type: func(args []cty.Value) (cty.Type, error) {
			_, err := t(known(args[0]), known(args[1]))
			return cty.Bool, err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			ok, err := t(known(args[0]), known(args[1]))
			return cty.BoolVal(ok), err
		},
	})
}

// anyTest makes a function of a text and any number of others, one of which must fit.
func anyTest(first, rest string, t test) function.Function {
	each := func(args []cty.Value) (bool, error) {
		if len(args) < 2 {
			return false, fmt.Errorf("at least one %s is needed", rest)
		}
		found := false
		for i, arg := range args[1:] {
			ok, err := t(known(args[0]), known(arg))
			if err != nil {
				return false, function.NewArgError(i+1, err)
			}
			found = found || ok
		}
		return found, nil
	}
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: first, Type: cty.String}},
		VarParam: &function.Parameter{Name: rest, Type: cty.String},
		Type: func(args []cty.Value) (cty.Type, error) {
			_, err := each(args)
			return cty.Bool, err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			ok, err := each(args)
			return cty.BoolVal(ok), err
		},
	})
}

func matchGlob(pattern, text *string) (bool, error) {
	if pattern == nil {
		return false, nil
	}
	g, err := CompileGlob(*pattern)
	if err != nil {
		return false, function.NewArgError(0, err)
	}
	return text != nil && g.Match(*text), nil
}

func matchRegex(pattern, text *string) (bool, error) {
	if pattern == nil {
		return false, nil
	}
	re, err := regexp.Compile(*pattern)
	if err != nil {
		return false, function.NewArgError(0, err)
	}
	return text != nil && re.MatchString(*text), nil
}

func matchCIDR(address, prefix *string) (bool, error) {
	if prefix == nil {
		return false, nil
	}
	p, err := netip.ParsePrefix(*prefix)
	if err != nil {
		return false, fmt.Errorf("%q is not an address range in CIDR notation, such as \"10.7.0.0/24\"", *prefix)
	}
	if address == nil {
		return false, nil
	}
	a, err := netip.ParseAddr(*address)
	if err != nil {
		return false, fmt.Errorf("%q is not an IP address", *address)
	}
	return p.Contains(a.Unmap()), nil
}

func matchSpan(clock, span *string) (bool, error) {
	if span == nil {
		return false, nil
	}
	s, err := ParseSpan(*span)
	if err != nil || clock == nil {
		return false, err
	}
	minute, err := parseClock(*clock)
	if err != nil {
		return false, err
	}
	inside, _ := s.contains(minute)
	return inside, nil
}

func weekdayFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "date", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t, err := time.Parse(time.DateOnly, args[0].AsString())
			if err != nil {
				return cty.NilVal, fmt.Errorf("%q is not a date, such as \"2006-01-31\"", args[0].AsString())
			}
			return cty.StringVal(weekdayName(t.Weekday())), nil
		},
	})
}

func containsFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.String)}, {Name: "text", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(slices.ContainsFunc(args[0].AsValueSlice(), args[1].RawEquals)), nil
		},
	})
}

func lengthFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.String)}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.NumberIntVal(int64(args[0].LengthInt())), nil
		},
	})
}

func multiple(unit int64) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "n", Type: cty.Number}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return args[0].Multiply(cty.NumberIntVal(unit)), nil
		},
	})
}
