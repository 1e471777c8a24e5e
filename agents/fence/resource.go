// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fence

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/agents"
)

// Run runs an action of a STONITH resource.
func (c *Class) Run(ctx context.Context, req agents.Request) agents.Result {
	switch {
	case req.Action == "stop":
		_ = os.Remove(c.note(req.Instance))
		return agents.Result{}
	case req.Probe():
		return c.started(req.Instance)
	case req.Action == "start":
		return c.start(ctx, req)
	case req.Action == "monitor":
		if r := c.started(req.Instance); r.Exit != agents.OK {
			return r
		}
		return c.ask(ctx, req)
	}
	return agents.Failed(agents.Unimplemented, agents.StatusDone, "STONITH resources have no action %q", req.Action)
}

// note is the file that tells that a resource was started here.
func (c *Class) note(instance string) string {
	// A resource's name may hold a slash in no schema, but it is input.
	return filepath.Join(c.cfg.State, strings.ReplaceAll(instance, "/", "_")+".started")
}

func (c *Class) started(instance string) agents.Result {
	if _, err := os.Stat(c.note(instance)); err != nil {
		return agents.Result{Exit: agents.NotRunning}
	}
	return agents.Result{}
}

func (c *Class) start(ctx context.Context, req agents.Request) agents.Result {
	r := c.ask(ctx, req)
	if r.Status != agents.StatusDone || r.Exit != agents.OK {
		return r
	}
	err := os.MkdirAll(c.cfg.State, 0o700)
	if err == nil {
		err = os.WriteFile(c.note(req.Instance), nil, 0o600)
	}
	if err != nil {
		return agents.Failed(agents.GenericError, agents.StatusError, "%v", err)
	}
	return r
}

// ask asks the device whether it answers, several times if need be.
func (c *Class) ask(ctx context.Context, req agents.Request) agents.Result {
	opts, _ := ParseOptions(req.Params)
	ck := c.clock()
	total := opts.Timeout("monitor", req.Timeout)
	if req.Timeout > 0 {
		total = min(total, req.Timeout)
	}
	began := ck.Now()
	left := total
	for tried := 1; ; tried++ {
		r := c.Call(ctx, Call{
			Agent: req.Type, Params: req.Params, Action: "monitor", Timeout: left, Started: req.Started, Env: req.Env,
		})
		left = total - (ck.Now() - began)
		if !MayRetry(tried, opts.Retries("monitor"), left, total, r) {
			return r
		}
		if total > 0 {
			left = max(left, time.Millisecond)
		}
	}
}
