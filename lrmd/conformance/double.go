// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conformance

import (
	"context"
	"fmt"
	"sync"

	"github.com/quorate/quorate/agents"
)

// A Double is a class of agents that a test plays: each run is handed to the
// test, which answers it.
type Double struct {
	Runs chan *Run
	mu   sync.Mutex
	auto map[string]agents.Result // by action; guarded by mu
}

// A Run is a request that awaits its answer.
type Run struct {
	Req    agents.Request
	answer chan agents.Result
}

// NewDouble returns a class without automatic answers.
func NewDouble() *Double {
	return &Double{Runs: make(chan *Run, 64), auto: map[string]agents.Result{}}
}

// Answer answers all further runs of an action at once.
func (d *Double) Answer(action string, r agents.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.auto[action] = r
}

// End ends the run.
func (r *Run) End(res agents.Result) { r.answer <- res }

// Run implements the runner's class.
func (d *Double) Run(ctx context.Context, req agents.Request) agents.Result {
	d.mu.Lock()
	res, ok := d.auto[req.Action]
	d.mu.Unlock()
	if ok {
		return res
	}
	r := &Run{Req: req, answer: make(chan agents.Result, 1)}
	d.Runs <- r
	select {
	case res := <-r.answer:
		return res
	case <-ctx.Done():
		return agents.Result{Exit: agents.GenericError, Status: agents.StatusCancelled}
	}
}

// Metadata implements the runner's class; there is one agent, called T.
func (d *Double) Metadata(_ context.Context, _, typ string) (string, error) {
	if typ != "T" {
		return "", fmt.Errorf("double: no agent %q", typ)
	}
	return "<resource-agent name=\"T\"/>", nil
}

// List implements the runner's class.
func (d *Double) List(context.Context, string) ([]string, error) { return []string{"T", "U"}, nil }

// Providers implements the runner's class.
func (d *Double) Providers(context.Context, string) ([]string, error) {
	return []string{"heartbeat", "quorate"}, nil
}
