// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package exec

import (
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
)

// Result turns the end of a program into an action's result. Kind is what the
// program is to people (Resource agent, Fence agent), name is the agent's, and
// code maps its exit code.
func (o Outcome) Result(kind, name string, timeout time.Duration, code func(int) agents.ExitCode) agents.Result {
	r := agents.Result{
		Exit: agents.GenericError, Status: agents.StatusError,
		Stdout: o.Stdout, Stderr: o.Stderr, Started: o.Started, Ended: o.Ended, Stuck: o.Stuck,
	}
	switch {
	case o.Err != nil:
		startError(&r, name, o.Err)
	case o.TimedOut:
		r.Status = agents.StatusTimeout
		r.Reason = kind + " did not complete within " + agents.Readable(timeout)
	case o.Cancelled:
		r.Status = agents.StatusCancelled
	case o.Signal != 0:
		r.Reason = kind + " interrupted by " + signalName(o.Signal) + " signal"
	default:
		r.Status, r.Exit = agents.StatusDone, code(o.Code)
	}
	return r
}

func startError(r *agents.Result, name string, err error) {
	errno, _ := Errno(err)
	r.Reason = name + ": " + errText(err)
	switch errno {
	case syscall.ENOENT, syscall.EISDIR, syscall.ENOTDIR, syscall.EINVAL, syscall.ENOEXEC:
		r.Exit, r.Status = agents.NotInstalled, agents.StatusNotInstalled
	case syscall.EACCES, syscall.EPERM:
		r.Exit = agents.InsufficientPriv
	}
}

// errText has the words of the C library: tools compare them.
func errText(err error) string {
	errno, ok := Errno(err)
	if !ok {
		return err.Error()
	}
	s := errno.Error()
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func signalName(s syscall.Signal) string {
	if n := unix.SignalName(s); n != "" {
		return n
	}
	return s.String()
}

// Printable makes an agent's output safe for logs, XML and terminals: valid
// UTF-8 without control characters other than line ends and tabs.
func Printable(b []byte) string {
	if plain(b) {
		return string(b)
	}
	s := strings.ToValidUTF8(string(b), "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case unicode.IsControl(r), r == 0xFFFE, r == 0xFFFF, unicode.Is(unicode.Bidi_Control, r):
			return ' '
		}
		return r
	}, s)
}

func plain(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
