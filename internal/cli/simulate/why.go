// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/pengine/explain"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
)

// questions is the flag --why, which the classic tool does not have.
func (f *flags) questions(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.why, "why", nil, "Tell why a resource is where it is or is not on a node, stops, moves or is restarted, and what would change that (`RESOURCE[@NODE]`)")
}

// explain answers the questions about the CIB, with all events applied.
func (f *flags) explain(root *etree.Element) error {
	o := f.o
	o.Simulate, o.Process, o.Scores, o.Utilization, o.Quiet = false, false, false, false, true
	if _, err := simulate.Simulate(root, o); err != nil { // only the events
		return exit.Errorf(exit.DataErr, "crm_simulate: %s", err)
	}
	in := sched.Input{CIB: root, Now: f.o.Now, Sanitized: f.o.Sanitized, TransitionID: 1}
	if sec, err := strconv.ParseInt(document.Get(root, "execution-date"), 10, 64); err == nil && f.o.Date == "" {
		in.Now = time.Unix(sec, 0).UTC()
	}
	e, err := explain.New(in)
	if err != nil {
		return exit.Errorf(exit.DataErr, "crm_simulate: %s", err)
	}
	for i, spec := range f.why {
		q := explain.Question{}
		q.Resource, q.Node, _ = strings.Cut(spec, "@")
		a, err := e.Ask(q)
		if err != nil {
			return exit.Errorf(exit.NoSuch, "crm_simulate: cannot explain %s: %s", spec, err)
		}
		if i > 0 {
			f.o.Out.Space()
		}
		f.tell(a)
	}
	return nil
}

func (f *flags) tell(a *explain.Answer) {
	if x, ok := f.o.Out.(*simulate.XMLOutput); ok {
		x.Body = append(x.Body, a.XML())
		return
	}
	for line := range strings.Lines(a.Text()) {
		f.o.Out.Info(strings.TrimSuffix(line, "\n"))
	}
}
