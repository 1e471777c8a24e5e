// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package rule

import (
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/internal/iso8601"
)

// date evaluates a date_expression.
func date(e *etree.Element, in *Input) bool {
	start, hasStart, ok1 := when(e, "start", in.Now)
	end, hasEnd, ok2 := when(e, "end", in.Now)
	switch strings.ToLower(e.SelectAttrValue("operation", "in_range")) {
	case "in_range":
		if !ok1 || !ok2 || !hasStart && !hasEnd {
			return false
		}
		if d := e.SelectElement("duration"); !hasEnd && d != nil {
			length, ok := duration(d)
			if !ok || !hasStart {
				return false
			}
			end, hasEnd = length.AddTo(start), true
		}
		return inRange(in, start, hasStart, end, hasEnd)
	case "gt":
		if !ok1 || !hasStart {
			return false
		}
		if in.Now.After(start) {
			return true
		}
		in.changes(start.Add(time.Second))
	case "lt":
		if !ok2 || !hasEnd {
			return false
		}
		if in.Now.Before(end) {
			in.changes(end)
			return true
		}
	case "date_spec":
		spec := e.SelectElement("date_spec")
		return spec != nil && spec.SelectAttrValue("id", "") != "" && matches(spec, in.Now)
	}
	return false
}

// inRange has both ends inclusive, to the second.
func inRange(in *Input, start time.Time, hasStart bool, end time.Time, hasEnd bool) bool {
	if hasStart && in.Now.Before(start) {
		in.changes(start)
		return false
	}
	if hasEnd {
		if in.Now.After(end) {
			return false
		}
		in.changes(end.Add(time.Second))
	}
	return true
}

func (in *Input) changes(t time.Time) {
	if in.Change != nil {
		in.Change(t)
	}
}

// when reads a date attribute. ok is false where it is there and malformed.
func when(e *etree.Element, name string, ref time.Time) (t time.Time, has, ok bool) {
	a := e.SelectAttr(name)
	if a == nil {
		return t, false, true
	}
	t, err := iso8601.ParseTime(a.Value, ref.Location(), ref)
	return t, err == nil, err == nil
}

// duration reads a duration element.
func duration(e *etree.Element) (d iso8601.Duration, ok bool) {
	if e.SelectAttrValue("id", "") == "" {
		return d, false
	}
	for _, f := range []struct {
		name  string
		field *int
	}{
		{"years", &d.Years},
		{"months", &d.Months},
		{"weeks", &d.Weeks},
		{"days", &d.Days},
		{"hours", &d.Hours},
		{"minutes", &d.Minutes},
		{"seconds", &d.Seconds},
	} {
		a := e.SelectAttr(f.name)
		if a == nil {
			continue
		}
		n, err := strconv.ParseInt(a.Value, 10, 32)
		if err != nil {
			return d, false
		}
		*f.field = int(n)
	}
	return d, true
}

// matches tells whether each field of a date_spec contains the time's.
func matches(spec *etree.Element, t time.Time) bool {
	weekYear, week := t.ISOWeek()
	weekday := (int(t.Weekday())+6)%7 + 1
	for _, f := range []struct {
		name  string
		value int
	}{
		{"years", t.Year()},
		{"months", int(t.Month())},
		{"monthdays", t.Day()},
		{"hours", t.Hour()},
		{"minutes", t.Minute()},
		{"seconds", t.Second()},
		{"yeardays", t.YearDay()},
		{"weekyears", weekYear},
		{"weeks", week},
		{"weekdays", weekday},
	} {
		if a := spec.SelectAttr(f.name); a != nil && !contains(a.Value, f.value) {
			return false
		}
	}
	return true
}

// contains tells whether a range (n, a-b, a-, -b) has the value. A malformed
// range contains nothing.
func contains(s string, v int) bool {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	if low == "" && high == "" {
		return false
	}
	if low != "" {
		if n, err := strconv.Atoi(low); err != nil || v < n {
			return false
		}
	}
	if high != "" {
		if n, err := strconv.Atoi(high); err != nil || v > n {
			return false
		}
	}
	return true
}

// operation evaluates an op_expression.
func operation(e *etree.Element, in *Input) bool {
	name := e.SelectAttr("name")
	if name == nil || name.Value != in.Op {
		return false
	}
	a := e.SelectAttr("interval")
	if a == nil {
		return true
	}
	ms, err := iso8601.ParseInterval(a.Value)
	return err == nil && ms == in.IntervalMS
}
