// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/lrmd"
)

const dummyMetadata = `<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="Dummy"><version>1.1</version><parameters>
<parameter name="state" reloadable="0"><content type="string"/></parameter>
<parameter name="fake" reloadable="1"><content type="string"/></parameter>
</parameters><actions><action name="reload-agent" timeout="20s"/></actions></resource-agent>`

// simLRM is an executor whose resources are flags, and whose every action takes
// a while.
type simLRM struct {
	n         *simNode
	boot      string
	call      int
	active    map[string]bool
	busy      map[string]bool
	queue     map[string][]func(done func())
	results   map[string]lrmd.Result
	recurring map[string]lrmd.Op
	inFlight  map[string]lrmd.Op
	life      int // of the executor
	calls     map[string]int
}

func newSimLRM(n *simNode) *simLRM {
	return &simLRM{
		n: n, boot: fmt.Sprintf("%s.%d", n.name, n.gen), active: map[string]bool{}, busy: map[string]bool{},
		queue: map[string][]func(func()){}, results: map[string]lrmd.Result{}, recurring: map[string]lrmd.Op{},
		inFlight: map[string]lrmd.Op{}, calls: map[string]int{},
	}
}

func (l *simLRM) snapshot() lrmd.Snapshot {
	s := lrmd.Snapshot{Boot: l.boot}
	for _, k := range slices.Sorted(maps.Keys(l.results)) {
		s.Results = append(s.Results, l.results[k])
	}
	for _, k := range slices.Sorted(maps.Keys(l.recurring)) {
		s.Recurring = append(s.Recurring, l.recurring[k])
	}
	for _, k := range slices.Sorted(maps.Keys(l.inFlight)) {
		s.InFlight = append(s.InFlight, l.inFlight[k])
	}
	return s
}

func (l *simLRM) execute(op lrmd.Op) int {
	l.call++
	call := l.call
	key := history.OpKey(op.Resource, op.Action, op.Interval)
	l.inFlight[key] = op
	l.calls[key] = call
	l.enqueue(op.Resource, func(done func()) {
		l.run(op, call, func(lrmd.Result) {
			delete(l.inFlight, key)
			if op.Interval > 0 {
				l.recurring[key] = op
				l.repeat(op, call)
			}
			done()
		})
	})
	return call
}

func (l *simLRM) enqueue(rsc string, f func(done func())) {
	l.queue[rsc] = append(l.queue[rsc], f)
	l.pump(rsc)
}

func (l *simLRM) pump(rsc string) {
	if l.busy[rsc] || len(l.queue[rsc]) == 0 {
		return
	}
	f := l.queue[rsc][0]
	l.queue[rsc] = l.queue[rsc][1:]
	l.busy[rsc] = true
	f(func() { l.busy[rsc] = false; l.pump(rsc) })
}

// run carries one action out; its effect on the world begins at once and, for a
// stop, ends with it.
func (l *simLRM) run(op lrmd.Op, call int, then func(lrmd.Result)) {
	c, n, gen, life := l.n.c, l.n, l.n.gen, l.life
	started := c.now
	rc, forced := c.failures[op.Resource+" "+op.Action+" "+n.name]
	if op.Action == "start" && !forced {
		c.tracef("%s starts %s", n.name, op.Resource)
		c.check.start(op.Resource, n.name)
	}
	takes := 10*time.Millisecond + c.jitter(40*time.Millisecond)
	if d, slow := c.slow[op.Resource+" "+op.Action]; slow {
		takes = d
	}
	c.after(takes, func() {
		if n.gen != gen || l.life != life {
			return
		}
		if !forced {
			rc = l.act(op)
		}
		res := lrmd.Result{
			Op: op, CallID: call, ExitCode: lrmd.ExitCode(rc), Started: epoch.Add(started), Ended: epoch.Add(c.now),
			Ran: c.now - started,
		}
		key := history.OpKey(op.Resource, op.Action, op.Interval)
		was, had := l.results[key]
		l.results[key] = res
		if !had || op.Interval == 0 || was.ExitCode != res.ExitCode || was.CallID != res.CallID {
			n.later("lrm", 0, func(t Time) { n.core.LRMResult(t, res) })
		}
		then(res)
	})
}

func (l *simLRM) act(op lrmd.Op) int {
	switch op.Action {
	case "start":
		l.active[op.Resource] = true
		return 0
	case "stop":
		if l.active[op.Resource] {
			l.n.c.tracef("%s stopped %s", l.n.name, op.Resource)
		}
		delete(l.active, op.Resource)
		l.n.c.check.stop(op.Resource, l.n.name)
		return 0
	case "monitor":
		if !l.active[op.Resource] {
			return 7
		}
	}
	return 0
}

func (l *simLRM) repeat(op lrmd.Op, call int) {
	gen, life := l.n.gen, l.life
	key := history.OpKey(op.Resource, op.Action, op.Interval)
	l.n.c.after(op.Interval, func() {
		if l.n.gen != gen || l.life != life || l.recurring[key].UserData != op.UserData {
			return
		}
		l.enqueue(op.Resource, func(done func()) {
			if l.recurring[key].UserData != op.UserData {
				done()
				return
			}
			l.run(op, call, func(lrmd.Result) { done(); l.repeat(op, call) })
		})
	})
}

func (l *simLRM) cancel(rsc, action string, every time.Duration) bool {
	key := history.OpKey(rsc, action, every)
	_, known := l.recurring[key]
	delete(l.recurring, key)
	delete(l.results, key)
	return known
}

func (l *simLRM) forget(rsc string) {
	for k, r := range l.results {
		if r.Op.Resource == rsc {
			delete(l.results, k)
		}
	}
	for k, op := range l.recurring {
		if op.Resource == rsc {
			delete(l.recurring, k)
		}
	}
}

// restart kills the executor and starts it again: what was in flight is lost,
// whether it took effect or not; recurring operations go on.
func (l *simLRM) restart() {
	c := l.n.c
	c.tracef("executor of %s restarts, %d in flight", l.n.name, len(l.inFlight))
	l.life++
	l.boot = fmt.Sprintf("%s.%d.%d", l.n.name, l.n.gen, l.life)
	l.busy, l.queue = map[string]bool{}, map[string][]func(func()){}
	for _, key := range slices.Sorted(maps.Keys(l.inFlight)) {
		op := l.inFlight[key]
		if _, forced := c.failures[op.Resource+" "+op.Action+" "+l.n.name]; !forced && c.rng.IntN(2) == 0 {
			l.act(op)
		}
		if op.Interval == 0 {
			l.results[key] = lrmd.Result{
				Op: op, CallID: l.calls[key], ExitCode: 1, Status: lrmd.StatusError, Lost: true,
				Started: epoch.Add(c.now), Ended: epoch.Add(c.now),
			}
		} else {
			l.recurring[key] = op
		}
	}
	clear(l.inFlight)
	for _, key := range slices.Sorted(maps.Keys(l.recurring)) {
		l.repeat(l.recurring[key], l.calls[key])
	}
	snap := l.snapshot()
	l.n.later("lrm", 100*time.Millisecond, func(t Time) { l.n.core.LRMSnapshot(t, snap) })
}

// checker is the outside witness: it knows the truth about what is active and
// who is dead.
type checker struct {
	active    map[string]map[string]bool // resource → nodes
	violation string
	starts    int
}

func newChecker() checker { return checker{active: map[string]map[string]bool{}} }

func (k *checker) start(rsc, node string) {
	if rsc == "fence" {
		return // may run on the way to fence a node that had it
	}
	k.starts++
	m := k.active[rsc]
	if m == nil {
		m = map[string]bool{}
		k.active[rsc] = m
	}
	for other := range m {
		if other != node {
			k.violation = fmt.Sprintf("%s started on %s while active on %s", rsc, node, other)
		}
	}
	m[node] = true
}

func (k *checker) stop(rsc, node string) { delete(k.active[rsc], node) }
func (k *checker) fence(string)          {}

func (k *checker) died(node string) {
	for _, m := range k.active {
		delete(m, node)
	}
}

func (k *checker) where(rsc string) []string { return slices.Sorted(maps.Keys(k.active[rsc])) }
