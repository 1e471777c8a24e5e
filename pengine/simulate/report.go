// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"sort"
	"strconv"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/pengine/status/show"
)

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Options are what crm_simulate is asked for.
type Options struct {
	Now         time.Time
	Clock       time.Time // of results that are made up; Now where it is zero
	Date        string    // that Now stands for, as given by the user, "" for none
	Quiet       bool      // no status, no summary; scores are told nevertheless
	Process     bool      // schedule
	Simulate    bool      // and carry out
	Scores      bool
	Utilization bool
	Pending     bool
	Sanitized   bool
	// Attributes and FailCounts add these to the status.
	Attributes, FailCounts bool
	Inject                 Injections
	Failures               []string
	// Out takes what is told; where it is nil, Report.Text keeps all of it.
	Out Output
	// OnInput and OnResult are called as soon as the input and the decision are
	// known; an error of theirs ends the simulation.
	OnInput  func(cib *etree.Element) error
	OnResult func(*sched.Result) error
}

// A Report is all that a simulation brings forth.
type Report struct {
	Text   string         // where Options.Out was nil: all that was told
	Output *etree.Element // after the transition
	Result *sched.Result  // nil where nothing was scheduled
	// Complete is false where the transition could not be carried out.
	Complete bool
}

// A simulation is one under way.
type simulation struct {
	Options

	cib     *etree.Element
	out     Output
	now     time.Time
	printed bool // something that an empty line has to part from what follows
}

// Simulate does what crm_simulate does. The document is changed.
func Simulate(cib *etree.Element, o Options) (*Report, error) {
	s := &simulation{Options: o, cib: cib, out: o.Out}
	if s.Clock.IsZero() {
		s.Clock = s.Now
	}
	var text *TextOutput
	if s.out == nil {
		text = &TextOutput{}
		text.Plain = o.Quiet && o.Scores
		s.out = text
	}
	rep := &Report{Complete: true, Output: cib}
	err := s.run(rep)
	if text != nil {
		rep.Text = text.String() + text.Errors.String()
	}
	return rep, err
}

// Profile only schedules, and tells the scores that are asked for.
func Profile(cib *etree.Element, o Options) error {
	s := &simulation{Options: o, cib: cib, out: o.Out}
	s.Quiet = o.Quiet || o.Date == "" // the time in the document is not told
	s.effective()
	res, err := s.decide()
	if err != nil {
		return err
	}
	s.items(res.Scores)
	return nil
}

// run goes through the steps: current state, events, decision, transition,
// state after it.
func (s *simulation) run(rep *Report) error {
	c, err := s.unpack()
	if err != nil {
		return err
	}
	if !s.Quiet {
		s.current(c)
	}
	if s.Inject.Any() {
		if err := s.inject(c); err != nil {
			return err
		}
	}
	if s.OnInput != nil {
		if err := s.OnInput(s.cib); err != nil {
			return err
		}
	}
	if s.Process || s.Simulate {
		if err := s.schedule(rep); err != nil {
			return err
		}
	}
	if !s.Simulate {
		return nil
	}
	rep.Complete = s.carryOut(rep.Result)
	if s.Quiet {
		return nil
	}
	if c, err = s.unpack(); err != nil {
		return err
	}
	s.out.Space()
	s.out.Status(partRevised, c, s.shown(false))
	return nil
}

// unpack reads the state at the time that counts.
func (s *simulation) unpack() (*status.Cluster, error) {
	s.effective()
	c, err := status.Unpack(s.cib, status.Settings{Now: s.now, Sanitized: s.Sanitized})
	if err == nil {
		s.notes(c.UnfencingNotes())
	}
	return c, err
}

// notes tells what reading the state brought up.
func (s *simulation) notes(list []string) {
	for _, n := range list {
		s.info(n)
	}
}

// effective finds the time that counts: the user's, else the one in the
// document.
func (s *simulation) effective() {
	s.now = s.Now
	if s.Date != "" {
		s.info("Setting effective cluster time: " + s.Date)
		return
	}
	sec, err := strconv.ParseInt(document.Get(s.cib, "execution-date"), 10, 64)
	if err != nil {
		return
	}
	s.now = time.Unix(sec, 0).UTC()
	s.info("Using the original execution date of: " + s.now.Format("2006-01-02 15:04:05Z"))
}

func (s *simulation) info(line string) {
	if !s.Quiet {
		s.out.Info(line)
	}
}

// space parts what follows from what was told before.
func (s *simulation) space() {
	if s.printed {
		s.out.Space()
	}
	s.printed = true
}

func (s *simulation) shown(pending bool) show.Options {
	return show.Options{Inactive: true, Pending: pending, Attributes: s.Attributes, FailCounts: s.FailCounts}
}

func (s *simulation) current(c *status.Cluster) {
	if c.Options.Maintenance {
		s.out.Maintenance()
		s.printed = true
	}
	if c.Disabled > 0 || c.Blocked > 0 {
		s.space()
		s.out.Info(strconv.Itoa(c.Disabled) + " of " + strconv.Itoa(c.Instances) + " resource instances DISABLED and " +
			strconv.Itoa(c.Blocked) + " BLOCKED from further action due to failure")
	}
	s.space()
	s.out.Status(partCurrent, c, s.shown(s.Pending))
}

func (s *simulation) inject(c *status.Cluster) error {
	s.space()
	j := injector{cib: s.cib, c: c, now: s.Clock, newNodes: len(s.Inject.Up) > 0, tell: s.tell, complain: s.out.Error}
	if !s.Quiet {
		s.out.Begin(partModifications)
	}
	err := j.apply(&s.Inject)
	if !s.Quiet {
		s.out.End()
	}
	if err == nil {
		s.effective()
	}
	return err
}

func (s *simulation) tell(i Item) {
	switch p := i.(type) {
	case pretence:
		s.info(p.Text())
	default:
		if !s.Quiet {
			s.out.Item(i)
		}
	}
}

func (s *simulation) schedule(rep *Report) error {
	res, err := s.decide()
	if err != nil {
		return err
	}
	rep.Result = res
	if s.Inject.Any() { // else they have been told
		s.notes(res.Notes)
	}
	if s.Scores || s.Utilization {
		s.scores(res.Scores)
	}
	if s.OnResult != nil {
		if err := s.OnResult(res); err != nil {
			return err
		}
	}
	if !s.Quiet {
		s.space()
		s.out.Summary(res.Changes)
	}
	return nil
}

func (s *simulation) decide() (*sched.Result, error) {
	return sched.Schedule(sched.Input{
		CIB: s.cib, Now: s.now, Sanitized: s.Sanitized, Scores: s.Scores, Utilization: s.Utilization, TransitionID: 1,
		FeatureSet: featureSet,
	})
}

func (s *simulation) scores(lines []sched.Line) {
	s.space()
	switch {
	case s.Scores && s.Utilization:
		s.out.Begin(partBoth)
	case s.Scores:
		s.out.Begin(partScores)
	default:
		s.out.Begin(partUtilization)
	}
	s.items(lines)
	s.out.End()
}

func (s *simulation) items(lines []sched.Line) {
	kinds := newOrder(s.cib)
	for _, l := range lines {
		if l.Kind == sched.LineNote {
			s.info(l.Text)
			continue
		}
		s.out.Item(scoreLine{l, kinds})
	}
}

// carryOut does what was decided. It is false where the decision could not be
// carried out.
func (s *simulation) carryOut(res *sched.Result) bool {
	s.space()
	if !s.Quiet {
		s.out.Begin(partTransition)
		defer s.out.End()
	}
	run := Run{
		CIB: s.cib, Graph: res.Graph, Cluster: res.Cluster, Now: s.Clock, Failures: s.Failures,
		Tell: s.tell, Complain: s.out.Error,
	}
	if run.Execute() {
		return true
	}
	s.out.Error("Transition failed: terminated")
	s.out.Error("An invalid transition was produced")
	return false
}
