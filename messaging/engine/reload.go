// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/reload"
)

// Times of a reload.
const (
	// readPatience bounds the reading of one node's own file: names of the
	// nodelist may have to be resolved.
	readPatience = 8 * time.Second
	// roundPatience bounds the wait for the votes of all nodes.
	roundPatience = 2 * readPatience
	// Overlap is how long the old key and the old addresses are still accepted
	// after a change, and new ones after an attempt that failed: nodes that part
	// from the others right at the change find back within it.
	Overlap = 10 * time.Second
)

// maxReloadText bounds what a Prepare says about a file, in bytes; a longer one
// is compared by its digest alone.
const maxReloadText = cpg.MaxExtra - 16<<10

// A reloading is the engine's part of reloads.
type reloading struct {
	core    *reload.Core
	draft   *Draft // staged
	answer  chan reloadAnswer
	overlap clock.Timer
	looked  time.Duration // when the file was read for a key that others use
	apply   chan struct{} // has room for one: Apply calls, one at a time
}

type reloadAnswer struct {
	report messaging.ReloadReport
	err    error
}

// Reload makes all nodes change to what their files say now, or none.
func (b *Bus) Reload(ctx context.Context) (messaging.ReloadReport, error) {
	answer := make(chan reloadAnswer, 1)
	var failed error
	err := b.e.call(ctx, func() {
		switch {
		case b.e.cfg.Read == nil:
			failed = fmt.Errorf("%w: this daemon cannot reload", messaging.ErrInvalid)
		case b.e.reload.answer != nil:
			failed = reload.ErrBusy
		default:
			b.e.reload.answer = answer
			b.e.announce("notice", "CFG", "Config reload requested by node %d", b.e.cfg.Self)
			b.e.actReload(b.e.reload.core.Ask())
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return messaging.ReloadReport{}, err
	}
	select {
	case a := <-answer:
		return a.report, a.err
	case <-ctx.Done():
		return messaging.ReloadReport{}, ctx.Err()
	case <-b.e.done:
		return messaging.ReloadReport{}, messaging.ErrClosed
	}
}

// actReload carries out actions of the reload's core.
func (e *Engine) actReload(as []reload.Action) {
	for _, a := range as {
		switch a := a.(type) {
		case *reload.Read:
			e.showReload(true, nil)
			e.read(func(d *Draft, err error) { e.vote(a, d, err) })
		case *reload.Behind:
			e.cfg.Log.Warn("another configuration runs on the other nodes: the file is read again", "node", uint32(a.Node), "digest", fmt.Sprintf("%x", a.Stamp.Digest))
			e.read(func(d *Draft, err error) { e.follow(a, d, err) })
		case *reload.Submit:
			e.order(operation{Op: opReload, Reload: &a.Message})
		case *reload.Commit:
			e.commit(a.Number)
		case *reload.Drop:
			e.dropDraft(a.Reasons)
		case *reload.Answer:
			if e.reload.answer != nil {
				e.reload.answer <- reloadAnswer{err: a.Err}
				e.reload.answer = nil
			}
		case *reload.Patience:
			e.cfg.Clock.AfterFunc(roundPatience, func() {
				e.post(func() { e.actReload(e.reload.core.Expired(a.Round)) })
			})
		case *reload.Differs:
			e.cfg.Log.Error("this node runs another configuration than the others: make the files equal and reload", "node", uint32(a.Node))
			e.announce("error", "CFG", "The configuration of this node differs from that of node %d", a.Node)
		}
	}
}

// order multicasts an operation that nobody waits for.
func (e *Engine) order(op operation) {
	body, err := encodeMsgpack(&op)
	if err != nil {
		e.fail(err)
		return
	}
	e.waiting = append(e.waiting, submission{body: e.groups.ServiceMessage(body)})
}

// read reads the file aside and hands it to then in the engine's turn.
func (e *Engine) read(then func(*Draft, error)) {
	if e.cfg.Read == nil {
		then(nil, fmt.Errorf("%w: this daemon cannot reload", messaging.ErrInvalid))
		return
	}
	e.wg.Go(func() {
		ctx, cancel := context.WithTimeout(e.ended(), readPatience)
		defer cancel()
		d, err := e.cfg.Read(ctx)
		e.post(func() { then(d, err) })
	})
}

// result judges a draft and stages it where it can run.
func (e *Engine) result(d *Draft, err error) reload.Result {
	if err != nil {
		return reload.Result{Faults: faults(err)}
	}
	res := reload.Result{Digest: d.Digest, Faults: e.check(d)}
	if len(d.Text) <= maxReloadText {
		res.Text = d.Text
	}
	if len(res.Faults) == 0 {
		if err := e.stage(d); err != nil {
			res.Faults = faults(err)
		} else {
			e.reload.draft = d
			e.endOverlap()
		}
	}
	return res
}

// vote answers a round with what was read.
func (e *Engine) vote(a *reload.Read, d *Draft, err error) {
	if !e.reload.core.Wants(a.Round) {
		return
	}
	res := e.result(d, err)
	if err == nil && len(a.Digest) > 0 && len(a.Theirs) > 0 && string(a.Digest) != string(d.Digest[:]) {
		res.Faults = append(res.Faults, d.Compare(a.Round.Origin, a.Theirs)...)
	}
	e.actReload(e.reload.core.Read(a.Round, res))
}

// follow catches up with the other nodes.
func (e *Engine) follow(a *reload.Behind, d *Draft, err error) {
	if e.reload.core.Catching(*a) {
		e.actReload(e.reload.core.Follow(*a, e.result(d, err)))
	}
}

// keyEvery is the least time between two looks at the file for a key that others
// use: anybody can send packets that seem to have another key.
const keyEvery = 5 * time.Second

// missedKey looks whether the others have changed the key while this node was
// away for longer than the old one was accepted. A node that is alone loses
// nothing by taking the key that its own file has by now; one that is in a ring
// keeps the ring's.
func (e *Engine) missedKey(id uint64) {
	now := e.cfg.Clock.Now()
	if e.cfg.Read == nil || len(e.ringSet) > 1 || e.reload.core.Open() || e.reload.looked != 0 && now-e.reload.looked < keyEvery {
		return
	}
	e.reload.looked = now
	e.read(func(d *Draft, err error) {
		if err != nil || d.Config.Key.ID() != id || len(e.ringSet) > 1 || e.reload.core.Open() {
			return
		}
		e.cfg.Log.Warn("the other nodes have changed the key: the key that the file has now is used")
		e.guard.Stage(d.Config.Key)
		if err := e.guard.Switch(d.Config.Key); err != nil {
			e.cfg.Log.Error("key not changed", "error", err)
			return
		}
		e.startOverlap()
	})
}

// commit lets the staged draft run.
func (e *Engine) commit(number uint64) {
	d := e.reload.draft
	e.reload.draft = nil
	if d == nil {
		e.fail(fmt.Errorf("engine: configuration %d was agreed on and is not here", number))
		return
	}
	if err := e.apply(d); err != nil {
		e.fail(fmt.Errorf("engine: configuration %d was agreed on and does not run: %w", number, err))
		return
	}
	if err := d.Publish(); err != nil {
		e.cfg.Log.Error("map not renewed", "error", err)
	}
	e.publish()
	e.cfg.Log.Info("configuration reloaded", "number", number, "digest", d.Digest.String(), "changed", d.Report.Changed, "kept", d.Report.Kept)
	for _, k := range d.Report.Kept {
		key, _, _ := strings.Cut(k, ":")
		e.announce("notice", "CFG", "Modified entry '%s' in corosync.conf cannot be changed at run-time", key)
	}
	e.showReload(false, nil)
	e.startOverlap()
	if e.reload.answer != nil {
		e.reload.answer <- reloadAnswer{report: d.Report}
		e.reload.answer = nil
	}
	if d.Apply != nil {
		e.wg.Go(func() {
			e.reload.apply <- struct{}{}
			defer func() { <-e.reload.apply }()
			d.Apply()
		})
	}
}

// dropDraft forgets what was staged. What nodes send that run it is still
// accepted for a while, since one may have parted from here with the decision.
func (e *Engine) dropDraft(reasons []string) {
	e.reload.draft = nil
	if len(reasons) > 0 {
		e.cfg.Log.Error("reload refused: the old configuration stays on all nodes", "reasons", reasons)
		for _, r := range reasons {
			e.announce("error", "CFG", "Configuration reload failed: %s", r)
		}
	}
	e.showReload(false, reasons)
	e.startOverlap()
}

func (e *Engine) startOverlap() {
	e.endOverlap()
	e.reload.overlap = e.cfg.Clock.AfterFunc(Overlap, func() {
		e.post(func() {
			if e.reload.draft == nil {
				e.retire()
			}
		})
	})
}

func (e *Engine) endOverlap() {
	if e.reload.overlap != nil {
		e.reload.overlap.Stop()
		e.reload.overlap = nil
	}
}

// The values of config.reload_status, with corosync's numbers.
const (
	statusOK    = "1"
	statusError = "2"
)

// showReload keeps the keys of the map that tell of a reload.
func (e *Engine) showReload(running bool, reasons []string) {
	on := uint64(0)
	if running {
		on = 1
	}
	e.setCmapUint("config.reload_in_progress", 8, on)
	e.setCmapUint("config.totemconfig_reload_in_progress", 8, on)
	if running {
		return
	}
	status := statusOK
	if len(reasons) > 0 {
		status = statusError
	}
	e.setCmap(messaging.CmapEntry{Key: "config.reload_status", Type: "i32", Value: status})
	const message = "config.reload_error_message" // corosync-cfgtool takes its presence for a failure
	if len(reasons) == 0 {
		e.cfg.Cmap.Delete(message)
	} else {
		e.setCmapStr(message, strings.Join(reasons, "; "))
	}
}
