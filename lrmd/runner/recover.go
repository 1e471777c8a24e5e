// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/lrmd/journal"
)

// mark is the environment entry by which what an executor started is known.
func (e *Executor) mark(boot string) string { return "QUORATE_EXECUTOR=" + boot }

// killLeftOvers ends what a dead executor left running: the processes that it
// noted, and the agents that it started but had no time to note. Services that
// agents started are none of them.
func (e *Executor) killLeftOvers(old journal.State) {
	if old.Boot == "" {
		return
	}
	left := slices.Concat(old.Running, exec.FindMarked(e.mark(old.Boot), e.isAgent))
	for _, p := range left {
		if exec.KillLeftOver(p) {
			e.cfg.Log.Warn("killed an agent that the former executor left running", "pid", p.PID)
		}
	}
	if n := len(old.Once); n > 0 {
		e.cfg.Log.Warn("operations were lost with the former executor", "count", n)
	}
}

// isAgent tells by a program's arguments whether it is an agent: a program (or
// the script that an interpreter runs) in a folder of agents, or one that the
// operator program carries.
func (e *Executor) isAgent(args []string) bool {
	for i, a := range args {
		if i > 2 {
			break
		}
		for _, d := range e.cfg.AgentDirs {
			if strings.HasPrefix(a, filepath.Clean(d)+"/") {
				return true
			}
		}
	}
	return len(args) > 2 && filepath.Base(args[0]) == "quorate" && args[1] == "ocf"
}
