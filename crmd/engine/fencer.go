// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/fence"
	"github.com/quorate/quorate/crmd/fencing"
	"github.com/quorate/quorate/internal/clock"
)

// AgentFencer runs fence agents of this machine.
type AgentFencer struct {
	Class *fence.Class
	Clock clock.Clock
}

// retryPause is waited between two tries of a fence action.
const retryPause = time.Second

// Fence implements [Fencer]: it finds out whether the device can fence the
// target, where its configuration does not say, and tries the action as often as
// configured within its time.
func (f *AgentFencer) Fence(ctx context.Context, d fencing.Device, action, target string, timeout time.Duration) error {
	opts, err := fence.ParseOptions(d.Params)
	if err != nil {
		return fmt.Errorf("device %s: %w", d.ID, err)
	}
	info, err := f.Class.Info(ctx, d.Agent)
	if err != nil {
		return fmt.Errorf("device %s: %w", d.ID, err)
	}
	call := fence.Call{Agent: d.Agent, Params: d.Params, Target: target, Timeout: timeout}
	if err := f.check(ctx, d, opts, info, call); err != nil {
		return err
	}
	call.Action = opts.Remap(action, info)
	began := f.Clock.Now()
	tries := opts.Retries(action)
	var res agents.Result
	for tried := 1; ; tried++ {
		left := timeout - (f.Clock.Now() - began)
		call.Timeout = left
		res = f.Class.Call(ctx, call)
		if res.Status == agents.StatusDone && res.Exit == agents.OK {
			return nil
		}
		if !fence.MayRetry(tried, tries, timeout-(f.Clock.Now()-began), timeout, res) || !f.sleep(ctx) {
			return fmt.Errorf("device %s: %s of %s: %s", d.ID, action, target, words(res))
		}
	}
}

func (f *AgentFencer) sleep(ctx context.Context) bool {
	t := f.Clock.NewTimer(retryPause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C():
		return true
	}
}

// check refuses a target that the device cannot fence.
func (f *AgentFencer) check(ctx context.Context, d fencing.Device, o fence.Options, i fence.Info, call fence.Call) error {
	cannot := fmt.Errorf("device %s cannot fence %s", d.ID, call.Target)
	switch o.Check(i) {
	case fence.StaticList:
		if !o.InStatic(call.Target) {
			return cannot
		}
	case fence.DynamicList:
		listed, res := f.Class.Hosts(ctx, call)
		if res.Status != agents.StatusDone || res.Exit != agents.OK {
			return fmt.Errorf("device %s: list: %s", d.ID, words(res))
		}
		if !o.InDynamic(call.Target, listed) {
			return cannot
		}
	case fence.StatusCheck:
		call.Action = "status"
		if res := f.Class.Call(ctx, call); !fence.Answers(res) {
			return fmt.Errorf("%w: %s", cannot, words(res))
		}
	case fence.NoCheck:
	}
	return nil
}

func words(r agents.Result) string {
	if r.Reason != "" {
		return r.Reason
	}
	return fmt.Sprintf("exit code %d", int(r.Exit))
}
