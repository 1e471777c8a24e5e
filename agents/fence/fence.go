// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/agents/metadata"
	"github.com/quorate/quorate/internal/clock"
)

// ErrNotFound tells that there is no such fence agent.
var ErrNotFound = errors.New("fence: no such fence agent")

// MetadataTimeout bounds an agent's metadata action.
const MetadataTimeout = 30 * time.Second

// maxReason bounds what is taken of an agent's complaints, in bytes.
const maxReason = 128

// Config says where fence agents are and what they start with.
type Config struct {
	Dirs []string // in order of preference; see [Dirs]
	Env  []string
	Exec exec.Runner
	// State is the folder in which started STONITH resources are noted. "" is
	// for a class that runs no resources.
	State string
}

// Dirs returns the folders to look for fence agents in, for a node whose paths
// are under root.
func Dirs(root string) []string {
	const machine = "/usr/sbin"
	if root == "" || root == "/" {
		return []string{machine}
	}
	return []string{filepath.Join(root, machine), machine}
}

// A Class runs fence agents. It is safe for concurrent use.
type Class struct {
	cfg   Config
	cache *metadata.Cache
}

// New returns the class.
func New(cfg Config) *Class { return &Class{cfg: cfg, cache: metadata.NewCache(cfg.Exec.Clock)} }

// A Call is one action of one device.
type Call struct {
	Agent  string            // fence_ipmilan
	Params map[string]string // of the device, all of them
	// Action is on, off, reboot, status, list or monitor.
	Action string
	// Target is the node, "" for list and monitor; NodeID its number, if known.
	Target  string
	NodeID  uint32
	Timeout time.Duration
	Started func(agents.Process)
	Env     []string
}

// Find returns the path of an agent.
func (c *Class) Find(agent string) (string, error) {
	if agents.ValidName(agent) && strings.HasPrefix(agent, "fence_") {
		for _, d := range c.cfg.Dirs {
			p := filepath.Join(d, agent)
			if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
				return p, nil
			}
		}
	}
	return "", fmt.Errorf("%w: %s (looked in %s)", ErrNotFound, agent, strings.Join(c.cfg.Dirs, ", "))
}

// Call runs an action of a device once. Exit OK is success; status answers
// InvalidParam (2) for a node that is off.
func (c *Class) Call(ctx context.Context, call Call) agents.Result {
	path, err := c.Find(call.Agent)
	if err != nil {
		return agents.Failed(agents.NotInstalled, agents.StatusNotInstalled, "%s: No such file or directory", call.Agent)
	}
	// Faulty options are reported where the device is registered; here the rest
	// of them has to do.
	opts, _ := ParseOptions(call.Params)
	var info Info
	if call.Target != "" && opts.HostArgument == "" {
		if info, err = c.Info(ctx, call.Agent); err != nil {
			return agents.Failed(agents.GenericError, agents.StatusError, "%v", err)
		}
	}
	input, err := Input(call, opts, info)
	if err != nil {
		return agents.Failed(agents.InvalidParam, agents.StatusInvalid, "%v", err)
	}
	o := c.cfg.Exec.Run(ctx, exec.Command{
		Path: path, Env: c.env(call.Env), Dir: "/", Stdin: input, Timeout: call.Timeout, Started: call.Started,
		Keep: 1 << 20, // a device may list thousands of nodes
	})
	r := o.Result("Fence agent", path, call.Timeout, func(code int) agents.ExitCode {
		if code == 2 && call.Action == "status" {
			return agents.InvalidParam
		}
		if code != 0 {
			return agents.GenericError
		}
		return agents.OK
	})
	if r.Status == agents.StatusDone && r.Exit != agents.OK {
		r.Reason = complaint(o.Stderr)
	}
	return r
}

func (c *Class) env(more []string) []string {
	env := append(slices.Clone(c.cfg.Env), "OCF_OUTPUT_FORMAT=log")
	return append(env, more...)
}

// complaint is the last line with something in it.
func complaint(stderr []byte) string {
	s := strings.TrimSpace(exec.Printable(stderr))
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = strings.TrimSpace(s[i+1:])
	}
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}

// Hosts asks a device which nodes it can fence.
func (c *Class) Hosts(ctx context.Context, call Call) ([]string, agents.Result) {
	call.Action, call.Target = "list", ""
	r := c.Call(ctx, call)
	if r.Status != agents.StatusDone || r.Exit != agents.OK {
		return nil, r
	}
	return ParseHosts(exec.Printable(r.Stdout)), r
}

// Info returns what an agent's metadata say.
func (c *Class) Info(ctx context.Context, agent string) (Info, error) {
	text, err := c.metadata(ctx, agent)
	if err != nil {
		return Info{}, err
	}
	a, err := metadata.Parse([]byte(text))
	if err != nil {
		return Info{}, fmt.Errorf("fence: metadata of %s: %w", agent, err)
	}
	return InfoOf(a), nil
}

// Metadata returns an agent's metadata, completed for display.
func (c *Class) Metadata(ctx context.Context, _, agent string) (string, error) {
	text, err := c.metadata(ctx, agent)
	if err != nil {
		return "", err
	}
	return metadata.Fence(text)
}

func (c *Class) metadata(ctx context.Context, agent string) (string, error) {
	path, err := c.Find(agent)
	if err != nil {
		return "", err
	}
	return c.cache.Get(ctx, path, func(ctx context.Context) (string, error) { return c.describe(ctx, path) })
}

func (c *Class) describe(ctx context.Context, path string) (string, error) {
	o := c.cfg.Exec.Run(ctx, exec.Command{
		Path: path, Env: c.env(nil), Dir: "/", Stdin: []byte("action=metadata\n"),
		Timeout: MetadataTimeout, Keep: metadata.MaxSize + 1,
	})
	r := o.Result("Fence agent", path, MetadataTimeout, func(code int) agents.ExitCode { return agents.ExitCode(code).Known() })
	if r.Status != agents.StatusDone || r.Exit != agents.OK {
		return "", fmt.Errorf("fence: metadata of %s: %s %s", path, r.Exit, r.Reason)
	}
	if _, err := metadata.Parse(o.Stdout); err != nil {
		return "", fmt.Errorf("fence: metadata of %s: %w", path, err)
	}
	return string(o.Stdout), nil
}

// List returns the agents that there are, sorted.
func (c *Class) List(context.Context, string) ([]string, error) {
	var names []string
	for _, d := range c.cfg.Dirs {
		found, err := filepath.Glob(filepath.Join(d, "fence_*"))
		if err != nil {
			return nil, fmt.Errorf("fence: %w", err)
		}
		for _, p := range found {
			st, err := os.Stat(p)
			if err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 && agents.ValidName(filepath.Base(p)) {
				names = append(names, filepath.Base(p))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (c *Class) clock() clock.Clock {
	if c.cfg.Exec.Clock != nil {
		return c.cfg.Exec.Clock
	}
	return clock.Runtime()
}
