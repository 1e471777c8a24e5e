// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lsb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/agents/metadata"
)

// ErrNotFound tells that there is no such script.
var ErrNotFound = errors.New("lsb: no such init script")

// maxScript bounds what is read of a script for its metadata.
const maxScript = 256 << 10

// Config says where init scripts are.
type Config struct {
	Dir  string // "" is /etc/init.d
	Env  []string
	Exec exec.Runner
}

// A Class runs init scripts. It is safe for concurrent use.
type Class struct{ cfg Config }

// New returns the class.
func New(cfg Config) *Class {
	if cfg.Dir == "" {
		cfg.Dir = "/etc/init.d"
	}
	return &Class{cfg: cfg}
}

// Has tells whether there is a script of that name.
func (c *Class) Has(name string) bool {
	if !agents.ValidName(name) {
		return false
	}
	st, err := os.Stat(filepath.Join(c.cfg.Dir, name))
	return err == nil && st.Mode().IsRegular()
}

// Run runs an action of a script; a monitor asks for its status.
func (c *Class) Run(ctx context.Context, req agents.Request) agents.Result {
	if !c.Has(req.Type) {
		return agents.Failed(agents.NotInstalled, agents.StatusNotInstalled, "%s: No such file or directory", filepath.Join(c.cfg.Dir, req.Type))
	}
	action, code := req.Action, plainCode
	switch req.Action {
	case "monitor", "status":
		action, code = "status", StatusCode
	case "start", "stop", "restart", "reload", "force-reload":
	default:
		return agents.Failed(agents.Unimplemented, agents.StatusDone, "init scripts have no action %q", req.Action)
	}
	path := filepath.Join(c.cfg.Dir, req.Type)
	o := c.cfg.Exec.Run(ctx, exec.Command{
		Path: path, Args: []string{action}, Dir: "/", Env: append(slices.Clone(c.cfg.Env), req.Env...),
		Timeout: req.Timeout, Started: req.Started,
	})
	return o.Result("Resource agent", path, req.Timeout, code)
}

// plainCode translates the exit code of an action other than status: the first
// eight mean the same as in OCF.
func plainCode(code int) agents.ExitCode {
	if code < 0 || code > 7 {
		return agents.GenericError
	}
	return agents.ExitCode(code)
}

// StatusCode translates the exit code of the status action.
func StatusCode(code int) agents.ExitCode {
	switch code {
	case 0:
		return agents.OK
	case 1, 2, 3: // dead with a pid file, dead with a lock file, not running
		return agents.NotRunning
	case 150:
		return agents.NotInstalled
	case 151:
		return agents.InsufficientPriv
	}
	return agents.GenericError
}

// Metadata makes a script's metadata from its comments.
func (c *Class) Metadata(_ context.Context, _, name string) (string, error) {
	if !c.Has(name) {
		return "", fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	f, err := os.Open(filepath.Join(c.cfg.Dir, name))
	if err != nil {
		return "", fmt.Errorf("lsb: metadata of %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxScript))
	if err != nil {
		return "", fmt.Errorf("lsb: metadata of %s: %w", name, err)
	}
	return metadata.LSB(name, b), nil
}

// List returns the names of the scripts, sorted.
func (c *Class) List(context.Context, string) ([]string, error) {
	entries, err := os.ReadDir(c.cfg.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lsb: %w", err)
	}
	var names []string
	for _, e := range entries {
		st, err := os.Stat(filepath.Join(c.cfg.Dir, e.Name()))
		if err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 && agents.ValidName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
