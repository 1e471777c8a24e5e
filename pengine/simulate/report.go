// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/pengine/status/show"
)

func values(m map[string]string) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(" " + k + "=" + m[k])
	}
	return b.String()
}

// Options are what crm_simulate is asked for.
type Options struct {
	Now         time.Time
	Date        string // as given by the user, "" for none
	Quiet       bool
	Process     bool // schedule
	Simulate    bool // and carry out
	Scores      bool
	Utilization bool
	Pending     bool
	Sanitized   bool
	Inject      Injections
	Failures    []string
}

// A Report is all that a simulation brings forth.
type Report struct {
	Text   string
	Input  *etree.Element // after injections
	Output *etree.Element // after the transition
	Result *sched.Result  // nil where nothing was scheduled
	// Complete is false where the transition could not be carried out.
	Complete bool
}

// noSchema warns of a document that nothing checks.
const noSchema = `Schema validation of configuration is disabled (support for validate-with set to "none" is deprecated and will be removed in a future release)`

// Simulate does what crm_simulate does. The document is changed.
func Simulate(cib *etree.Element, o Options) (*Report, error) {
	t := &show.Text{}
	if document.Get(cib, "validate-with") == "none" && !o.Quiet {
		t.Line(noSchema)
	}
	now := o.effective(cib, t, true)
	c, err := status.Unpack(cib, status.Settings{Now: now, Sanitized: o.Sanitized})
	if err != nil {
		return nil, err
	}
	rep := &Report{Complete: true}
	if !o.Quiet {
		o.current(t, c)
	}
	if o.Inject.Any() {
		lines, err := o.Inject.Apply(cib, c, o.Now)
		o.section(t, "Performing Requested Modifications", lines)
		if err != nil {
			return nil, err
		}
		now = o.effective(cib, t, true)
	} else if o.Inject.Quorum != "" {
		document.Set(cib, "have-quorum", o.Inject.Quorum)
	}
	rep.Input = document.Clone(cib)
	if o.Process || o.Simulate {
		rep.Result, err = sched.Schedule(sched.Input{CIB: cib, Now: now, Sanitized: o.Sanitized, Scores: o.Scores, Utilization: o.Utilization, TransitionID: 1})
		if err != nil {
			return nil, err
		}
		o.scores(t, rep.Result.Scores)
		o.section(t, "Transition Summary", Summary(rep.Result.Changes))
	}
	if o.Simulate {
		run := Run{CIB: cib, Graph: rep.Result.Graph, Cluster: rep.Result.Cluster, Now: o.Now, Failures: o.Failures}
		out := run.Execute()
		o.section(t, "Executing Cluster Transition", out.Lines)
		rep.Complete = out.Complete
		if !out.Complete {
			t.Line("Transition failed: terminated")
			t.Line("An invalid transition was produced")
		}
		if !o.Quiet {
			now = o.effective(cib, t, true)
			if c, err = status.Unpack(cib, status.Settings{Now: now, Sanitized: o.Sanitized}); err != nil {
				return nil, err
			}
			o.status(t, c, "Revised Cluster Status", false)
		}
	}
	rep.Output, rep.Text = cib, t.String()
	return rep, nil
}

// effective is the time that counts: the user's, else the one in the document.
func (o *Options) effective(cib *etree.Element, t *show.Text, say bool) time.Time {
	say = say && !o.Quiet
	if o.Date != "" {
		if say {
			t.Line("Setting effective cluster time: " + o.Date)
		}
		return o.Now
	}
	sec, err := strconv.ParseInt(document.Get(cib, "execution-date"), 10, 64)
	if err != nil {
		return o.Now
	}
	at := time.Unix(sec, 0).UTC()
	if say {
		t.Line("Using the original execution date of: " + at.Format("2006-01-02 15:04:05Z"))
	}
	return at
}

func (o *Options) current(t *show.Text, c *status.Cluster) {
	if c.Options.Maintenance {
		t.Line("\n              *** Resource management is DISABLED ***\n  The cluster will not attempt to start, stop or recover services\n")
	}
	if c.Disabled > 0 || c.Blocked > 0 {
		t.Line(strconv.Itoa(c.Disabled) + " of " + strconv.Itoa(c.Instances) + " resource instances DISABLED and " +
			strconv.Itoa(c.Blocked) + " BLOCKED from further action due to failure")
		t.Space()
	}
	o.status(t, c, "Current cluster status", o.Pending)
}

func (o *Options) status(t *show.Text, c *status.Cluster, title string, pending bool) {
	so := show.Options{Inactive: true, Pending: pending}
	t.Begin(title)
	show.Nodes(t, c, so)
	t.Space()
	show.Resources(t, c, so)
	t.End()
	t.Space()
}

func (o *Options) section(t *show.Text, head string, lines []string) {
	if o.Quiet {
		return
	}
	t.Begin(head)
	for _, l := range lines {
		t.Item(l)
	}
	t.End()
	t.Space()
}

func (o *Options) scores(t *show.Text, lines []sched.Line) {
	if !o.Scores && !o.Utilization {
		return
	}
	if !o.Quiet {
		head := "Assignment Scores and Utilization Information"
		if !o.Utilization {
			head = "Assignment Scores"
		} else if !o.Scores {
			head = "Utilization Information"
		}
		t.Begin(head)
		for _, l := range lines {
			t.Item(ScoreLine(l))
		}
		t.End()
	} else {
		for _, l := range lines {
			t.Line(ScoreLine(l))
		}
	}
	t.Space()
}
