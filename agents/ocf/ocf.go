// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ocf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/agents/metadata"
)

const (
	// FeatureSet is the version of the resource agents' view of the cluster;
	// agents switch their behaviour by it.
	FeatureSet = "3.16.1"
	// MetadataTimeout bounds an agent's meta-data action.
	MetadataTimeout = 30 * time.Second
	// reasonPrefix introduces an agent's own words for why it failed.
	reasonPrefix = "ocf-exit-reason:"
	// maxReason bounds those words in bytes.
	maxReason = 128
)

// Errors of looking agents up.
var (
	ErrNotFound = errors.New("ocf: no such agent")
	ErrName     = errors.New("ocf: not an agent's name")
)

// Config says where agents are and what they start with.
type Config struct {
	// Dirs are the resource.d directories, in order of preference.
	Dirs []string
	// Root is OCF_ROOT for agents beside whose folder there is no library of
	// their own; where it has none either it is /usr/lib/ocf.
	Root string
	// Env is the environment that every agent has; see [BaseEnv].
	Env []string
	// Dir is the working directory; "" is /.
	Dir  string
	Exec exec.Runner
}

// A Class runs OCF agents. It is safe for concurrent use.
type Class struct {
	cfg   Config
	cache *metadata.Cache
}

// New returns the class.
func New(cfg Config) *Class {
	if cfg.Dir == "" {
		cfg.Dir = "/"
	}
	if cfg.Root == "" || !hasLibrary(cfg.Root) {
		cfg.Root = "/usr/lib/ocf"
	}
	return &Class{cfg: cfg, cache: metadata.NewCache(cfg.Exec.Clock)}
}

// Find returns the path of an agent.
func (c *Class) Find(provider, typ string) (string, error) {
	if !agents.ValidName(provider) || !agents.ValidName(typ) {
		return "", fmt.Errorf("%w: ocf:%s:%s", ErrName, provider, typ)
	}
	for _, d := range c.cfg.Dirs {
		p := filepath.Join(d, provider, typ)
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w: ocf:%s:%s (looked in %s)", ErrNotFound, provider, typ, strings.Join(c.cfg.Dirs, ", "))
}

// Run runs an action of an agent to its end.
func (c *Class) Run(ctx context.Context, req agents.Request) agents.Result {
	path, err := c.Find(req.Provider, req.Type)
	switch {
	case errors.Is(err, ErrName):
		return agents.Failed(agents.NotConfigured, agents.StatusInvalid, "%v", err)
	case err != nil:
		return agents.Failed(agents.NotInstalled, agents.StatusNotInstalled, "%s:%s: No such file or directory", req.Provider, req.Type)
	case !agents.ValidName(req.Action):
		return agents.Failed(agents.Unimplemented, agents.StatusInvalid, "not an action: %q", req.Action)
	}
	env, err := c.environ(path, req)
	if err != nil {
		return agents.Failed(agents.InvalidParam, agents.StatusInvalid, "%v", err)
	}
	o := c.cfg.Exec.Run(ctx, exec.Command{
		Path: path, Args: []string{req.Action}, Env: env, Dir: c.cfg.Dir,
		Timeout: req.Timeout, Started: req.Started,
	})
	r := o.Result("Resource agent", path, req.Timeout, func(code int) agents.ExitCode {
		return agents.ExitCode(code).Known()
	})
	if r.Status == agents.StatusDone {
		r.Reason = exitReason(o.Stderr)
	}
	return r
}

// root is where an agent finds its library: beside resource.d, where there is
// one. A relocated node may run agents of its own and those of the machine.
func (c *Class) root(path string) string {
	own := filepath.Dir(filepath.Dir(filepath.Dir(path)))
	if hasLibrary(own) {
		return own
	}
	return c.cfg.Root
}

func hasLibrary(root string) bool {
	st, err := os.Stat(filepath.Join(root, "lib", "heartbeat"))
	return err == nil && st.IsDir()
}

// environ makes the environment of the agent that lies at path.
func (c *Class) environ(path string, req agents.Request) ([]string, error) {
	env := slices.Clone(c.cfg.Env)
	env = append(env,
		"OCF_ROOT="+c.root(path),
		"OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1",
		"OCF_EXIT_REASON_PREFIX="+reasonPrefix,
		"OCF_RESOURCE_INSTANCE="+req.Instance,
		"OCF_RESOURCE_TYPE="+req.Type,
		"OCF_RESOURCE_PROVIDER="+req.Provider,
		"OCF_OUTPUT_FORMAT=text",
	)
	set := func(name, value string) { env = append(env, "OCF_RESKEY_"+name+"="+value) }
	for name, value := range req.Params {
		switch {
		case strings.ContainsRune(name, 0) || strings.ContainsRune(value, 0):
			return nil, fmt.Errorf("parameter %q holds a zero byte", name)
		case name == "" || strings.ContainsRune(name, '='):
			return nil, fmt.Errorf("parameter name %q cannot be in an environment", name)
		case name == "OCF_CHECK_LEVEL":
			env = append(env, name+"="+value)
		default:
			set(name, value)
		}
	}
	fill := func(name, value string) {
		if _, ok := req.Params[name]; !ok {
			set(name, value)
		}
	}
	fill("crm_feature_set", FeatureSet)
	if req.Timeout > 0 {
		fill("CRM_meta_timeout", strconv.FormatInt(req.Timeout.Milliseconds(), 10))
	}
	if req.Interval > 0 {
		fill("CRM_meta_interval", strconv.FormatInt(req.Interval.Milliseconds(), 10))
	}
	return append(env, req.Env...), nil
}

// exitReason is what follows the last prefix in what the agent printed, up to
// the end of the line.
func exitReason(stderr []byte) string {
	s := string(stderr)
	i := strings.LastIndex(s, reasonPrefix)
	if i < 0 {
		return ""
	}
	s = s[i+len(reasonPrefix):]
	if j := strings.IndexByte(s, '\n'); j >= 0 {
		s = s[:j]
	}
	s = strings.TrimSpace(exec.Printable([]byte(s)))
	if len(s) > maxReason {
		// Not within a character: what is cut there goes altogether.
		s = strings.TrimSpace(strings.ToValidUTF8(s[:maxReason], ""))
	}
	return s
}

// Metadata returns what the agent's meta-data action prints. It is kept until
// the agent's file changes.
func (c *Class) Metadata(ctx context.Context, provider, typ string) (string, error) {
	path, err := c.Find(provider, typ)
	if err != nil {
		return "", err
	}
	return c.cache.Get(ctx, path, func(ctx context.Context) (string, error) { return c.ask(ctx, path, provider, typ) })
}

func (c *Class) ask(ctx context.Context, path, provider, typ string) (string, error) {
	req := agents.Request{Provider: provider, Type: typ, Instance: typ, Action: "meta-data", Timeout: MetadataTimeout}
	env, err := c.environ(path, req)
	if err != nil {
		return "", err
	}
	o := c.cfg.Exec.Run(ctx, exec.Command{
		Path: path, Args: []string{"meta-data"}, Env: env, Dir: c.cfg.Dir,
		Timeout: MetadataTimeout, Keep: metadata.MaxSize + 1,
	})
	r := o.Result("Metadata action", path, MetadataTimeout, func(code int) agents.ExitCode { return agents.ExitCode(code).Known() })
	if r.Status != agents.StatusDone || r.Exit != agents.OK {
		return "", fmt.Errorf("ocf: meta-data of %s: %s %s", path, r.Exit, r.Reason)
	}
	if _, err := metadata.Parse(o.Stdout); err != nil {
		return "", fmt.Errorf("ocf: meta-data of %s: %w", path, err)
	}
	return string(o.Stdout), nil
}

// List returns the types of a provider's agents, sorted; those of all providers
// if it is "".
func (c *Class) List(_ context.Context, provider string) ([]string, error) {
	providers := []string{provider}
	if provider == "" {
		providers = c.allProviders()
	} else if !agents.ValidName(provider) {
		return nil, fmt.Errorf("%w: provider %q", ErrName, provider)
	}
	var types []string
	for _, d := range c.cfg.Dirs {
		for _, p := range providers {
			types = append(types, Executables(filepath.Join(d, p))...)
		}
	}
	slices.Sort(types)
	return slices.Compact(types), nil
}

// Providers returns the providers that have agents of a type, or all if it is
// "", sorted.
func (c *Class) Providers(_ context.Context, typ string) ([]string, error) {
	all := c.allProviders()
	if typ == "" {
		return all, nil
	}
	return slices.DeleteFunc(all, func(p string) bool {
		_, err := c.Find(p, typ)
		return err != nil
	}), nil
}

func (c *Class) allProviders() []string {
	var names []string
	for _, d := range c.cfg.Dirs {
		entries, err := os.ReadDir(d)
		if err != nil {
			continue
		}
		for _, e := range entries {
			st, err := os.Stat(filepath.Join(d, e.Name()))
			if err == nil && st.IsDir() && agents.ValidName(e.Name()) {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Executables lists the programs of a folder that can be agents, sorted; none
// where it cannot be read.
func Executables(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		st, err := os.Stat(filepath.Join(dir, e.Name()))
		if err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 && agents.ValidName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}
