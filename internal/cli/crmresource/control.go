// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmresource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/pengine/status"
)

// Waiting for the cluster.
const (
	cleanupTimeout = 60 * time.Second
	waitDefault    = time.Hour
	idlePoll       = 100 * time.Millisecond
	// idleFor is how long the cluster must have been idle: a change that was just
	// written takes a moment to reach the controller that acts on it.
	idleFor = 300 * time.Millisecond
)

// control runs f with the node's controller.
func (k *call) control(f func(crmd.Controller) error) error {
	if cibsource.File(k.io) != "" {
		return exit.Errorf(exit.UnimplementFeature, "crm_resource: this needs a running cluster, not CIB_file")
	}
	c, err := cibsource.Controller(k.io)
	if err == nil {
		defer func() { _ = c.Close() }()
		err = f(c)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ipc.ErrUnavailable):
		return &exit.ErrorCode{Code: exit.Disconnect, Err: err, Msg: "crm_resource: Could not connect to the controller: Connection refused"}
	case errors.Is(err, context.DeadlineExceeded):
		return &exit.ErrorCode{Code: exit.Timeout, Err: err, Msg: "Error performing operation: " + exit.Timeout.String()}
	}
	if _, coded := errors.AsType[*exit.ErrorCode](err); coded {
		return err
	}
	return &exit.ErrorCode{Code: cibsource.Code(err), Err: err, Msg: "Error performing operation: " + err.Error()}
}

// cleanup forgets failures (or, to refresh, the whole history).
func (k *call) cleanup() error {
	req := crmd.CleanupRequest{Node: k.o.node, Operation: k.o.operation, FailuresOnly: k.o.verb == "cleanup"}
	var err error
	if req.Interval, err = duration("--interval", k.o.interval); err != nil {
		return err
	}
	var names []string
	if k.r != nil {
		top := k.r
		if !k.o.force {
			top = k.r.Top(false)
		}
		req.Resource = top.ID
		names = k.cleaned(top)
	}
	err = k.control(func(c crmd.Controller) error {
		ctx, cancel := context.WithTimeout(k.ctx, cleanupTimeout)
		defer cancel()
		return c.Cleanup(ctx, req)
	})
	if err != nil || k.o.quiet {
		return err
	}
	if k.r == nil {
		where := "all nodes"
		if k.n != nil {
			where = k.n.Name
		}
		k.io.Printf("Cleaned up all resources on %s\n", where)
		return nil
	}
	for _, line := range names {
		k.io.Printf("%s\n", line)
	}
	return nil
}

// cleaned says what a cleanup of the resource touches.
func (k *call) cleaned(r *status.Resource) []string {
	var out []string
	for _, p := range parts(r) {
		for _, n := range k.c.Nodes {
			if k.n != nil && n != k.n || r.Variant == status.Clone && !slices.Contains(p.ActiveOn, n) {
				continue
			}
			out = append(out, fmt.Sprintf("Cleaned up %s on %s", p.ID, n.Name))
		}
	}
	return out
}

// fail reports a failure that did not happen.
func (k *call) fail() error {
	node := k.o.node
	if node == "" {
		n := k.r.CurrentNode()
		if n == nil {
			return exit.Errorf(exit.Unsatisfied, "crm_resource: Resource '%s' is not running", k.o.resource)
		}
		node = n.Name
	}
	return k.control(func(c crmd.Controller) error { return c.Fail(k.ctx, k.o.resource, node) })
}

// wait waits until the cluster has nothing left to do.
func (k *call) wait() error {
	limit, err := duration("--timeout", k.o.timeout)
	if err != nil {
		return err
	}
	if limit == 0 {
		limit = waitDefault
	}
	return k.control(func(c crmd.Controller) error {
		ctx, cancel := context.WithTimeout(k.ctx, limit)
		defer cancel()
		return k.awaitIdle(ctx, c, nil)
	})
}

// awaitIdle waits until the controllers are idle and what done asks of the
// resources holds. It looks after each change of the CIB.
func (k *call) awaitIdle(ctx context.Context, c crmd.Controller, done func() bool) error {
	changed := make(chan struct{}, 1)
	w, err := k.store.Watch(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	go func() {
		for {
			if _, err := w.Next(ctx); err != nil {
				return
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	var since time.Time // idle since then
	for {
		st, err := c.Status(ctx)
		if err != nil {
			return err
		}
		if err := k.load(); err != nil {
			return err
		}
		switch {
		case !k.settled(st) || done != nil && !done():
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= idleFor:
			return nil
		}
		tick := time.NewTimer(idlePoll)
		select {
		case <-ctx.Done():
			tick.Stop()
			return k.timedOut()
		case <-changed:
			tick.Stop()
		case <-tick.C:
		}
	}
}

// settled tells whether nothing is left to do: the DC is idle, as far as this
// node knows it, and no operation is under way.
func (k *call) settled(st crmd.Status) bool {
	return st.DC != "" && st.Idle && (st.State == "S_IDLE" || st.State == "S_NOT_DC") && len(k.pendingOps()) == 0
}

// pendingOps lists the operations that the status section shows under way.
func (k *call) pendingOps() []string {
	var out []string
	for op := range document.All(document.Section(k.root, "status"), "lrm_rsc_op") {
		if document.Get(op, "op-status") == "-1" {
			out = append(out, document.Get(op, "operation_key")+" on "+document.Get(op, "on_node"))
		}
	}
	return out
}

func (k *call) timedOut() error {
	lines := []string{"Pending actions:"}
	for _, op := range k.pendingOps() {
		lines = append(lines, "\t"+op)
	}
	return exit.Errorf(exit.Timeout, "%s\nError performing operation: %s", strings.Join(lines, "\n"), exit.Timeout)
}

// restart stops a resource by its target-role, waits, and gives it its former
// role back.
func (k *call) restart() error {
	top := k.r
	if k.r.Parent != nil && k.r.Parent.Variant == status.Clone {
		top = k.r.Top(false)
	}
	if !top.Active(false) {
		return exit.Errorf(exit.Error, "crm_resource: %s is not running anywhere and so cannot be restarted", k.o.resource)
	}
	limit, err := duration("--timeout", k.o.timeout)
	if err != nil {
		return err
	}
	if limit == 0 {
		limit = 5 * time.Minute
	}
	id := top.ID
	former := top.Meta["target-role"]
	return k.control(func(c crmd.Controller) error {
		ctx, cancel := context.WithTimeout(k.ctx, limit)
		defer cancel()
		stopped := func() bool { r := k.find(id); return r != nil && !r.Active(false) }
		started := func() bool { r := k.find(id); return r != nil && r.Active(false) }
		stop := k.setRole(top, "Stopped")
		if stop == nil {
			stop = k.awaitIdle(ctx, c, stopped)
		}
		// Whatever became of the stop, the resource gets its role back.
		if err := errors.Join(stop, k.giveRoleBack(id, former)); err != nil {
			return err
		}
		return k.awaitIdle(ctx, c, started)
	})
}

func (k *call) setRole(r *status.Resource, role string) error {
	k.o.meta, k.o.quiet, k.o.force = true, true, true
	k.o.arg, k.o.value = "target-role", role
	k.r = r
	return k.setParameter()
}

func (k *call) giveRoleBack(id, role string) error {
	if err := k.load(); err != nil {
		return err
	}
	r := k.find(id)
	if r == nil {
		return notFound("Resource '%s' not found", id)
	}
	if role != "" && !strings.EqualFold(role, "Stopped") {
		return k.setRole(r, role)
	}
	k.r = r
	for _, nv := range k.nvpairs(r, "target-role") {
		if err := k.write(cib.Request{Op: cib.OpDelete, XPath: document.Path(nv)}); err != nil {
			return err
		}
	}
	return nil
}
