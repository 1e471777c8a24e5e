// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cables

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// threads are the scheduling policies and priorities of a node's threads, with
// how many have each.
func threads(t *testing.T, n *Node) map[string]int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", n.cmd.Process.Pid))
	check(t, err)
	out := map[string]int{}
	for _, dir := range tasks {
		tid, err := strconv.Atoi(filepath.Base(dir))
		check(t, err)
		a, err := unix.SchedGetAttr(tid, 0)
		if err == nil { // else it has ended
			out[fmt.Sprintf("policy %d priority %d nice %d", a.Policy, a.Priority, a.Nice)]++
		}
	}
	return out
}

func locked(t *testing.T, n *Node) bool {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	check(t, err)
	_, rest, _ := strings.Cut(string(text), "VmLck:")
	kb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return kb != "0"
}

// mayLock tells whether the test itself may lock memory, and so the daemon.
func mayLock(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	check(t, err)
	_, rest, _ := strings.Cut(string(text), "CapEff:")
	word, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	caps, err := strconv.ParseUint(word, 16, 64)
	check(t, err)
	return caps&(1<<unix.CAP_IPC_LOCK) != 0
}

// Every thread of the daemon has real-time priority, also those that load makes,
// and its memory is locked; where that is refused it says so and runs on.
func TestThreadsHaveTheUrgencyAskedFor(t *testing.T) {
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	check(t, err)
	ordinary := fmt.Sprintf("policy 0 priority 0 nice %d", 20-own) // as the system call counts
	for _, tc := range []struct {
		system string
		limit  []string // the command that the daemon runs under
		want   string
		locked bool
		log    string
	}{
		{"\tpriority: 7\n", nil, "policy 2 priority 7 nice 0", true, "threads have real-time priority"},
		{"\tsched_rr: no\n\tpriority: -3\n", nil, "policy 0 priority 0 nice -3", true, ""},
		{"", []string{"setpriv", "--bounding-set=-sys_nice,-ipc_lock,-sys_resource", "--inh-caps=-all", "--"}, ordinary, false, "no real-time scheduling"},
	} {
		if len(tc.limit) > 0 {
			if _, err := exec.LookPath(tc.limit[0]); err != nil {
				t.Skip(err)
			}
		}
		c := cluster(t, Options{Nodes: 1, Links: 1, System: tc.system, Under: tc.limit})
		n := c.Nodes[0]
		newTraffic(t, c).run(t, 200*time.Millisecond, 100_000)
		if got := threads(t, n); len(got) != 1 || got[tc.want] == 0 {
			t.Errorf("%q: threads %v, want %s", tc.system, got, tc.want)
		}
		if got := locked(t, n); got != tc.locked && (got || mayLock(t)) {
			t.Errorf("%q: memory locked: %v", tc.system, got)
		}
		if !strings.Contains(n.Log(), tc.log) {
			t.Errorf("%q: the log does not say %q:\n%s", tc.system, tc.log, n.Log())
		}
	}
}
