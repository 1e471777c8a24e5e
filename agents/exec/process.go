// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package exec

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
)

// StartTime is when a process started, in clock ticks since boot: with the number
// it tells one process from a later one. It is 0 where there is none, or one that
// has ended and waits to be reaped.
func StartTime(pid int) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	st, ok := parseStat(b)
	if !ok || st.state == 'Z' || st.state == 'X' {
		return 0
	}
	return st.start
}

type stat struct {
	state            byte
	ppid, pgrp, sess int
	start            uint64
}

// parseStat reads /proc/PID/stat. The second field is the program's name in
// brackets and may hold anything, so the fields are counted from its end.
func parseStat(b []byte) (stat, bool) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return stat{}, false
	}
	f := bytes.Fields(b[i+1:])
	if len(f) < 20 || len(f[0]) != 1 {
		return stat{}, false
	}
	var s stat
	s.state = f[0][0]
	var errs [4]error
	s.ppid, errs[0] = strconv.Atoi(string(f[1]))
	s.pgrp, errs[1] = strconv.Atoi(string(f[2]))
	s.sess, errs[2] = strconv.Atoi(string(f[3]))
	s.start, errs[3] = strconv.ParseUint(string(f[19]), 10, 64)
	for _, err := range errs {
		if err != nil {
			return stat{}, false
		}
	}
	return s, true
}

// killWait bounds the wait for a killed left-over to be gone.
const killWait = 2 * time.Second

// KillLeftOver kills the process group that a former incarnation of this
// program started, if its first process is still the one meant, and waits a
// short time for its end. It tells whether it killed anything.
func KillLeftOver(p agents.Process) bool {
	if p.PID <= 1 || p.Start == 0 {
		return false
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	// Looked at after the process is held by the descriptor: what has that
	// start time now is what the descriptor means.
	if StartTime(p.PID) != p.Start || syscall.Kill(-p.PID, syscall.SIGKILL) != nil {
		return false
	}
	for {
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(killWait.Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return true
		}
	}
}

// FindMarked returns the session leaders whose environment holds the entry mark
// (KEY=value) and whose arguments and environment match: what a former incarnation started and
// had no time to note. Daemons that such a process started have inherited the
// entry but are other programs.
func FindMarked(mark string, match func(args, env []string) bool) []agents.Process {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []agents.Process
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil || pid <= 1 {
			continue
		}
		b, err := os.ReadFile("/proc/" + n.Name() + "/stat")
		if err != nil {
			continue
		}
		st, ok := parseStat(b)
		if !ok || st.sess != pid || st.state == 'Z' {
			continue
		}
		env := entries("/proc/" + n.Name() + "/environ")
		if slices.Contains(env, mark) && match(entries("/proc/"+n.Name()+"/cmdline"), env) {
			found = append(found, agents.Process{PID: pid, Start: st.start})
		}
	}
	return found
}

// entries reads a file of strings that each end in a zero byte.
func entries(file string) []string {
	b, err := os.ReadFile(file)
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// Errno returns the kernel's number for why a program could not be started.
func Errno(err error) (syscall.Errno, bool) {
	var errno syscall.Errno
	ok := errors.As(err, &errno)
	return errno, ok
}
