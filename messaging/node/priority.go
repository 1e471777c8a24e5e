// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"log/slog"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// autogroup is where a process tells the priority of its session.
const autogroup = "/proc/self/autogroup"

// RaisePriority asks for a priority of all threads; those to come inherit it. A
// ring is kept alive by being on time: unless the file says otherwise it is the
// highest that does not need real-time scheduling.
//
// A kernel that groups processes by session compares nice values within one
// session only. A daemon is a session of its own, so that its group needs the
// priority as well: without that, a busy loop in each of some other sessions gets
// as much of the processor as the ring.
func RaisePriority(log *slog.Logger, niceness int) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, niceness); err != nil {
			log.Debug("priority not raised", "error", err)
			return
		}
	}
	if sid, err := unix.Getsid(0); err != nil || sid != os.Getpid() {
		return // others are in the session: an administrator's shell
	}
	if err := os.WriteFile(autogroup, []byte(strconv.Itoa(niceness)), 0); err != nil && !os.IsNotExist(err) {
		log.Debug("priority of the session not raised", "error", err)
	}
}
