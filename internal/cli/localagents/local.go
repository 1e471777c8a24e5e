// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package localagents

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/agents/fence"
	"github.com/quorate/quorate/agents/lsb"
	"github.com/quorate/quorate/agents/ocf"
	"github.com/quorate/quorate/agents/service"
	"github.com/quorate/quorate/agents/systemd"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/clock"
)

// A Class is one standard of agents.
type Class interface {
	Run(ctx context.Context, req agents.Request) agents.Result
	Metadata(ctx context.Context, provider, typ string) (string, error)
	List(ctx context.Context, provider string) ([]string, error)
}

// Agents are the agents of this machine.
type Agents struct {
	OCF     *ocf.Class
	Fence   *fence.Class
	classes map[string]Class
	systemd *systemd.Class
}

// Open returns the agents that a node with these paths has.
func Open(io *cli.IO) *Agents {
	base, clk := ocf.BaseEnv(os.Environ()), clock.Boottime()
	run := exec.Runner{Clock: clk}
	scripts := lsb.New(lsb.Config{Dir: io.Paths.Abs("/etc/init.d"), Env: base, Exec: run})
	units := systemd.New(systemd.Config{Clock: clk, Log: slog.New(slog.DiscardHandler)})
	a := &Agents{
		OCF: ocf.New(ocf.Config{Dirs: ocf.Dirs(io.Paths.Root, io.Env("OCF_RA_PATH")), Root: io.Paths.OCFRoot(), Env: base, Exec: run}),
		Fence: fence.New(fence.Config{
			Dirs: fence.Dirs(io.Paths.Root), Env: base, Exec: run, State: filepath.Join(io.Paths.RunDir(), "lrmd", "stonith"),
		}),
		systemd: units,
	}
	a.classes = map[string]Class{
		"ocf": a.OCF, "lsb": scripts, "service": service.New(scripts, units), "systemd": units, "stonith": a.Fence,
	}
	return a
}

// Class returns the agents of one standard.
func (a *Agents) Class(name string) (Class, error) {
	c := a.classes[name]
	if c == nil {
		return nil, fmt.Errorf("no standard is called %q", name)
	}
	return c, nil
}

// Standards lists the standards that work here, sorted; systemd only where it
// answers.
func (a *Agents) Standards(ctx context.Context) []string {
	var out []string
	for name := range a.classes {
		if name != "systemd" || a.systemd.Available(ctx) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
