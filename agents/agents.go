// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package agents

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An ExitCode is an agent's answer in OCF's numbers.
type ExitCode int

// The exit codes that an agent may give. Every other code of a program becomes
// [GenericError].
const (
	OK               ExitCode = 0
	GenericError     ExitCode = 1
	InvalidParam     ExitCode = 2
	Unimplemented    ExitCode = 3
	InsufficientPriv ExitCode = 4
	NotInstalled     ExitCode = 5
	NotConfigured    ExitCode = 6
	NotRunning       ExitCode = 7
	RunningPromoted  ExitCode = 8
	FailedPromoted   ExitCode = 9
	Degraded         ExitCode = 190
	DegradedPromoted ExitCode = 191
	ExitUnknown      ExitCode = 193 // no result yet
)

var exitNames = map[ExitCode]string{
	OK: "ok", GenericError: "error", InvalidParam: "invalid parameter",
	Unimplemented: "unimplemented feature", InsufficientPriv: "insufficient privileges",
	NotInstalled: "not installed", NotConfigured: "not configured", NotRunning: "not running",
	RunningPromoted: "promoted", FailedPromoted: "promoted (failed)",
	Degraded: "OCF_DEGRADED", DegradedPromoted: "promoted (degraded)", ExitUnknown: "unknown",
}

// String returns the words that status displays use.
func (c ExitCode) String() string {
	if s, ok := exitNames[c]; ok {
		return s
	}
	return strconv.Itoa(int(c))
}

// Known returns c where it is one that an agent may give, else [GenericError].
func (c ExitCode) Known() ExitCode {
	if (c >= OK && c <= FailedPromoted) || c == Degraded || c == DegradedPromoted {
		return c
	}
	return GenericError
}

// A Status is how the run of an action ended, in Pacemaker's numbers.
type Status int

// The statuses that a class gives.
const (
	StatusDone         Status = 0
	StatusCancelled    Status = 1
	StatusTimeout      Status = 2
	StatusNotSupported Status = 3
	StatusError        Status = 4
	StatusNotInstalled Status = 7
	StatusInvalid      Status = 9
	StatusNoSecrets    Status = 11
)

var statusNames = map[Status]string{
	StatusDone: "complete", StatusCancelled: "Cancelled", StatusTimeout: "Timed Out",
	StatusNotSupported: "NOT SUPPORTED", StatusError: "Error",
	StatusNotInstalled: "Not installed", StatusInvalid: "Cannot execute now",
	StatusNoSecrets: "CIB secrets unavailable",
}

// String returns the words that status displays use.
func (s Status) String() string {
	if n, ok := statusNames[s]; ok {
		return n
	}
	return strconv.Itoa(int(s))
}

// A Request asks for one action of one agent.
type Request struct {
	Provider string // OCF only
	Type     string
	Instance string // the resource as the agent sees it: web, clone:0
	Action   string // start, stop, monitor, …
	Interval time.Duration
	Timeout  time.Duration // 0 is none
	// Params are the instance attributes and the CRM_meta_ ones, without any
	// prefix.
	Params map[string]string
	// Env is added to the agent's environment as it is: KEY=value.
	Env []string
	// Started is called once for each process that is started for the request,
	// before anything waits for it.
	Started func(Process)
}

// Probe tells whether the request only looks whether the resource is there.
func (r Request) Probe() bool { return r.Action == "monitor" && r.Interval == 0 }

// A Process is a running process and what tells it from a later one with the
// same number.
type Process struct {
	PID int `json:"pid"` // and the number of its process group and session
	// Start is the time of its start in clock ticks since boot.
	Start uint64 `json:"start"`
}

// A Result is the end of an action.
type Result struct {
	Exit   ExitCode
	Status Status
	// Reason is a short text for people: the agent's own, or why it did not run.
	Reason string
	// Stdout and Stderr are the last bytes printed.
	Stdout, Stderr []byte
	Started, Ended time.Time
	// Stuck tells that the agent's process could not be killed and goes on.
	Stuck bool
}

// Failed is a result that an agent had no part in.
func Failed(exit ExitCode, status Status, format string, args ...any) Result {
	return Result{Exit: exit, Status: status, Reason: fmt.Sprintf(format, args...)}
}

// Readable writes a time as status displays do: 20s, 1m40s, 500ms, 1.500s.
func Readable(d time.Duration) string {
	ms := d.Milliseconds()
	if ms <= 0 {
		return "0s"
	}
	var out strings.Builder
	for _, u := range []struct {
		ms   int64
		name string
	}{{86400_000, "d"}, {3600_000, "h"}, {60_000, "m"}} {
		if n := ms / u.ms; n > 0 {
			out.WriteString(strconv.FormatInt(n, 10) + u.name)
			ms -= n * u.ms
		}
	}
	switch s := ms / 1000; {
	case s > 0 && ms%1000 > 0:
		fmt.Fprintf(&out, "%d.%03ds", s, ms%1000)
	case s > 0:
		fmt.Fprintf(&out, "%ds", s)
	case ms > 0:
		fmt.Fprintf(&out, "%dms", ms)
	}
	return out.String()
}
