// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package systemd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/metadata"
	"github.com/quorate/quorate/internal/clock"
)

// ErrNotFound tells that there is no such unit.
var ErrNotFound = errors.New("systemd: no such unit")

const (
	// queryTimeout bounds a question that has no timeout of its own.
	queryTimeout = 10 * time.Second
	// A unit whose job has ended and that is still on its way is looked at
	// again, first soon, then less and less often.
	firstLook, lastLook = 50 * time.Millisecond, time.Second
)

// Config says what the class works with.
type Config struct {
	Clock clock.Clock
	Log   *slog.Logger
	// DropInDir is where drop-in files go; "" is /run/systemd/system.
	DropInDir string
}

// A Class runs units. It is safe for concurrent use.
type Class struct {
	cfg Config
	mgr manager
}

// New returns the class; it connects when it is first used.
func New(cfg Config) *Class {
	if cfg.DropInDir == "" {
		cfg.DropInDir = "/run/systemd/system"
	}
	return &Class{cfg: cfg, mgr: &bus{}}
}

// suffixes are the kinds of units; those that can be resources are listed.
var suffixes = []string{
	".service", ".socket", ".mount", ".timer", ".path", ".device", ".automount", ".swap",
	".target", ".snapshot", ".slice", ".scope",
}

// listed is how many of suffixes [Class.List] shows.
const listed = 5

// UnitName is the unit that a resource type means: a service, unless the type
// names another kind.
func UnitName(typ string) string {
	if slices.Contains(suffixes, filepath.Ext(typ)) {
		return typ
	}
	return typ + ".service"
}

// Available tells whether systemd answers.
func (c *Class) Available(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	_, err := c.mgr.unit(ctx, "-.slice")
	return err == nil
}

// Run runs an action on a unit.
func (c *Class) Run(ctx context.Context, req agents.Request) agents.Result {
	if !agents.ValidName(req.Type) {
		return agents.Failed(agents.NotConfigured, agents.StatusInvalid, "not a unit's name: %q", req.Type)
	}
	began := c.cfg.Clock.Wall()
	timeout := req.Timeout
	if timeout <= 0 {
		timeout = 100 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	name := UnitName(req.Type)
	var r agents.Result
	switch req.Action {
	case "start", "restart", "reload":
		r = c.start(ctx, req.Action, name)
	case "stop":
		r = c.stop(ctx, name)
	case "monitor", "status":
		r = c.monitor(ctx, name)
	default:
		r = agents.Failed(agents.Unimplemented, agents.StatusDone, "units have no action %q", req.Action)
	}
	r.Started, r.Ended = began, c.cfg.Clock.Wall()
	switch {
	case !failed(r):
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		r.Exit, r.Status = agents.GenericError, agents.StatusTimeout
		r.Reason = "Systemd unit " + name + " did not complete " + req.Action + " within " + agents.Readable(timeout)
	case ctx.Err() != nil:
		r.Exit, r.Status = agents.GenericError, agents.StatusCancelled
	}
	return r
}

func failed(r agents.Result) bool { return r.Status == agents.StatusError }

func broken(err error) agents.Result {
	return agents.Failed(agents.GenericError, agents.StatusError, "%v", err)
}

// missing tells whether there is nothing to start.
func missing(u unit) bool { return u.load != "loaded" && u.load != "masked" }

func (c *Class) start(ctx context.Context, verb, name string) agents.Result {
	u, err := c.mgr.unit(ctx, name)
	if err != nil {
		return broken(err)
	}
	if missing(u) {
		return agents.Failed(agents.NotInstalled, agents.StatusNotInstalled, "systemd unit %s not found", name)
	}
	if err := c.hold(ctx, name); err != nil {
		c.cfg.Log.Warn("drop-in is not in force", "unit", name, "error", err)
	}
	result, err := c.mgr.job(ctx, verb, name)
	if err != nil {
		return broken(err)
	}
	if u, err = c.settled(ctx, name); err != nil {
		return broken(err)
	}
	if !up(u) {
		return agents.Failed(agents.GenericError, agents.StatusDone, "systemd unit %s is %s (%s) after its %s job: %s", name, u.active, u.sub, verb, result)
	}
	return agents.Result{}
}

func (c *Class) stop(ctx context.Context, name string) agents.Result {
	u, err := c.mgr.unit(ctx, name)
	if err != nil {
		return broken(err)
	}
	if missing(u) && !up(u) {
		c.release(ctx, name)
		return agents.Result{}
	}
	if leaving, err := c.mgr.busy(ctx, managerUnit); err == nil && leaving {
		// The manager is being stopped, and with the drop-in in force this would
		// wait for it, while it waits for this.
		c.release(ctx, name)()
	} else {
		// The reload may go on behind the answer: nothing waits for it.
		defer func() { c.release(ctx, name) }()
	}
	result, err := c.mgr.job(ctx, "stop", name)
	if err != nil {
		return broken(err)
	}
	if u, err = c.settled(ctx, name); err != nil {
		return broken(err)
	}
	if up(u) {
		return agents.Failed(agents.GenericError, agents.StatusDone, "systemd unit %s is %s (%s) after its stop job: %s", name, u.active, u.sub, result)
	}
	return agents.Result{}
}

func (c *Class) monitor(ctx context.Context, name string) agents.Result {
	u, err := c.settled(ctx, name)
	switch {
	case err != nil:
		return broken(err)
	case missing(u) && !up(u):
		return agents.Failed(agents.NotInstalled, agents.StatusNotInstalled, "systemd unit %s not found", name)
	case !up(u):
		return agents.Result{Exit: agents.NotRunning}
	}
	return agents.Result{}
}

func up(u unit) bool {
	return u.active == "active" || u.active == "reloading" || u.active == "refreshing"
}

// settled returns a unit's state once it is not on its way to another.
func (c *Class) settled(ctx context.Context, name string) (unit, error) {
	for wait := firstLook; ; wait = min(2*wait, lastLook) {
		u, err := c.mgr.unit(ctx, name)
		if err != nil || u.active != "activating" && u.active != "deactivating" {
			return u, err
		}
		t := c.cfg.Clock.NewTimer(wait)
		select {
		case <-t.C():
		case <-ctx.Done():
			t.Stop()
			return u, ctx.Err()
		}
	}
}

// Metadata makes a unit's metadata from its description.
func (c *Class) Metadata(ctx context.Context, _, typ string) (string, error) {
	if !agents.ValidName(typ) {
		return "", fmt.Errorf("%w: %q", ErrNotFound, typ)
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	name := typ
	if strings.HasSuffix(strings.TrimSuffix(name, ".service"), "@") {
		// A template has no properties; any instance of it has.
		name = strings.TrimSuffix(name, ".service") + "pacemaker"
	}
	name = UnitName(name)
	u, err := c.mgr.unit(ctx, name)
	if err != nil {
		return "", err
	}
	if missing(u) {
		return "", fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return metadata.Systemd(typ, u.description), nil
}

// List returns the units that can be resources; services without their suffix.
func (c *Class) List(ctx context.Context, _ string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	paths, err := c.mgr.files(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range paths {
		base := filepath.Base(p)
		if slices.Contains(suffixes[:listed], filepath.Ext(base)) {
			names = append(names, strings.TrimSuffix(base, ".service"))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

const (
	dropInName = "50-pacemaker.conf"
	// managerUnit is the unit that drop-ins put theirs before.
	managerUnit = "pacemaker.service"
)

// hold puts the drop-in of a service in force.
func (c *Class) hold(ctx context.Context, name string) error {
	if filepath.Ext(name) != ".service" {
		return nil
	}
	dir := filepath.Join(c.cfg.DropInDir, name+".d")
	path := filepath.Join(dir, dropInName)
	text := "[Unit]\nDescription=Cluster Controlled " + strings.TrimSuffix(name, ".service") +
		"\nBefore=" + managerUnit + " pacemaker_remote.service\n\n[Service]\nRestart=no\n"
	if old, err := os.ReadFile(path); err != nil || string(old) != text {
		if err := errors.Join(
			os.MkdirAll(dir, 0o755), os.WriteFile(path, []byte(text), 0o644),
			os.Chmod(dir, 0o755), os.Chmod(path, 0o644), // whatever the umask is
		); err != nil {
			return fmt.Errorf("systemd: %w", err)
		}
	}
	u, err := c.mgr.unit(ctx, name)
	if err == nil && !u.stale && slices.Contains(u.dropIns, path) {
		return nil // in force already: a reload costs more than the whole start
	}
	return c.mgr.reload(ctx)
}

// release takes the drop-in away; that it is in force until the next reload
// mostly does no harm. The function that it returns waits for that reload.
func (c *Class) release(ctx context.Context, name string) (wait func()) {
	dir := filepath.Join(c.cfg.DropInDir, name+".d")
	if err := os.Remove(filepath.Join(dir, dropInName)); err != nil {
		return func() {}
	}
	_ = os.Remove(dir) // only where nothing else is in it
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		if err := c.mgr.reload(ctx); err != nil {
			c.cfg.Log.Warn("systemd did not reload", "error", err)
		}
	}()
	return func() { <-done }
}
