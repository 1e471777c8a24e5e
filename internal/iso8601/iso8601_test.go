// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package iso8601_test

import (
	"errors"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/iso8601"
)

func TestIntervals(t *testing.T) {
	for text, want := range map[string]uint{
		"": 0, "0": 0, "10": 10_000, "10s": 10_000, " 10 sec ": 10_000, "500ms": 500, "1500us": 1, "2m": 120_000, "2min": 120_000, "1h": 3_600_000,
		"P40S": 40_000, "PT40S": 40_000, "PT1M": 60_000, "P1M": 30 * 86_400_000, "P1D": 86_400_000, "P1W": 7 * 86_400_000, "99999999h": 4294967295,
	} {
		if got, err := iso8601.ParseInterval(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "10q", "-5", "P", "P1", "PTS", "P1X"} {
		if got, err := iso8601.ParseInterval(text); !errors.Is(err, iso8601.ErrSyntax) {
			t.Errorf("%q: %d, %v; want a complaint", text, got, err)
		}
	}
}

func TestTimes(t *testing.T) {
	ref := time.Date(2026, 7, 1, 9, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2005-020":             time.Date(2005, 1, 20, 0, 0, 0, 0, time.UTC),
		"2005-020T12:30":       time.Date(2005, 1, 20, 12, 30, 0, 0, time.UTC),
		"2024-02-29":           time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"20240229T235959Z":     time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC),
		"2024-W01-1":           time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
		"2024-01-01T00:00+02":  time.Date(2023, 12, 31, 22, 0, 0, 0, time.UTC),
		"2024-01-01 12:00:01":  time.Date(2024, 1, 1, 12, 0, 1, 0, time.UTC),
		"2024-01-01T24:00:00Z": time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := iso8601.ParseTime(text, time.UTC, ref); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"2023-02-29", "2024-13-01", "2024-366x", "2024-01-01T25:00", "x"} {
		if got, err := iso8601.ParseTime(text, time.UTC, ref); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestAddingMonthsStaysInTheMonth(t *testing.T) {
	d, err := iso8601.ParseDuration("P1M")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.AddTo(time.Date(2024, 1, 31, 1, 0, 0, 0, time.UTC)); !got.Equal(time.Date(2024, 2, 29, 1, 0, 0, 0, time.UTC)) {
		t.Error(got)
	}
}

func TestAddingYearsKeepsTheDayOfTheYear(t *testing.T) {
	d := iso8601.Duration{Years: 30}
	for _, c := range [][2]time.Time{
		{time.Date(2026, 7, 1, 5, 0, 0, 0, time.UTC), time.Date(2056, 6, 30, 5, 0, 0, 0, time.UTC)},
		{time.Date(2024, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2055, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), time.Date(2056, 2, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if got := d.AddTo(c[0]); !got.Equal(c[1]) {
			t.Errorf("%v: got %v, want %v", c[0], got, c[1])
		}
	}
}

func FuzzTexts(f *testing.F) {
	for _, s := range []string{"P1Y2M3W4DT5H6M7S", "10min", "2005-020T12:30:59+01:30", "2024-W53-7", "epoch"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		_, _ = iso8601.ParseInterval(s)
		_, _ = iso8601.ParseTime(s, time.UTC, time.Unix(0, 0))
		if d, err := iso8601.ParseDuration(s); err == nil {
			_ = d.AddTo(time.Unix(0, 0))
		}
	})
}
