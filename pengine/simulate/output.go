// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/pengine/status/show"
)

// An Output takes what a simulation tells, in the order in which it happens.
type Output interface {
	// Info is a remark for people, Error a complaint.
	Info(line string)
	Error(line string)
	// Space asks for an empty line between two parts.
	Space()
	// Begin and End enclose a list, with Items between them.
	Begin(p Part)
	Item(i Item)
	End()
	// Status tells the state of the cluster, Maintenance that nothing is managed.
	Status(p Part, c *status.Cluster, o show.Options)
	Maintenance()
	// Summary tells what a decision changes.
	Summary(changes []sched.Change)
}

// An Item is one thing that is told in a list.
type Item interface {
	Text() string
	XML() *etree.Element
}

// A Part is one list of what a simulation tells.
type Part struct{ Title, Tag string }

// The parts, in their order.
var (
	partCurrent       = Part{"Current cluster status", "cluster_status"}
	partModifications = Part{"Performing Requested Modifications", "modifications"}
	partScores        = Part{"Assignment Scores", "allocations"}
	partUtilization   = Part{"Utilization Information", "utilizations"}
	partBoth          = Part{"Assignment Scores and Utilization Information", "allocations_utilizations"}
	partSummary       = Part{"Transition Summary", "actions"}
	partTransition    = Part{"Executing Cluster Transition", "transition"}
	partRevised       = Part{"Revised Cluster Status", "revised_cluster_status"}
	// PartTimings is what profiling tells.
	PartTimings = Part{"Timings", "timings"}
)

// A TextOutput writes for people. Errors go to a text of their own.
type TextOutput struct {
	show.Text

	Errors show.Text
}

// Info implements [Output].
func (t *TextOutput) Info(line string) { t.Line(line) }

// Error implements [Output].
func (t *TextOutput) Error(line string) { t.Errors.Line(line) }

// Begin implements [Output].
func (t *TextOutput) Begin(p Part) { t.Text.Begin(p.Title) }

// Item implements [Output].
func (t *TextOutput) Item(i Item) { t.Text.Item(i.Text()) }

// Status implements [Output].
func (t *TextOutput) Status(p Part, c *status.Cluster, o show.Options) {
	t.Begin(p)
	show.Status(&t.Text, c, o)
	t.End()
}

// Maintenance implements [Output].
func (t *TextOutput) Maintenance() {
	t.Line("\n              *** Resource management is DISABLED ***\n  The cluster will not attempt to start, stop or recover services")
}

// Summary implements [Output].
func (t *TextOutput) Summary(changes []sched.Change) {
	t.Begin(partSummary)
	for _, line := range Summary(changes) {
		t.Text.Item(line)
	}
	t.End()
}

// An XMLOutput gathers elements for programs: the body of <pacemaker-result>.
type XMLOutput struct {
	Body   []*etree.Element
	Errors []string

	list *etree.Element
}

// Info implements [Output]: remarks are for people only.
func (*XMLOutput) Info(string) {}

// Error implements [Output].
func (x *XMLOutput) Error(line string) { x.Errors = append(x.Errors, line) }

// Space implements [Output].
func (*XMLOutput) Space() {}

// Begin implements [Output].
func (x *XMLOutput) Begin(p Part) {
	x.list = document.New(p.Tag)
	x.Body = append(x.Body, x.list)
}

// Item implements [Output].
func (x *XMLOutput) Item(i Item) {
	if s, ok := i.(setting); ok {
		document.Set(x.list, s.name, s.value)
		return
	}
	x.list.AddChild(i.XML())
}

// End implements [Output].
func (x *XMLOutput) End() {
	if x.list.Tag != partModifications.Tag {
		return
	}
	// The schema wants them by kind.
	kinds := []string{"modify_node", "modify_ticket", "inject_spec", "inject_attr"}
	slices.SortStableFunc(x.list.Child, func(a, b etree.Token) int {
		return kindOf(kinds, a) - kindOf(kinds, b)
	})
	x.list.ReindexChildren()
}

func kindOf(kinds []string, t etree.Token) int {
	e, ok := t.(*etree.Element)
	if !ok {
		return -1
	}
	return slices.Index(kinds, e.Tag)
}

// Status implements [Output].
func (x *XMLOutput) Status(p Part, c *status.Cluster, o show.Options) {
	x.Begin(p)
	for _, e := range show.XML(c, o) {
		x.list.AddChild(e)
	}
	x.End()
}

// Maintenance implements [Output]: the state of each resource tells it.
func (*XMLOutput) Maintenance() {}

// Summary implements [Output].
func (x *XMLOutput) Summary(changes []sched.Change) {
	x.Begin(partSummary)
	for _, c := range changes {
		if e := changeXML(c); e != nil {
			x.list.AddChild(e)
		}
	}
	x.End()
}
