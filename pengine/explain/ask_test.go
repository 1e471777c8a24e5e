// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/iso8601"
	"github.com/quorate/quorate/pengine/explain"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/pengine/status"
)

func (y *tally) String() string {
	return fmt.Sprintf("%5d questions: %5.1f %% with a cause, %5.1f %% with a change, %5.1f %% with a single one, %5.1f %% with one that undoes a cause; %5d changes, %5.1f %% hold; %5.1f %% of %d answers hold",
		y.questions, percent(y.causes, y.questions), percent(y.changes, y.questions), percent(y.single, y.questions), percent(y.direct, y.questions),
		y.offered, percent(y.hold, y.offered), percent(y.answersHold, y.answers), y.answers)
}

// input is a case's state and time.
func (c *corpusCase) input(t *testing.T) sched.Input {
	text, err := os.ReadFile(filepath.Join(corpusDir, "xml", c.Name+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := document.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	in := sched.Input{CIB: root, Now: executionDate(root), Sanitized: true, TransitionID: 1}
	for i := 0; i+1 < len(c.Args); i += 2 {
		if c.Args[i] == "-t" {
			if in.Now, err = iso8601.ParseTime(c.Args[i+1], time.UTC, in.Now); err != nil {
				t.Fatal(err)
			}
		}
	}
	return in
}

// A question is what a user asks, and of what kind it is.
type question struct {
	explain.Question
	kind string
}

// maxNotHere bounds the nodes per resource about which is asked why it is not
// there.
const maxNotHere = 2

// questions lists what users would ask about a state.
func questions(t *testing.T, in sched.Input) []question {
	r, err := sched.Schedule(in)
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]sched.Change{}
	for _, c := range r.Changes {
		changed[c.Resource] = c
	}
	var out []question
	seen := map[question]bool{}
	add := func(rsc, node, kind string) {
		q := question{explain.Question{Resource: rsc, Node: node}, kind}
		if !seen[q] {
			seen[q] = true
			out = append(out, q)
		}
	}
	var walk func(*status.Resource)
	walk = func(x *status.Resource) {
		for _, k := range x.Children {
			walk(k)
		}
		if len(x.Children) > 0 {
			return
		}
		name := x.ID
		if x.Top(false).IsAnonymousClone() {
			name = status.StripInstance(x.ID)
		}
		c, touched := changed[x.ID]
		switch {
		case touched:
			add(x.ID, "", c.Verb)
		case len(x.ActiveOn) == 0 && x.Is(status.Removed): // nobody misses it
		case len(x.ActiveOn) == 0:
			add(name, "", "not started")
		default:
			add(name, x.ActiveOn[0].Name, "why here")
		}
		asked := 0
		for _, n := range r.Cluster.Nodes {
			if asked < maxNotHere && !n.IsGuest() && len(x.ActiveOn) > 0 && x.ActiveOn[0] != n && c.To != n.Name {
				asked++
				add(name, n.Name, "why not there")
			}
		}
	}
	for _, x := range r.Cluster.Resources {
		walk(x)
	}
	return out
}

// ask puts a question and checks the answer.
func ask(t *testing.T, name string, e *explain.Explainer, in sched.Input, q question, tallies ...*tally) {
	before := document.Compact(in.CIB)
	a, err := e.Ask(q.Question)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if string(before) != string(document.Compact(in.CIB)) {
		t.Fatalf("%s: the question changed the input", name)
	}
	holds, direct, single := 0, 0, 0
	for _, c := range a.Changes {
		why := replay(t, in, c)
		if why == "" {
			holds++
		} else if testing.Verbose() {
			t.Logf("%s: %s@%s: %s: %s: %s", name, q.Resource, q.Node, c.Edits, c.Effect, why)
		}
		direct += one(c.Single() && !c.Override)
		single += one(c.Single())
	}
	if os.Getenv("EXPLAIN_SHOW") != "" && (len(a.Changes) == 0 || len(a.Causes) == 0 || os.Getenv("EXPLAIN_SHOW") == "all") {
		t.Logf("%s: %s: %s@%s (%d trials)\n%s", name, q.kind, q.Resource, q.Node, a.Trials, a.Text())
	}
	for _, y := range tallies {
		y.questions++
		y.causes += one(len(a.Causes) > 0)
		y.changes += one(len(a.Changes) > 0)
		y.single += one(single > 0)
		y.direct += one(direct > 0)
		y.offered += len(a.Changes)
		y.hold += holds
		if len(a.Causes) > 0 && len(a.Changes) > 0 {
			y.answers++
			y.answersHold += one(holds == len(a.Changes))
		}
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// replay makes a change in the text of a CIB, carries the transition out on paper
// and says what differs from what the change was said to alter; "" for nothing.
func replay(t *testing.T, in sched.Input, c explain.Change) string {
	root := document.Clone(in.CIB)
	if !c.Apply(root) {
		return "the edit changes nothing"
	}
	root, err := document.Parse(document.Format(root))
	if err != nil {
		t.Fatal(err)
	}
	o := simulate.Options{Now: in.Now, Date: "as asked", Simulate: true, Quiet: true, Scores: true, Sanitized: in.Sanitized}
	rep, err := simulate.Simulate(root, o)
	if err != nil {
		return err.Error()
	}
	if !rep.Complete { // a cluster would decide again
		if _, err = simulate.Simulate(rep.Output, o); err != nil {
			return err.Error()
		}
	}
	after, err := status.Unpack(rep.Output, status.Settings{Now: in.Now, Sanitized: in.Sanitized})
	if err != nil {
		return err.Error()
	}
	e := c.Effect
	active, promoted := where(after, e.Resource)
	switch here := slices.Contains(active, e.Node); e.Kind {
	case explain.EffectRuns:
		if !here {
			return fmt.Sprintf("it runs on %v", active)
		}
	case explain.EffectLeaves:
		if here || e.To != "" && !slices.Contains(active, e.To) {
			return fmt.Sprintf("it runs on %v", active)
		}
	case explain.EffectUndisturbed:
		if !here {
			return fmt.Sprintf("it runs on %v", active)
		}
		return disturbs(rep.Result, e)
	case explain.EffectPromoted, explain.EffectNotPromoted:
		if slices.Contains(promoted, e.Node) != (e.Kind == explain.EffectPromoted) {
			return fmt.Sprintf("it is promoted on %v", promoted)
		}
	case explain.EffectManaged:
		if unmanaged(after, e.Resource) {
			return "it is still unmanaged"
		}
	case explain.EffectAllowed:
		for _, l := range slices.Backward(rep.Result.Scores) {
			if l.Kind == sched.LineScore && named(l.Resource, e.Resource) && l.Node == e.Node {
				if l.Score >= 0 {
					return ""
				}
			}
		}
		return "its score is still negative"
	default:
		return "unknown effect"
	}
	return ""
}

func named(id, name string) bool { return id == name || status.StripInstance(id) == name }

// where lists the nodes on which what the name stands for is active.
func where(c *status.Cluster, name string) (active, promoted []string) {
	var walk func(*status.Resource)
	walk = func(r *status.Resource) {
		for _, k := range r.Children {
			walk(k)
		}
		if r.Variant != status.Primitive || !named(r.ID, name) && !(r.Is(status.ReplicaContainer) && r.Top(true).ID == name) {
			return
		}
		for _, n := range r.ActiveOn {
			active = append(active, n.Name)
			if r.Role == status.RolePromoted {
				promoted = append(promoted, n.Name)
			}
		}
	}
	for _, r := range c.Resources {
		walk(r)
	}
	return active, promoted
}

// unmanaged tells whether any instance is not managed.
func unmanaged(c *status.Cluster, name string) bool {
	any := false
	var walk func(*status.Resource)
	walk = func(r *status.Resource) {
		for _, k := range r.Children {
			walk(k)
		}
		any = any || r.Variant == status.Primitive && named(r.ID, name) && !r.Is(status.Managed)
	}
	for _, r := range c.Resources {
		walk(r)
	}
	return any
}

// disturbs finds an operation in the graph that takes the resource down or up.
func disturbs(r *sched.Result, e explain.Effect) string {
	for _, s := range r.Graph.Synapses {
		for _, a := range s.Actions {
			if a.Primitive == nil || a.OnNode != e.Node || !named(a.Primitive.ID, e.Resource) && !named(a.Primitive.LongID, e.Resource) {
				continue
			}
			switch a.Operation {
			case "start", "stop", "promote", "demote", "migrate_to", "migrate_from", "reload-agent":
				return a.OperationKey + " is done on " + a.OnNode
			}
		}
	}
	return ""
}

// executionDate is the time at which the state was recorded, or now.
func executionDate(root *etree.Element) time.Time {
	if sec, err := strconv.ParseInt(document.Get(root, "execution-date"), 10, 64); err == nil {
		return time.Unix(sec, 0).UTC()
	}
	return time.Now()
}
