// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package machine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// MaxActions bounds the actions of one graph.
const MaxActions = 1 << 20

// Output is what a step of the machine asks for, in this order: carry out Fire,
// note Timeouts, and when Done is set the run is over.
type Output struct {
	Fire     []*graph.Action
	Timeouts []*graph.Action
	Done     *transition.Done
}

type synState uint8

const (
	synWaiting synState = iota // not fired yet
	synFired                   // in flight
	synDone                    // all its actions are done
	synBlocked                 // one of its actions can never run
)

type synapse struct {
	src     *graph.Synapse
	order   int
	waiting int // inputs that are not done yet
	open    int // own actions that are not done yet
	state   synState
}

type action struct {
	src      *graph.Action
	syn      *synapse
	fired    bool
	done     bool
	failed   bool
	deadline time.Duration // 0 is none
}

// A Machine is one graph being carried out.
type Machine struct {
	opts       transition.Options
	delay      time.Duration // cluster-delay, added to each action's timeout
	synapses   []*synapse
	actions    map[int]*action
	dependents map[int][]*synapse // by input action
	ready      []*synapse         // all inputs done, not fired, in graph order
	load       load
	pending    int
	done       int
	fired      int // in all

	abortPriority int
	follow        transition.Completion
	why           string
	over          *transition.Done
}

// New prepares a graph. It fails where the graph contradicts itself: an id used
// twice, an input that no synapse has, too many actions.
func New(g *graph.Graph, opts transition.Options) (*Machine, error) {
	m := &Machine{
		opts: opts, delay: clusterDelay(g), actions: map[int]*action{},
		dependents: map[int][]*synapse{}, load: newLoad(opts),
	}
	for i, s := range g.Synapses {
		syn := &synapse{src: s, order: i, open: len(s.Actions)}
		m.synapses = append(m.synapses, syn)
		for _, a := range s.Actions {
			if _, twice := m.actions[a.ID]; twice {
				return nil, fmt.Errorf("%w: action %d stands twice in the graph", transition.ErrInvalid, a.ID)
			}
			if len(m.actions) >= MaxActions {
				return nil, fmt.Errorf("%w: graph of more than %d actions", transition.ErrInvalid, MaxActions)
			}
			m.actions[a.ID] = &action{src: a, syn: syn}
		}
	}
	for _, syn := range m.synapses {
		if err := m.link(syn); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Machine) link(syn *synapse) error {
	seen := map[int]bool{}
	for _, in := range syn.src.Inputs {
		if _, ok := m.actions[in.ActionID]; !ok {
			return fmt.Errorf("%w: synapse %d waits for action %d, which the graph does not have",
				transition.ErrInvalid, syn.src.ID, in.ActionID)
		}
		if seen[in.ActionID] {
			continue
		}
		seen[in.ActionID] = true
		syn.waiting++
		m.dependents[in.ActionID] = append(m.dependents[in.ActionID], syn)
	}
	if syn.waiting == 0 {
		m.ready = append(m.ready, syn)
	}
	return nil
}

// Start fires what has no inputs.
func (m *Machine) Start(now time.Duration) Output {
	var out Output
	m.advance(now, &out)
	return out
}

// Confirm notes the result of an action. An action that was never fired may be
// confirmed as failed: it can then never run (its node is gone). A second
// confirmation changes nothing. Unknown ids are refused.
func (m *Machine) Confirm(now time.Duration, c transition.Confirm) (Output, error) {
	var out Output
	a := m.actions[c.ActionID]
	if a == nil {
		return out, fmt.Errorf("%w: no action %d in this graph", transition.ErrInvalid, c.ActionID)
	}
	if a.done || m.over != nil {
		return out, nil
	}
	failed := c.Failed && !c.CanFail
	if !a.fired {
		if !c.Failed {
			return out, fmt.Errorf("%w: action %d was not fired", transition.ErrInvalid, c.ActionID)
		}
		m.block(a)
	} else {
		m.finish(a, failed)
	}
	if failed && !c.Quiet {
		m.raise(transition.Abort{
			Priority: min(a.syn.src.Priority+1, transition.Infinity),
			Follow:   transition.FollowRestart,
			Why:      a.src.OperationKey + " failed",
		})
	}
	m.advance(now, &out)
	return out, nil
}

// Abort ends the run early: only synapses of at least its priority fire from now
// on.
func (m *Machine) Abort(now time.Duration, a transition.Abort) Output {
	var out Output
	if m.over == nil {
		m.raise(a)
		m.advance(now, &out)
	}
	return out
}

// Tick notes that time has passed: actions that are past their deadline have
// failed, and the run is aborted.
func (m *Machine) Tick(now time.Duration) Output {
	var out Output
	if m.over != nil {
		return out
	}
	for _, syn := range m.synapses {
		if syn.state != synFired {
			continue
		}
		for _, src := range syn.src.Actions {
			a := m.actions[src.ID]
			if a.done || a.deadline == 0 || a.deadline > now {
				continue
			}
			out.Timeouts = append(out.Timeouts, src)
			m.finish(a, true)
			m.raise(transition.Abort{
				Priority: transition.Infinity, Follow: transition.FollowRestart,
				Why: "no result of " + src.OperationKey + " in time",
			})
		}
	}
	m.advance(now, &out)
	return out
}

// Deadline is when Tick is due next; ok is false where nothing has a timer.
func (m *Machine) Deadline() (at time.Duration, ok bool) {
	if m.over != nil {
		return 0, false
	}
	for _, syn := range m.synapses {
		if syn.state != synFired {
			continue
		}
		for _, src := range syn.src.Actions {
			a := m.actions[src.ID]
			if a.fired && !a.done && a.deadline != 0 && (!ok || a.deadline < at) {
				at, ok = a.deadline, true
			}
		}
	}
	return at, ok
}

// InFlight lists the actions that were fired and have no result yet, in the
// order of the graph.
func (m *Machine) InFlight() []*graph.Action {
	var list []*graph.Action
	for _, syn := range m.synapses {
		for _, src := range syn.src.Actions {
			if a := m.actions[src.ID]; a.fired && !a.done {
				list = append(list, src)
			}
		}
	}
	return list
}

// Over tells how the run ended, nil while it is under way.
func (m *Machine) Over() *transition.Done { return m.over }

func (m *Machine) raise(a transition.Abort) {
	if a.Priority > m.abortPriority {
		m.abortPriority = a.Priority
		m.why = a.Why
	}
	m.follow = max(m.follow, a.Follow)
}

// block marks an action that will never run, and its synapse with it.
func (m *Machine) block(a *action) {
	a.done, a.failed = true, true
	if a.syn.state == synWaiting {
		a.syn.state = synBlocked
		m.ready = slices.DeleteFunc(m.ready, func(s *synapse) bool { return s == a.syn })
	}
	m.release(a)
}

// finish notes the result of a fired action.
func (m *Machine) finish(a *action, failed bool) {
	a.done, a.failed, a.deadline = true, failed, 0
	m.load.remove(a.src)
	syn := a.syn
	syn.open--
	if syn.open == 0 && syn.state == synFired {
		syn.state = synDone
		m.done++
		m.pending--
	}
	m.release(a)
}

// release counts a finished action down in the synapses that wait for it. A
// failed action releases only those of infinite priority.
func (m *Machine) release(a *action) {
	for _, dep := range m.dependents[a.src.ID] {
		if a.failed && dep.src.Priority < transition.Infinity {
			continue
		}
		dep.waiting--
		if dep.waiting == 0 && dep.state == synWaiting {
			at, _ := slices.BinarySearchFunc(m.ready, dep.order, func(s *synapse, o int) int { return s.order - o })
			m.ready = slices.Insert(m.ready, at, dep)
		}
	}
}

// advance fires whatever may fire, until nothing more may, and ends the run
// when nothing is in flight.
func (m *Machine) advance(now time.Duration, out *Output) {
	if m.over != nil {
		return
	}
	for m.pass(now, out) {
	}
	if m.pending == 0 {
		m.finishRun()
		out.Done = m.over
	}
}

// pass walks the ready synapses once in graph order. It tells whether pseudo
// events were carried out, which may have made others ready.
func (m *Machine) pass(now time.Duration, out *Output) bool {
	again := false
	for _, syn := range slices.Clone(m.ready) {
		if m.opts.BatchLimit > 0 && m.pending >= m.opts.BatchLimit {
			return false
		}
		if !m.mayFire(syn) {
			continue
		}
		m.ready = slices.DeleteFunc(m.ready, func(s *synapse) bool { return s == syn })
		m.fire(now, syn, out)
		again = again || syn.state == synDone
	}
	return again
}

func (m *Machine) mayFire(syn *synapse) bool {
	for _, a := range syn.src.Actions {
		if a.Kind == graph.PseudoEvent {
			continue
		}
		if syn.src.Priority < m.abortPriority || !m.load.allows(a) {
			return false
		}
	}
	return true
}

func (m *Machine) fire(now time.Duration, syn *synapse, out *Output) {
	syn.state = synFired
	m.pending++
	m.fired++
	if len(syn.src.Actions) == 0 {
		syn.state = synDone
		m.pending--
		m.done++
		return
	}
	for _, src := range syn.src.Actions {
		a := m.actions[src.ID]
		if a.done {
			continue
		}
		a.fired = true
		m.load.add(src)
		if src.Kind == graph.PseudoEvent {
			m.finish(a, false)
			continue
		}
		out.Fire = append(out.Fire, src)
		if isTrue(src.Attr("CRM_meta_op_no_wait")) {
			m.finish(a, false)
			continue
		}
		if wait, timed := m.timeout(src); timed {
			a.deadline = now + wait
		}
	}
}

// timeout is how long the result of an action is awaited. Fencing has none: who
// carries it out bounds it.
func (m *Machine) timeout(a *graph.Action) (time.Duration, bool) {
	if a.Kind == graph.CrmEvent && a.Operation == "stonith" {
		return 0, false
	}
	wait := millis(a.Attr("CRM_meta_timeout")) + millis(a.Attr("CRM_meta_start_delay"))
	return wait + m.delay, true
}

func (m *Machine) finishRun() {
	d := &transition.Done{
		Completed: m.done, Pending: m.pending, Follow: m.follow, Why: m.why,
		Aborted: m.abortPriority > 0,
	}
	for _, syn := range m.synapses {
		switch syn.state {
		case synBlocked:
			d.Skipped++
		case synWaiting:
			d.Incomplete++
			if syn.waiting == 0 {
				d.Skipped++
			}
		}
	}
	switch {
	case d.Incomplete > 0 && !d.Aborted:
		d.Status = "Terminated"
	case d.Skipped > 0:
		d.Status = "Stopped"
	default:
		d.Status = "Complete"
	}
	d.Complete = d.Completed == len(m.synapses)
	m.over = d
}

// defaultClusterDelay is awaited over an action's own timeout where the graph
// does not say.
const defaultClusterDelay = 60 * time.Second

func clusterDelay(g *graph.Graph) time.Duration {
	v := strings.TrimSpace(g.Attr("cluster-delay"))
	unit := time.Second
	for _, u := range []struct {
		suffix string
		unit   time.Duration
	}{{"ms", time.Millisecond}, {"msec", time.Millisecond}, {"s", time.Second}, {"sec", time.Second}, {"min", time.Minute}, {"m", time.Minute}, {"h", time.Hour}} {
		if n, ok := strings.CutSuffix(v, u.suffix); ok {
			v, unit = n, u.unit
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32)
	if err != nil || n < 0 {
		return defaultClusterDelay
	}
	return time.Duration(n) * unit
}

func millis(v string) time.Duration {
	n, err := strconv.ParseInt(v, 10, 40)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

func isTrue(v string) bool {
	switch strings.ToLower(v) {
	case "true", "on", "yes", "y", "1":
		return true
	}
	return false
}
