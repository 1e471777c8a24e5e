// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestScoresAdd(t *testing.T) {
	for _, c := range []struct{ a, b, want Score }{
		{1, 2, 3},
		{Infinity, 1, Infinity},
		{Infinity, -1, Infinity},
		{-Infinity, 1, -Infinity},
		{Infinity, -Infinity, -Infinity},
		{-Infinity, -Infinity, -Infinity},
		{Infinity - 1, 1, Infinity},
		{Infinity - 1, 5, Infinity},
		{-Infinity + 1, -5, -Infinity},
		{5, -5, 0},
	} {
		if got := c.a.Add(c.b); got != c.want {
			t.Errorf("%s + %s = %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

func TestAddingScoresHasNoOrderOfTwo(t *testing.T) {
	score := rapid.OneOf(rapid.SampledFrom([]Score{Infinity, -Infinity, Infinity - 1, 0}), rapid.Custom(func(t *rapid.T) Score {
		return Score(rapid.IntRange(int(-Infinity), int(Infinity)).Draw(t, "score"))
	}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := score.Draw(t, "a"), score.Draw(t, "b")
		sum := a.Add(b)
		if sum != b.Add(a) || sum > Infinity || sum < -Infinity {
			t.Fatalf("%s + %s = %s, the other way %s", a, b, sum, b.Add(a))
		}
		if (a == -Infinity || b == -Infinity) && sum != -Infinity {
			t.Fatalf("%s + %s = %s", a, b, sum)
		}
	})
}

func TestParseScore(t *testing.T) {
	for text, want := range map[string]Score{
		"0": 0, "7": 7, "-7": -7, "+7": 7, "INFINITY": Infinity, "+INFINITY": Infinity, "-INFINITY": -Infinity,
		"1000001": Infinity, "-99999999999999999999": -Infinity, "99999999999999999999": Infinity, "12abc": 12, " 3": 3, "": 5,
	} {
		if got, ok := ParseScore(text, 5); got != want || !ok {
			t.Errorf("%q: %s, %t; want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"banana", "-", "+", "infinity", "red"} {
		if got, ok := ParseScore(text, 5); got != 5 || ok {
			t.Errorf("%q: %s, %t", text, got, ok)
		}
	}
}

func TestColoursAreScores(t *testing.T) {
	c := &Cluster{Options: Options{HealthRed: -Infinity, HealthYellow: -5, HealthGreen: 3}}
	for text, want := range map[string]Score{"red": -Infinity, "Yellow": -5, "GREEN": 3, "8": 8} {
		if got, ok := c.ParseScore(text, 0); got != want || !ok {
			t.Errorf("%q: %s, %t; want %s", text, got, ok, want)
		}
	}
}

func TestParseBool(t *testing.T) {
	for text, want := range map[string]bool{"true": true, "ON": true, "yes": true, "y": true, "1": true, "false": false, "Off": false, "no": false, "n": false, "0": false} {
		if got, ok := ParseBool(text); got != want || !ok {
			t.Errorf("%q: %t, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "2", "maybe", "t"} {
		if _, ok := ParseBool(text); ok {
			t.Errorf("%q is taken for a boolean", text)
		}
	}
}

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]int64{"4": 4, "-4": -4, "4GB": 4, "9999999999": math.MaxInt32, "-9999999999": math.MinInt32} {
		if got, ok := ParseAmount(text); got != want || !ok {
			t.Errorf("%q: %d, %t; want %d", text, got, ok, want)
		}
	}
	if _, ok := ParseAmount("lots"); ok {
		t.Error("words are no amount")
	}
}

func TestNamesAreInTheOrderOfTheirNumbers(t *testing.T) {
	want := []string{"a", "A1", "a1b", "a2", "a10", "a010", "a11", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortStableFunc(got, CompareNames)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	names := rapid.StringMatching(`[abAB]{0,2}[0-9]{0,3}[ab]?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := names.Draw(t, "a"), names.Draw(t, "b"), names.Draw(t, "c")
		if sgn(CompareNames(a, b)) != -sgn(CompareNames(b, a)) {
			t.Fatalf("%q and %q: %d, the other way %d", a, b, CompareNames(a, b), CompareNames(b, a))
		}
		if CompareNames(a, b) < 0 && CompareNames(b, c) < 0 && CompareNames(a, c) >= 0 {
			t.Fatalf("%q < %q < %q is not an order", a, b, c)
		}
	})
}

func sgn(n int) int { return max(-1, min(1, n)) }

func TestRoles(t *testing.T) {
	for text, want := range map[string]Role{"Started": RoleStarted, "stopped": RoleStopped, "Master": RolePromoted, "promoted": RolePromoted, "Slave": RoleUnpromoted, "UNPROMOTED": RoleUnpromoted, "": RoleUnknown, "running": RoleUnknown} {
		if got := ParseRole(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for r := RoleStopped; r <= RolePromoted; r++ {
		if ParseRole(r.String()) != r {
			t.Errorf("%s does not read back", r)
		}
	}
}

func TestStripInstance(t *testing.T) {
	for id, want := range map[string]string{"a:0": "a", "a:12": "a", "a": "a", "a:": "a:", ":3": ":3", "a:b": "a:b", "a:1:2": "a:1", "7": "7"} {
		if got := StripInstance(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}

func TestAddressesOfReplicasCountUp(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.9": "192.0.2.10", "192.0.2.253": "192.0.2.254", "192.0.2.254": "192.0.3.1", "192.0.253.254": "192.0.254.1",
		"192.0.254.254": "", "192.0.2": "", "2001:db8::1": "", "192.0.x.1": "",
	} {
		if got := nextIP(ip); got != want {
			t.Errorf("after %s: %q, want %q", ip, got, want)
		}
	}
}

func TestFailAttributes(t *testing.T) {
	for _, c := range []struct {
		attr, name   string
		unique, want bool
	}{
		{"fail-count-a#monitor_10000", "a", true, true},
		{"fail-count-a#start_0", "a", true, true},
		{"fail-count-a:1#start_0", "a", true, false},
		{"fail-count-a:1#start_0", "a", false, true},
		{"fail-count-a:x#start_0", "a", false, false},
		{"fail-count-ab#start_0", "a", true, false},
		{"fail-count-a", "a", true, false},
		{"fail-count-a#start_", "a", true, false},
		{"fail-count-a#_0", "a", true, false},
		{"last-failure-a#start_0", "a", true, false},
	} {
		if got := failAttr(c.attr, "fail-count", c.name, c.unique); got != c.want {
			t.Errorf("%s of %s (unique %t): %t", c.attr, c.name, c.unique, got)
		}
	}
}
