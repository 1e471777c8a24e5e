// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"strconv"
	"strings"
)

// A Score is a preference between -Infinity and +Infinity.
type Score int

// Infinity is the largest score; it is a million.
const Infinity Score = 1000000

// Add adds two scores: -Infinity absorbs everything, then +Infinity does.
func (s Score) Add(o Score) Score {
	switch {
	case s <= -Infinity || o <= -Infinity:
		return -Infinity
	case s >= Infinity || o >= Infinity:
		return Infinity
	}
	return max(-Infinity, min(Infinity, s+o))
}

// String gives the score as administrators write it.
func (s Score) String() string {
	switch {
	case s >= Infinity:
		return "INFINITY"
	case s <= -Infinity:
		return "-INFINITY"
	}
	return strconv.Itoa(int(s))
}

// ParseScore reads a number or an infinity. ok is false, and the score def, for
// anything else.
func ParseScore(s string, def Score) (score Score, ok bool) {
	switch s {
	case "INFINITY", "+INFINITY":
		return Infinity, true
	case "-INFINITY":
		return -Infinity, true
	}
	n, ok := leadingInt(s)
	if !ok {
		return def, s == ""
	}
	return Score(min(max(n, int64(-Infinity)), int64(Infinity))), true
}

// leadingInt reads the number at the start of a text, whatever follows.
func leadingInt(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[end] == '-' || s[end] == '+')) {
		end++
	}
	if end == 0 || end == 1 && (s[0] == '-' || s[0] == '+') {
		return 0, false
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil { // out of range: clamped by whoever asked
		if s[0] == '-' {
			return -1 << 62, true
		}
		return 1 << 62, true
	}
	return n, true
}

// minInt reads a number that is not below least; def where there is none.
func minInt(s string, def, least int) int {
	n, ok := leadingInt(s)
	if !ok {
		return def
	}
	return max(int(min(n, 1<<31-1)), least)
}

// ParseBool reads the words of a boolean; ok is false for others.
func ParseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "on", "yes", "y", "1":
		return true, true
	case "false", "off", "no", "n", "0":
		return false, true
	}
	return false, false
}

// IsTrue tells whether a text says true.
func IsTrue(s string) bool {
	v, _ := ParseBool(s)
	return v
}

// CompareNames orders node names: letters without case, numbers by value.
func CompareNames(a, b string) int {
	for a != "" && b != "" {
		if isDigit(a[0]) && isDigit(b[0]) {
			i, j := digits(a), digits(b)
			x, _ := strconv.ParseInt(a[:i], 10, 64)
			y, _ := strconv.ParseInt(b[:j], 10, 64)
			switch {
			case x != y:
				return sign(x < y)
			case i != j:
				return sign(i < j)
			}
			a, b = a[i:], b[j:]
			continue
		}
		if x, y := lower(a[0]), lower(b[0]); x != y {
			return sign(x < y)
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}

// ParseAmount reads a number of a utilization.
func ParseAmount(s string) (int64, bool) {
	n, ok := leadingInt(s)
	return min(max(n, -1<<31), 1<<31-1), ok
}
