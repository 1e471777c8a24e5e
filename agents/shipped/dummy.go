// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/quorate/quorate/agents"
)

// A Dummy does nothing but remember in a file that it was started.
func dummyActions() map[string]action {
	return map[string]action{
		"start": dummyStart, "stop": dummyStop, "monitor": dummyMonitor, "status": dummyMonitor,
		"validate-all": dummyValidate, "reload": dummyStart, "reload-agent": dummyReload,
		"migrate_to": dummyStop, "migrate_from": dummyStart, "force-reload": dummyStart,
	}
}

func (c *Call) dummyState() (string, agents.ExitCode) {
	if s := c.param("state", ""); s != "" {
		return s, agents.OK
	}
	s, err := c.stateFile("state")
	if err != nil {
		return "", c.fail(agents.InsufficientPriv, "state file: %v", err)
	}
	return s, agents.OK
}

// dummySleep waits as long as the parameter op_sleep says.
func (c *Call) dummySleep(ctx context.Context) {
	d, ok := c.seconds("op_sleep", 0)
	if !ok || d == 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func dummyStart(ctx context.Context, c *Call) agents.ExitCode {
	state, rc := c.dummyState()
	if rc != agents.OK {
		return rc
	}
	host, _ := os.Hostname()
	if c.action == "start" && c.param("fail_start_on", "") == host && host != "" {
		return c.fail(agents.GenericError, "start fails on %s as it was told to", host)
	}
	c.dummySleep(ctx)
	if err := os.WriteFile(state, nil, 0o644); err != nil {
		return c.fail(agents.GenericError, "state file: %v", err)
	}
	return agents.OK
}

func dummyStop(ctx context.Context, c *Call) agents.ExitCode {
	state, rc := c.dummyState()
	if rc != agents.OK {
		return rc
	}
	c.dummySleep(ctx)
	if err := os.Remove(state); err != nil && !os.IsNotExist(err) {
		return c.fail(agents.GenericError, "state file: %v", err)
	}
	return agents.OK
}

func dummyMonitor(ctx context.Context, c *Call) agents.ExitCode {
	state, rc := c.dummyState()
	if rc != agents.OK {
		return rc
	}
	c.dummySleep(ctx)
	if _, err := os.Stat(state); err == nil {
		return agents.OK
	}
	if !c.probe() && c.action == "monitor" {
		c.reason("No process state file found")
	}
	return agents.NotRunning
}

func dummyReload(context.Context, *Call) agents.ExitCode { return agents.OK }

func dummyValidate(_ context.Context, c *Call) agents.ExitCode {
	if _, ok := c.seconds("op_sleep", 0); !ok {
		return c.fail(agents.InvalidParam, "op_sleep: %q is not a time", c.param("op_sleep", ""))
	}
	_, rc := c.dummyState()
	return rc
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
