// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package journal

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/queue"
)

// A record is one line of the file; which of its fields are there says what it
// means.
type record struct {
	Boot      string          `json:"boot,omitempty"`
	Kernel    string          `json:"kernel,omitempty"`
	LastCall  int             `json:"last_call,omitempty"`
	Accepted  *lrmd.Op        `json:"accepted,omitempty"`
	Call      int             `json:"call,omitempty"`
	Result    *lrmd.Result    `json:"result,omitempty"`
	Dropped   bool            `json:"dropped,omitempty"`
	Forgotten string          `json:"forgotten,omitempty"`
	Run       queue.Run       `json:"run,omitempty"`
	Process   *agents.Process `json:"process,omitempty"`
	Ended     bool            `json:"ended,omitempty"`
}

type replay struct {
	boot     string
	kernel   string
	lastCall int
	pending  map[int]lrmd.Op
	results  map[queue.Key]lrmd.Result
	running  map[queue.Run][]agents.Process
}

func newReplay() *replay {
	return &replay{pending: map[int]lrmd.Op{}, results: map[queue.Key]lrmd.Result{}, running: map[queue.Run][]agents.Process{}}
}

func (r *replay) apply(rec record) {
	if rec.Boot != "" {
		r.boot, r.kernel = rec.Boot, rec.Kernel
	}
	r.lastCall = max(r.lastCall, rec.LastCall, rec.Call)
	switch {
	case rec.Accepted != nil:
		r.pending[rec.Call] = *rec.Accepted
	case rec.Result != nil:
		r.results[queue.KeyOf(rec.Result.Op)] = *rec.Result
		if rec.Result.Op.Interval == 0 {
			delete(r.pending, rec.Call)
		}
	case rec.Dropped:
		r.drop(rec.Call)
	case rec.Forgotten != "":
		for k := range r.results {
			if k.Resource == rec.Forgotten {
				delete(r.results, k)
			}
		}
	case rec.Process != nil:
		r.running[rec.Run] = append(r.running[rec.Run], *rec.Process)
	case rec.Ended:
		delete(r.running, rec.Run)
	}
}

func (r *replay) drop(call int) {
	op, ok := r.pending[call]
	if !ok {
		return
	}
	delete(r.pending, call)
	if k := queue.KeyOf(op); op.Interval > 0 && r.results[k].CallID == call {
		delete(r.results, k)
	}
}

func (r *replay) state() State {
	s := State{Boot: r.boot, Kernel: r.kernel}
	s.LastCall = r.lastCall
	for _, res := range r.results {
		s.Results = append(s.Results, res)
	}
	slices.SortFunc(s.Results, func(a, b lrmd.Result) int { return cmp.Compare(a.CallID, b.CallID) })
	for call, op := range r.pending {
		p := queue.Pending{CallID: call, Op: op}
		if op.Interval > 0 {
			s.Recurring = append(s.Recurring, p)
		} else {
			s.Once = append(s.Once, p)
		}
	}
	for _, list := range [][]queue.Pending{s.Recurring, s.Once} {
		slices.SortFunc(list, func(a, b queue.Pending) int { return cmp.Compare(a.CallID, b.CallID) })
	}
	for _, ps := range r.running {
		s.Running = append(s.Running, ps...)
	}
	slices.SortFunc(s.Running, func(a, b agents.Process) int { return cmp.Compare(a.PID, b.PID) })
	return s
}

// records are the lines that say s. The processes of runs are not among them:
// what still runs when a file is written anew is noted again by its owner.
func (s State) records() []record {
	recs := []record{{Boot: s.Boot, Kernel: s.Kernel, LastCall: s.LastCall}}
	for _, list := range [][]queue.Pending{s.Recurring, s.Once} {
		for _, p := range list {
			op := p.Op
			recs = append(recs, record{Accepted: &op, Call: p.CallID})
		}
	}
	for _, res := range s.Results {
		recs = append(recs, record{Result: &res, Call: res.CallID})
	}
	return recs
}
