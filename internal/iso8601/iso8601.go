// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package iso8601

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrSyntax is the answer to a text that is no date, time, duration or
// interval.
var ErrSyntax = errors.New("iso8601: malformed")

func badf(s, why string) error { return fmt.Errorf("%q: %s: %w", s, why, ErrSyntax) }

// A Duration is an ISO 8601 duration by component; months and years have no
// fixed length.
type Duration struct {
	Years, Months, Weeks, Days, Hours, Minutes, Seconds int
}

// Milliseconds is the length where a month has 30 days and a year 365.
func (d Duration) Milliseconds() int64 {
	days := int64(d.Years)*365 + int64(d.Months)*30 + int64(d.Weeks)*7 + int64(d.Days)
	return (days*86400 + int64(d.Hours)*3600 + int64(d.Minutes)*60 + int64(d.Seconds)) * 1000
}

// AddTo gives the time that is d after t. Years keep the day of the year, as
// Pacemaker counts them: 30 years after 1 July of a common year, in a leap year,
// is 30 June. A day of the month that does not exist becomes the month's last.
func (d Duration) AddTo(t time.Time) time.Time {
	t = addMonths(addYears(t, d.Years), d.Months)
	return t.AddDate(0, 0, d.Weeks*7+d.Days).Add(time.Duration(d.Hours)*time.Hour +
		time.Duration(d.Minutes)*time.Minute + time.Duration(d.Seconds)*time.Second)
}

func addYears(t time.Time, n int) time.Time {
	if n == 0 {
		return t
	}
	first := time.Date(t.Year()+n, time.January, 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	return first.AddDate(0, 0, t.YearDay()-1)
}

func addMonths(t time.Time, n int) time.Time {
	if n == 0 {
		return t
	}
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location()).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// maxText bounds the text of one date or duration.
const maxText = 128

// ParseDuration reads P[nY][nM][nW][nD][T[nH][nM][nS]]. Only months and minutes
// need the T to be told apart; elsewhere it may be left out.
func ParseDuration(s string) (Duration, error) {
	var d Duration
	if len(s) < 2 || len(s) > maxText || s[0] != 'P' {
		return d, badf(s, "a duration begins with P")
	}
	rest, inTime, any := s[1:], false, false
	for rest != "" {
		if rest[0] == 'T' && !inTime {
			inTime, rest = true, rest[1:]
			continue
		}
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(rest[:end])
		if err != nil || end == len(rest) {
			return d, badf(s, "a number and a unit were expected")
		}
		field := d.field(rest[end], inTime)
		if field == nil {
			return d, badf(s, "unknown unit")
		}
		*field, rest, any = n, rest[end+1:], true
	}
	if !any {
		return d, badf(s, "empty duration")
	}
	return d, nil
}

func (d *Duration) field(unit byte, inTime bool) *int {
	switch unit {
	case 'H':
		return &d.Hours
	case 'S':
		return &d.Seconds
	case 'Y':
		return &d.Years
	case 'W':
		return &d.Weeks
	case 'D':
		return &d.Days
	case 'M':
		if inTime {
			return &d.Minutes
		}
		return &d.Months
	}
	return nil
}

// ParseTime reads a date, a time of day (of the day of ref) or both. A time
// without zone is in loc; a date without time is midnight.
func ParseTime(s string, loc *time.Location, ref time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxText {
		return time.Time{}, badf(s, "no date")
	}
	if s == "epoch" {
		return time.Unix(0, 0).UTC(), nil
	}
	date, clock := s, ""
	if i := strings.IndexAny(s, "T "); i >= 0 {
		date, clock = s[:i], strings.TrimSpace(s[i+1:])
	} else if i := strings.IndexByte(s, ':'); i == 1 || i == 2 {
		date, clock = "", s
	}
	y, m, d := ref.In(loc).Date()
	if date != "" {
		var err error
		if y, m, d, err = parseDate(date); err != nil {
			return time.Time{}, err
		}
	}
	if strings.HasSuffix(date, "Z") && clock == "" {
		loc = time.UTC
	}
	sec, zone, err := parseClock(clock, loc)
	if err != nil {
		return time.Time{}, err
	}
	return time.Date(y, m, d, 0, 0, sec, 0, zone), nil
}

// parseDate reads YYYY[-MM[-DD]], YYYYMMDD, YYYY-DDD, YYYYDDD, YYYY-Www[-D].
func parseDate(s string) (int, time.Month, int, error) {
	fail := func() (int, time.Month, int, error) { return 0, 0, 0, badf(s, "no date") }
	digits := strings.ReplaceAll(strings.TrimSuffix(s, "Z"), "-", "")
	if len(digits) < 4 {
		return fail()
	}
	year, err := strconv.Atoi(digits[:4])
	if err != nil || year < 1 {
		return fail()
	}
	rest := digits[4:]
	if strings.HasPrefix(rest, "W") {
		return weekDate(s, year, rest[1:])
	}
	n, err := strconv.Atoi("0" + rest)
	if err != nil {
		return fail()
	}
	switch len(rest) {
	case 0:
		return year, 1, 1, nil
	case 2:
		n = n*100 + 1
	case 3:
		t := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n-1)
		if n < 1 || t.Year() != year {
			return fail()
		}
		return year, t.Month(), t.Day(), nil
	case 4:
	default:
		return fail()
	}
	m, d := time.Month(n/100), n%100
	t := time.Date(year, m, d, 0, 0, 0, 0, time.UTC)
	if t.Month() != m || t.Day() != d {
		return fail()
	}
	return year, m, d, nil
}

func weekDate(s string, year int, rest string) (int, time.Month, int, error) {
	if len(rest) == 2 {
		rest += "1"
	}
	n, err := strconv.Atoi(rest)
	if err != nil || len(rest) != 3 || n < 11 || n > 537 || n%10 < 1 || n%10 > 7 {
		return 0, 0, 0, badf(s, "no week date")
	}
	jan4 := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
	monday := jan4.AddDate(0, 0, -((int(jan4.Weekday()) + 6) % 7))
	t := monday.AddDate(0, 0, (n/10-1)*7+n%10-1)
	return t.Year(), t.Month(), t.Day(), nil
}

// parseClock reads HH[:MM[:SS]][zone] and gives the seconds of the day.
func parseClock(s string, loc *time.Location) (int, *time.Location, error) {
	if s == "" {
		return 0, loc, nil
	}
	clock, zone := s, loc
	if i := strings.IndexAny(s, "Z+- "); i >= 0 {
		var err error
		if clock, zone, err = s[:i], loc, nil; strings.TrimSpace(s[i:]) != "" {
			zone, err = parseZone(strings.TrimSpace(s[i:]))
		}
		if err != nil {
			return 0, nil, err
		}
	}
	digits := strings.ReplaceAll(clock, ":", "")
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	if len(digits) == 0 || len(digits) > 6 {
		return 0, nil, badf(s, "no time of day")
	}
	sec, unit := 0, 3600
	for i := 0; i < len(digits); i += 2 {
		n, err := strconv.Atoi(digits[i : i+2])
		if err != nil || n > 60 || n < 0 || i == 0 && n > 24 {
			return 0, nil, badf(s, "no time of day")
		}
		sec += n * unit
		unit /= 60
	}
	return sec, zone, nil
}

func parseZone(s string) (*time.Location, error) {
	if s == "Z" {
		return time.UTC, nil
	}
	digits := strings.ReplaceAll(s[1:], ":", "")
	if len(digits) == 2 {
		digits += "00"
	}
	n, err := strconv.Atoi(digits)
	if err != nil || len(digits) != 4 || n%100 > 59 || s[0] != '+' && s[0] != '-' {
		return nil, badf(s, "no time zone")
	}
	sec := n/100*3600 + n%100*60
	if s[0] == '-' {
		sec = -sec
	}
	return time.FixedZone("", sec), nil
}
