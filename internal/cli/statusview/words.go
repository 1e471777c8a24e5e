// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/pengine/status"
)

// utcForm is how instants are written for programs.
const utcForm = "2006-01-02 15:04:05Z"

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func enabled(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

func symmetry(on bool) string {
	if on {
		return "symmetric"
	}
	return "asymmetric"
}

func quorumPolicyText(p status.NoQuorumPolicy) string {
	switch p {
	case status.NoQuorumFreeze:
		return "Freeze resources"
	case status.NoQuorumIgnore:
		return "Ignore"
	case status.NoQuorumDemote:
		return "Demote promotable resources and stop all other resources"
	case status.NoQuorumFence:
		return "Suicide"
	}
	return "Stop ALL resources"
}

func quorumPolicyWord(p status.NoQuorumPolicy) string {
	switch p {
	case status.NoQuorumFreeze:
		return "freeze"
	case status.NoQuorumIgnore:
		return "ignore"
	case status.NoQuorumDemote:
		return "demote"
	case status.NoQuorumFence:
		return "suicide"
	}
	return "stop"
}

// exitText is the word for an agent's exit code.
func exitText(e status.ExitCode) string {
	switch e {
	case status.ExitOK:
		return "ok"
	case 1:
		return "error"
	case status.ExitInvalidParam:
		return "invalid parameter"
	case status.ExitUnimplemented:
		return "unimplemented feature"
	case status.ExitInsufficientPriv:
		return "insufficient privileges"
	case status.ExitNotInstalled:
		return "not installed"
	case status.ExitNotConfigured:
		return "not configured"
	case status.ExitNotRunning:
		return "not running"
	case status.ExitPromoted:
		return "promoted"
	case status.ExitFailedPromoted:
		return "promoted (failed)"
	case status.ExitDegraded:
		return "OCF_DEGRADED"
	case status.ExitDegradedPromoted:
		return "promoted (degraded)"
	}
	return "unknown"
}

// ExitText is the word for an agent's exit code in lists of operations.
func ExitText(code int) string { return exitText(status.ExitCode(code)) }

// readable writes a number of milliseconds for people: 1m30s.
func readable(ms uint64) string {
	var b strings.Builder
	const second, minute, hour, day = 1000, 60 * 1000, 3600 * 1000, 24 * 3600 * 1000
	for _, u := range []struct {
		ms   uint64
		name string
	}{{day, "d"}, {hour, "h"}, {minute, "m"}} {
		if ms >= u.ms {
			fmt.Fprintf(&b, "%d%s", ms/u.ms, u.name)
			ms %= u.ms
		}
	}
	if ms >= second {
		fmt.Fprintf(&b, "%d", ms/second)
		if ms%second > 0 {
			fmt.Fprintf(&b, ".%03d", ms%second)
		}
		b.WriteString("s")
	} else if ms > 0 {
		fmt.Fprintf(&b, "%dms", ms)
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

// epoch reads a number of seconds since 1970; ok is false for what is none or 0.
func epoch(s string) (t time.Time, ok bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}, false
	}
	return time.Unix(n, 0), true
}

// localTime gives the epoch text as a calendar date.
func localTime(s string) string {
	t, ok := epoch(s)
	if !ok {
		return ""
	}
	return t.Format(time.ANSIC)
}
