// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/journal"
	"github.com/quorate/quorate/lrmd/queue"
)

// kernelBoot is the kernel's name for the boot of the machine.
func kernelBoot() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// mark is the environment entry by which what an executor started is known.
func (e *Executor) mark(boot string) string { return "QUORATE_EXECUTOR=" + boot }

// killLeftOvers ends what a dead executor left running: the processes that it
// noted, and the agents that it started but had no time to note. Services that
// agents started are none of them.
func (e *Executor) killLeftOvers(old journal.State) {
	if old.Boot == "" {
		return
	}
	left := slices.Concat(old.Running, exec.FindMarked(e.mark(old.Boot), func(args, env []string) bool {
		return ranOne(slices.Concat(old.Once, old.Recurring), args, env)
	}))
	slices.SortFunc(left, func(a, b agents.Process) int { return cmp.Compare(a.PID, b.PID) })
	for _, p := range slices.Compact(left) {
		if exec.KillLeftOver(p) {
			e.cfg.Log.Warn("killed an agent that the former executor left running", "pid", p.PID)
		}
	}
	if n := len(old.Once); n > 0 {
		e.cfg.Log.Warn("operations were lost with the former executor", "count", n)
	}
}

// ranOne tells by a program's arguments and environment whether it is the agent
// of one of the operations.
func ranOne(ops []queue.Pending, args, env []string) bool {
	return slices.ContainsFunc(ops, func(p queue.Pending) bool { return isAgentOf(p.Op, args, env) })
}

// isAgentOf knows an agent by its program's name, which is the type, itself or
// behind an interpreter or the operator program, and by its action. A daemon
// that is the agent's own program runs with other arguments.
func isAgentOf(op lrmd.Op, args, env []string) bool {
	const maxBefore = 3 // /bin/sh -e AGENT, quorate ocf AGENT
	named := slices.ContainsFunc(args[:min(len(args), maxBefore)], func(a string) bool { return filepath.Base(a) == op.Agent.Type })
	if !named {
		return false
	}
	last := args[len(args)-1]
	switch op.Agent.Class {
	case "stonith":
		return true
	case "ocf":
		return last == op.Action && slices.Contains(env, "OCF_RESOURCE_INSTANCE="+op.Resource)
	}
	return last == op.Action || op.Action == "monitor" && last == "status"
}
