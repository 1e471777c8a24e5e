// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package classes

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/agents/fence"
	"github.com/quorate/quorate/agents/lsb"
	"github.com/quorate/quorate/agents/ocf"
	"github.com/quorate/quorate/agents/service"
	"github.com/quorate/quorate/agents/systemd"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/runner"
)

// Config says for which node the table is.
type Config struct {
	Paths daemon.Paths
	Env   []string // the process's own environment
	Clock clock.Clock
	Log   *slog.Logger
}

// A Table is a node's classes.
type Table struct {
	rows  []runner.NamedClass
	ocf   *ocf.Class
	fence *fence.Class
}

// New makes a node's table.
func New(cfg Config) *Table {
	paths, base := cfg.Paths, Env(cfg)
	run := exec.Runner{Clock: cfg.Clock}
	agentPath := ""
	for _, e := range cfg.Env {
		if v, ok := cutEnv(e, "OCF_RA_PATH"); ok {
			agentPath = v
		}
	}
	t := &Table{
		ocf: ocf.New(ocf.Config{
			Dirs: ocf.Dirs(paths.Root, agentPath), Env: base, Dir: workDir(paths), Exec: run,
		}),
		fence: fence.New(fence.Config{
			Dirs: fence.Dirs(paths.Root), Env: base, Exec: run, State: filepath.Join(paths.RunDir(), "lrmd", "stonith"),
		}),
	}
	scripts := lsb.New(lsb.Config{Dir: paths.Abs("/etc/init.d"), Env: base, Exec: run})
	units := systemd.New(systemd.Config{Clock: cfg.Clock, Log: cfg.Log})
	t.rows = []runner.NamedClass{
		{Name: "ocf", Class: t.ocf},
		{Name: "lsb", Class: scripts},
		{Name: "service", Class: service.New(scripts, units)},
		{Name: "systemd", Class: units},
		{Name: "stonith", Class: t.fence},
	}
	return t
}

func cutEnv(entry, name string) (string, bool) {
	if len(entry) > len(name) && entry[:len(name)] == name && entry[len(name)] == '=' {
		return entry[len(name)+1:], true
	}
	return "", false
}

// Env is the environment that agents of the node have. A relocated node's agents
// find its daemons, and keep their state apart from those of other nodes of the
// machine.
func Env(cfg Config) []string {
	env := ocf.BaseEnv(cfg.Env)
	if root := cfg.Paths.Root; root != "" && root != "/" {
		env = append(env, daemon.RootVariable+"="+root, "HA_RSCTMP="+cfg.Paths.Abs("/run/resource-agents"))
	}
	return env
}

// workDir is where agents' core files are looked for, if it is there.
func workDir(p daemon.Paths) string {
	dir := filepath.Join(p.PacemakerDir(), "cores")
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return "/"
	}
	return dir
}

// Rows returns the classes in the order in which they are shown.
func (t *Table) Rows() []runner.NamedClass { return t.rows }

// Fence returns the class of fence agents, for whoever fences nodes.
func (t *Table) Fence() *fence.Class { return t.fence }

// Standards lists the classes that work on this machine.
func (t *Table) Standards(ctx context.Context) []string {
	type available interface {
		Available(ctx context.Context) bool
	}
	var names []string
	for _, r := range t.rows {
		if a, ok := r.Class.(available); !ok || a.Available(ctx) {
			names = append(names, r.Name)
		}
	}
	return names
}

// Providers lists the OCF providers of a type of agent, or all if it is "".
func (t *Table) Providers(ctx context.Context, typ string) ([]string, error) {
	return t.ocf.Providers(ctx, typ)
}

func (t *Table) class(name string) (runner.Class, error) {
	i := slices.IndexFunc(t.rows, func(r runner.NamedClass) bool { return r.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: no class is called %q", lrmd.ErrNoAgent, name)
	}
	return t.rows[i].Class, nil
}

// Agents lists the types of agents of a class and, for OCF, a provider.
func (t *Table) Agents(ctx context.Context, class, provider string) ([]string, error) {
	c, err := t.class(class)
	if err != nil {
		return nil, err
	}
	return c.List(ctx, provider)
}

// Metadata returns an agent's metadata, XML text.
func (t *Table) Metadata(ctx context.Context, a lrmd.Agent) (string, error) {
	c, err := t.class(a.Class)
	if err != nil {
		return "", err
	}
	text, err := c.Metadata(ctx, a.Provider, a.Type)
	if err != nil {
		return "", fmt.Errorf("%w: %w", lrmd.ErrNoAgent, err)
	}
	return text, nil
}
