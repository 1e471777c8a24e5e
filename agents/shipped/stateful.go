// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"context"
	"errors"
	"os"
	osexec "os/exec"
	"strings"

	"github.com/quorate/quorate/agents"
)

// Promotion scores of an instance by its role.
const (
	promotedScore   = "10"
	unpromotedScore = "5"
)

// A Stateful is a Dummy with roles.
func statefulActions() map[string]action {
	return map[string]action{
		"start": statefulStart, "stop": statefulStop, "monitor": statefulMonitor, "status": statefulMonitor,
		"promote": statefulPromote, "demote": statefulDemote, "notify": statefulNotify,
		"validate-all": statefulValidate, "reload-agent": dummyReload,
	}
}

func (c *Call) role() (state, role string, rc agents.ExitCode) {
	state, rc = c.dummyState()
	if rc != agents.OK {
		return "", "", rc
	}
	b, err := os.ReadFile(state)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return state, "", agents.NotRunning
	case err != nil:
		return state, "", c.fail(agents.GenericError, "state file: %v", err)
	}
	switch role = strings.TrimSpace(string(b)); role {
	case "promoted":
		return state, role, agents.RunningPromoted
	case "unpromoted":
		return state, role, agents.OK
	}
	return state, role, c.fail(agents.GenericError, "state file %s holds %q", state, role)
}

func (c *Call) setRole(ctx context.Context, state, role, score string) agents.ExitCode {
	if err := os.WriteFile(state, []byte(role+"\n"), 0o644); err != nil {
		return c.fail(agents.GenericError, "state file: %v", err)
	}
	c.promotionScore(ctx, score)
	return agents.OK
}

// promotionScore tells the cluster how much this instance wants to be promoted.
// An instance works without, so that a failure is only told.
func (c *Call) promotionScore(ctx context.Context, score string) {
	args := []string{"--promotion", "-l", "reboot", "-v", score}
	if score == "" {
		args = []string{"--promotion", "-l", "reboot", "-D"}
	}
	cmd := osexec.CommandContext(ctx, "crm_attribute", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.log("crm_attribute %s: %v: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
}

func statefulStart(ctx context.Context, c *Call) agents.ExitCode {
	state, _, rc := c.role()
	switch rc {
	case agents.OK:
		return agents.OK
	case agents.RunningPromoted:
		return c.fail(agents.GenericError, "started while promoted")
	case agents.NotRunning:
		c.dummySleep(ctx)
		return c.setRole(ctx, state, "unpromoted", unpromotedScore)
	}
	return rc
}

func statefulStop(ctx context.Context, c *Call) agents.ExitCode {
	c.promotionScore(ctx, "")
	return dummyStop(ctx, c)
}

func statefulMonitor(_ context.Context, c *Call) agents.ExitCode {
	_, _, rc := c.role()
	return rc
}

func statefulPromote(ctx context.Context, c *Call) agents.ExitCode {
	state, _, rc := c.role()
	if rc == agents.NotRunning {
		return c.fail(rc, "promoted while not running")
	}
	if rc != agents.OK && rc != agents.RunningPromoted {
		return rc
	}
	return c.setRole(ctx, state, "promoted", promotedScore)
}

func statefulDemote(ctx context.Context, c *Call) agents.ExitCode {
	state, _, rc := c.role()
	if rc == agents.NotRunning {
		return c.fail(rc, "demoted while not running")
	}
	if rc != agents.OK && rc != agents.RunningPromoted {
		return rc
	}
	return c.setRole(ctx, state, "unpromoted", unpromotedScore)
}

func statefulNotify(context.Context, *Call) agents.ExitCode { return agents.OK }

func statefulValidate(ctx context.Context, c *Call) agents.ExitCode { return dummyValidate(ctx, c) }
