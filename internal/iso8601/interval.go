// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package iso8601

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseInterval reads an interval of an operation: a number with an optional
// unit (seconds where absent) or an ISO 8601 duration. Months count 30 days. It
// gives milliseconds, at most the largest unsigned 32-bit number.
func ParseInterval(s string) (ms uint, err error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, nil
	}
	var n int64
	if s[0] == 'P' {
		d, derr := ParseDuration(s)
		if derr != nil {
			return 0, derr
		}
		n = d.Milliseconds()
	} else if n, err = ParseMS(s); err != nil {
		return 0, err
	}
	if n < 0 {
		return 0, badf(s, "an interval is not negative")
	}
	return uint(min(n, math.MaxUint32)), nil
}

// units gives the length of each unit as a fraction in milliseconds.
var units = map[string]struct{ mul, div int64 }{
	"us": {1, 1000}, "usec": {1, 1000}, "ms": {1, 1}, "msec": {1, 1}, "": {1000, 1}, "s": {1000, 1}, "sec": {1000, 1},
	"m": {60000, 1}, "min": {60000, 1}, "h": {3600000, 1}, "hr": {3600000, 1},
}

// ParseMS reads a number with an optional unit and gives milliseconds.
func ParseMS(s string) (int64, error) {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[end] == '-' || s[end] == '+')) {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil {
		return 0, badf(s, "no number")
	}
	u, ok := units[strings.ToLower(strings.TrimSpace(s[end:]))]
	if !ok {
		return 0, badf(s, "unknown unit")
	}
	if n > math.MaxInt64/u.mul || n < math.MinInt64/u.mul {
		return math.MaxInt64, nil
	}
	return n * u.mul / u.div, nil
}

// ParseTimeout reads an interval or timeout as a time.Duration.
func ParseTimeout(s string) (time.Duration, error) {
	ms, err := ParseInterval(s)
	return time.Duration(ms) * time.Millisecond, err
}
