// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/node"
)

// prioritize asks for the urgency that the file wants, for all threads: a ring
// is kept alive by being on time, and the runtime's own threads hold it up as
// well as those that carry packets. Threads to come inherit it. Where
// real-time scheduling is refused the greatest priority without has to do.
func prioritize(log *slog.Logger, u conf.Urgency) {
	if u.RealTime > 0 {
		err := eachThread(func(tid int) error {
			return unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: uint32(u.RealTime)}, 0)
		})
		if err == nil {
			log.Info("threads have real-time priority", "priority", u.RealTime)
			return
		}
		log.Warn("no real-time scheduling: a busy machine may delay the ring", "error", err,
			"remedy", "start the daemon by its unit, or set system.sched_rr: no")
	}
	node.RaisePriority(log, u.Nice)
}

// maxPasses bounds how often the threads are gone through: some may be made by
// threads whose turn is yet to come.
const maxPasses = 8

// eachThread calls f for all threads, until there are none that it was not
// called for.
func eachThread(f func(tid int) error) error {
	done := map[string]bool{}
	for range maxPasses {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		before := len(done)
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil || done[t.Name()] {
				continue
			}
			if err := f(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
			done[t.Name()] = true
		}
		if len(done) == before {
			return nil
		}
	}
	return nil
}

// lockMemory keeps the pages of the daemon in memory once they were used: what
// is swapped out has to be read from a disk that may hang. Pages are not fetched
// ahead, since most of what the runtime reserves is never used. It is left where
// there is a limit: reaching that would end the daemon.
func lockMemory(log *slog.Logger) {
	err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	if err == nil || mayLock() {
		err = unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	}
	if err != nil {
		log.Warn("memory not locked: a machine short of memory may delay the ring", "error", fmt.Errorf("mlockall: %w", err),
			"remedy", "start the daemon by its unit, which may lock memory without limit")
	}
}

// mayLock tells whether the limit of locked memory does not count for this
// process.
func mayLock() bool {
	var data [2]unix.CapUserData
	err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
	return err == nil && data[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0
}
