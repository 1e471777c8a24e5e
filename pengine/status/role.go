// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import "strings"

// A Role is what a resource does on a node, in rising order.
type Role int

// The roles.
const (
	RoleUnknown Role = iota
	RoleStopped
	RoleStarted
	RoleUnpromoted
	RolePromoted
)

// String gives the role's name.
func (r Role) String() string {
	switch r {
	case RoleStopped:
		return "Stopped"
	case RoleStarted:
		return "Started"
	case RoleUnpromoted:
		return "Unpromoted"
	case RolePromoted:
		return "Promoted"
	}
	return "Unknown"
}

// ParseRole reads a role's name, new or old; RoleUnknown for any other text.
func ParseRole(s string) Role {
	switch strings.ToLower(s) {
	case "stopped":
		return RoleStopped
	case "started":
		return RoleStarted
	case "unpromoted", "slave":
		return RoleUnpromoted
	case "promoted", "master":
		return RolePromoted
	}
	return RoleUnknown
}

// OnFail is what to do after a failure, in rising order of severity.
type OnFail int

// The reactions.
const (
	OnFailIgnore OnFail = iota
	OnFailDemote
	OnFailRestart
	OnFailResetRemote
	OnFailRestartContainer
	OnFailBan
	OnFailBlock
	OnFailStop
	OnFailStandby
	OnFailFence
)

// String gives the reaction in the words of transition summaries.
func (o OnFail) String() string {
	return [...]string{"ignore", "demote", "recover", "reset-remote", "restart-container", "migrate", "block", "stop", "standby", "fence"}[o]
}

// Requires is what must be there before an action may run.
type Requires int

// The needs.
const (
	RequiresNothing Requires = iota
	RequiresQuorum
	RequiresFencing
)

// ExitCode is an agent's result in OCF's numbers.
type ExitCode int

// The exit codes that decisions depend on.
const (
	ExitOK               ExitCode = 0
	ExitInvalidParam     ExitCode = 2
	ExitUnimplemented    ExitCode = 3
	ExitInsufficientPriv ExitCode = 4
	ExitNotInstalled     ExitCode = 5
	ExitNotConfigured    ExitCode = 6
	ExitNotRunning       ExitCode = 7
	ExitPromoted         ExitCode = 8
	ExitFailedPromoted   ExitCode = 9
	ExitDegraded         ExitCode = 190
	ExitDegradedPromoted ExitCode = 191
	ExitUnknown          ExitCode = 193
)

// String gives the words with which status tools show an exit code.
func (e ExitCode) String() string {
	if s, ok := exitText[e]; ok {
		return s
	}
	if e > 128 && e < 255 {
		return "Interrupted by signal"
	}
	return "Unknown exit status"
}

var exitText = map[ExitCode]string{
	0: "OK", 1: "Error occurred", 2: "Invalid parameter", 3: "Unimplemented", 4: "Insufficient privileges",
	5: "Not installed", 6: "Not configured", 7: "Not running", 8: "Promoted", 9: "Failed in promoted role",
	190: "Service is active but might fail soon", 191: "Service is promoted but might fail soon",
	193: "No exit status available", 124: "Timeout occurred", 255: "Error occurred",
}

// ExecStatus is how an operation ended, in Pacemaker's numbers.
type ExecStatus int

// The execution statuses.
const (
	ExecUnknown       ExecStatus = -2
	ExecPending       ExecStatus = -1
	ExecDone          ExecStatus = 0
	ExecCancelled     ExecStatus = 1
	ExecTimeout       ExecStatus = 2
	ExecNotSupported  ExecStatus = 3
	ExecError         ExecStatus = 4
	ExecErrorHard     ExecStatus = 5
	ExecErrorFatal    ExecStatus = 6
	ExecNotInstalled  ExecStatus = 7
	ExecNotConnected  ExecStatus = 8
	ExecInvalid       ExecStatus = 9
	ExecNoFenceDevice ExecStatus = 10
	ExecNoSecrets     ExecStatus = 11
)

// String gives the words with which status tools show a status.
func (e ExecStatus) String() string {
	if s, ok := execText[e]; ok {
		return s
	}
	return "UNKNOWN!"
}

var execText = map[ExecStatus]string{
	-1: "pending", 0: "complete", 1: "Cancelled", 2: "Timed Out", 3: "NOT SUPPORTED", 4: "Error", 5: "Hard error", 6: "Fatal error",
	7: "Not installed", 8: "Internal communication failure", 9: "Cannot execute now", 10: "No fence device", 11: "CIB secrets unavailable",
}
