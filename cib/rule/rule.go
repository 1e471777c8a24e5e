// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package rule

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// maxDepth bounds how deep rules may nest.
const maxDepth = 64

// An Input is what rules are evaluated against.
type Input struct {
	Now  time.Time
	Node map[string]string // attributes of the node, nil where no node matters
	// Class, Provider and Type are the agent's, for rsc_expression.
	Class, Provider, Type string
	// Op and IntervalMS are the operation's, for op_expression.
	Op         string
	IntervalMS uint
	// Params and Meta are what value-source param and meta look up.
	Params, Meta map[string]string
	// Submatches replace %0 to %9 in the names of attributes.
	Submatches []string
	// Change, where set, is called with each time at which a result will change
	// by itself.
	Change func(time.Time)
}

// Holds tells whether a rule element is satisfied.
func Holds(rule *etree.Element, in *Input) bool { return holds(rule, in, 0) }

func holds(rule *etree.Element, in *Input, depth int) bool {
	if depth > maxDepth || rule.SelectAttrValue("id", "") == "" {
		return false
	}
	var or bool
	switch strings.ToLower(rule.SelectAttrValue("boolean-op", "and")) {
	case "and":
	case "or":
		or = true
	default:
		return false
	}
	conditions := rule.ChildElements()
	for _, c := range conditions {
		if condition(c, in, depth) == or {
			return or
		}
	}
	return !or || len(conditions) == 0
}

func condition(c *etree.Element, in *Input, depth int) bool {
	if c.Tag == "rule" {
		return holds(c, in, depth+1)
	}
	if c.SelectAttrValue("id", "") == "" {
		return false
	}
	switch c.Tag {
	case "expression":
		return attribute(c, in)
	case "date_expression":
		return date(c, in)
	case "rsc_expression":
		return same(c, "class", in.Class) && same(c, "provider", in.Provider) && same(c, "type", in.Type)
	case "op_expression":
		return operation(c, in)
	}
	return false
}

// same tells whether an attribute is absent or has the value.
func same(e *etree.Element, name, value string) bool {
	a := e.SelectAttr(name)
	return a == nil || a.Value == value
}

// attribute evaluates an expression on a node attribute.
func attribute(e *etree.Element, in *Input) bool {
	name := e.SelectAttr("attribute")
	if name == nil {
		return false
	}
	actual, has := in.Node[expand(name.Value, in.Submatches)]
	op := strings.ToLower(e.SelectAttrValue("operation", ""))
	value := e.SelectAttr("value")
	if op == "defined" || op == "not_defined" {
		return value == nil && has == (op == "defined")
	}
	if value == nil {
		return false
	}
	reference, known, ok := lookup(e.SelectAttrValue("value-source", "literal"), value.Value, in)
	if !ok {
		return false
	}
	cmp, ok := compare(e.SelectAttrValue("type", ""), op, actual, has, reference, known)
	if !ok {
		return false
	}
	switch op {
	case "eq":
		return cmp == 0
	case "ne":
		return cmp != 0
	}
	if !has || !known {
		return false
	}
	switch op {
	case "lt":
		return cmp < 0
	case "lte":
		return cmp <= 0
	case "gt":
		return cmp > 0
	case "gte":
		return cmp >= 0
	}
	return false
}

func lookup(source, value string, in *Input) (ref string, known, ok bool) {
	switch strings.ToLower(source) {
	case "literal":
		return value, true, true
	case "param":
		ref, known = in.Params[value]
	case "meta":
		ref, known = in.Meta[value]
	default:
		return "", false, false
	}
	return ref, known, true
}

// expand replaces %0 to %9.
func expand(s string, sub []string) string {
	if len(sub) == 0 || !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) || s[i+1] < '0' || s[i+1] > '9' {
			b.WriteByte(s[i])
			continue
		}
		if n := int(s[i+1] - '0'); n < len(sub) {
			b.WriteString(sub[n])
		}
		i++
	}
	return b.String()
}

// compare orders two values that may be absent by the type given, or by the one
// that the operation implies.
func compare(typ, op, a string, hasA bool, b string, hasB bool) (int, bool) {
	switch typ = strings.ToLower(typ); typ {
	case "":
		typ = impliedType(op, a, b)
	case "string", "integer", "number", "version":
	default:
		return 0, false
	}
	switch {
	case !hasA && !hasB:
		return 0, true
	case !hasB:
		return 1, true
	case !hasA:
		return -1, true
	}
	switch typ {
	case "integer":
		if x, ok := integer(a); ok {
			if y, ok := integer(b); ok {
				return order(x, y), true
			}
		}
	case "number":
		if x, ok := number(a); ok {
			if y, ok := number(b); ok {
				return order(x, y), true
			}
		}
	case "version":
		return CompareVersions(a, b), true
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b)), true
}

func impliedType(op, a, b string) string {
	switch op {
	case "lt", "lte", "gt", "gte":
		if strings.Contains(a, ".") || strings.Contains(b, ".") {
			return "number"
		}
		return "integer"
	}
	return "string"
}

// integer reads the number at the start of a text, as strtoll does.
func integer(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[end] == '-' || s[end] == '+')) {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	return n, err == nil
}

// leastNormal is the least positive number of full precision; what is nearer to
// zero, without being zero, does not count as a number.
const leastNormal = 0x1p-1022

// number reads the number at the start of a text, as strtod does; what follows
// does not count.
func number(s string) (float64, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 {
		return 0, false
	}
	sign := s[:len(s)-len(digits)]
	lower := strings.ToLower(digits)
	if strings.HasPrefix(lower, "nan") {
		return math.NaN(), true // which is neither less nor more than anything
	}
	if strings.HasPrefix(lower, "inf") {
		return math.Inf(1 - 2*strings.Count(sign, "-")), true
	}
	text := sign + decimal(digits)
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) <= leastNormal && strings.Trim(text, "0.eE") != "" {
		return 0, false
	}
	return f, true
}

// decimal is the decimal number at the start of a text.
func decimal(s string) string {
	skip := func(at int) int {
		for at < len(s) && s[at] >= '0' && s[at] <= '9' {
			at++
		}
		return at
	}
	end := skip(0)
	if end < len(s) && s[end] == '.' {
		end = skip(end + 1)
	}
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		from := end + 1
		if from < len(s) && (s[from] == '+' || s[from] == '-') {
			from++
		}
		if to := skip(from); to > from {
			end = to
		}
	}
	return s[:end]
}

func order[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// CompareVersions orders two version texts number by number. Numbers that only
// one has count as 0 in the other, and so does all that is no version, such as a
// sign.
func CompareVersions(a, b string) int {
	x, y := versionNumbers(a), versionNumbers(b)
	for i := range max(len(x), len(y)) {
		var p, q int64
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if p != q {
			return order(p, q)
		}
	}
	return 0
}

// versionNumbers reads the numbers with dots between them at the start of a text.
func versionNumbers(s string) []int64 {
	var out []int64
	for s = strings.TrimLeft(s, " \t\n\v\f\r"); ; s = s[1:] {
		end := 0
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		if end == 0 {
			return out
		}
		n, _ := strconv.ParseInt(s[:end], 10, 64) // the largest where it is too large
		out = append(out, n)
		if s = s[end:]; s == "" || s[0] != '.' {
			return out
		}
	}
}
