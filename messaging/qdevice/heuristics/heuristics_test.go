// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package heuristics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCommandLines(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"/bin/true", "[\"/bin/true\"] <nil>"},
		{"/bin/echo a  'b c' \"d \\\" e\" f\\ g '' 'x'y", "[\"/bin/echo\" \"a\" \"b c\" \"d \\\" e\" \"f g\" \"\" \"xy\"] <nil>"},
		{"true", "[] heuristics: exec_n: it needs the full path of a program"},
		{"", "[] heuristics: exec_n: it needs the full path of a program"},
		{"/bin/echo 'x", "[] heuristics: exec_n: a quote or backslash has no end"},
		{"/bin/echo x\\", "[] heuristics: exec_n: a quote or backslash has no end"},
	} {
		c, err := Exec("n", tc.line)
		if got := fmt.Sprintf("%q %v", c.Argv, err); got != tc.want {
			t.Errorf("%s: %s", tc.line, got)
		}
	}
	for _, bad := range []string{"", "gateway", "192.0.2.1 x"} {
		if _, err := Ping("gw", bad); err == nil {
			t.Errorf("ping node %q is accepted", bad)
		}
	}
}

func check(t *testing.T, line string) Check {
	t.Helper()
	c, err := Exec(line, line)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAllChecksMustPass(t *testing.T) {
	group, err := Ping("gw", "192.0.2.1 192.0.2.2")
	if err != nil {
		t.Fatal(err)
	}
	only := func(up string) func(context.Context, netip.Addr) error {
		return func(_ context.Context, a netip.Addr) error {
			if a.String() == up {
				return nil
			}
			return errors.New("silent")
		}
	}
	for _, tc := range []struct {
		name   string
		checks []Check
		up     string
		want   bool
	}{
		{"none", nil, "", true},
		{"one passes", []Check{check(t, "/bin/true")}, "", true},
		{"one fails", []Check{check(t, "/bin/true"), check(t, "/bin/false")}, "", false},
		{"no such program", []Check{check(t, "/nonexistent")}, "", false},
		{"one of the group answers", []Check{group, check(t, "/bin/true")}, "192.0.2.2", true},
		{"none of the group answers", []Check{group}, "192.0.2.3", false},
	} {
		r := Runner{Checks: tc.checks, Log: slog.New(slog.DiscardHandler), Probe: only(tc.up)}
		if got := r.Run(t.Context(), 10*time.Second); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

// A program that hangs fails when the time is over, with all that it started.
func TestTheTimeIsBounded(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	script := filepath.Join(t.TempDir(), "hang")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n(sleep 1; touch "+mark+") & sleep 30\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := Runner{Checks: []Check{check(t, script)}, Log: slog.New(slog.DiscardHandler)}
	start := time.Now()
	if r.Run(t.Context(), 200*time.Millisecond) {
		t.Error("passed")
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the program's child went on")
	}
}

func TestTheMachineAnswersItself(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("echo requests may need privilege here")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := Echo(ctx, netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := Echo(short, netip.MustParseAddr("198.51.100.254")); err == nil {
		t.Error("an address that nobody has answers")
	}
}
