// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/pengine/status"
)

// shownFailures leaves out probes that only found that the resource cannot be
// there: the lists of resources tell that.
func (v *View) shownFailures() []*status.FailedOp {
	return slices.DeleteFunc(slices.Clone(v.Cluster.Failed), func(f *status.FailedOp) bool {
		if status.IsProbe(f.Task, f.IntervalMS) && (f.Exit == status.ExitNotInstalled || f.Exit == status.ExitInvalidParam ||
			f.Status == status.ExecNotInstalled) {
			return true
		}
		return f.Node != nil && !v.showsNode(f.Node) || f.Rsc != nil && !v.showsResource(f.Rsc)
	})
}

func (v *View) failures(s sink) {
	list := v.shownFailures()
	if len(list) == 0 {
		return
	}
	s.open("Failed Resource Actions")
	for _, f := range list {
		s.item(failureText(f))
	}
	s.close()
}

// failureText tells a failure in a sentence.
func failureText(f *status.FailedOp) string {
	var b strings.Builder
	b.WriteString(opSubject(f) + " on " + nameOf(f.Node))
	if f.Status == status.ExecDone {
		fmt.Fprintf(&b, " returned '%s'", exitText(f.Exit))
		if f.Reason != "" {
			fmt.Fprintf(&b, " (%s)", f.Reason)
		}
	} else {
		fmt.Fprintf(&b, " could not be executed (%s", f.Status)
		if f.Reason != "" {
			b.WriteString(": " + f.Reason)
		}
		b.WriteString(")")
	}
	if t := localTime(document.Get(f.XML, "last-rc-change")); t != "" {
		b.WriteString(" at " + t)
	}
	if ms, err := strconv.ParseUint(document.Get(f.XML, "exec-time"), 10, 64); err == nil && ms > 0 {
		b.WriteString(" after " + readable(ms))
	}
	return b.String()
}

// opSubject names the operation: web 10s-interval monitor.
func opSubject(f *status.FailedOp) string {
	id := f.Key
	if i := strings.LastIndex(f.Key, "_"+f.Task+"_"); i > 0 {
		id = f.Key[:i]
	}
	switch {
	case f.IntervalMS > 0:
		return fmt.Sprintf("%s %s-interval %s", id, readable(uint64(f.IntervalMS)), f.Task)
	case f.Task == "monitor":
		return id + " probe"
	}
	return id + " " + f.Task
}

// fencingFailed and fencingRest write the history of fencing: what failed stands
// higher up than the rest.
func (v *View) fencingFailed(s sink) {
	if !v.has(SecFencingFailed) {
		return
	}
	if v.FencingUnknown {
		s.open("Failed Fencing Actions")
		s.item("Failed to get fencing history: the controller does not answer")
		s.close()
		return
	}
	v.fencing(s, "Failed Fencing Actions", "failed")
}

func (v *View) fencingRest(s sink) {
	if v.has(SecFencingPending) {
		v.fencing(s, "Pending Fencing Actions", "pending")
	}
	if v.has(SecFencingSucceeded) {
		v.fencing(s, "Fencing History", "success")
	}
}

func (v *View) fencing(s sink, header, state string) {
	list := v.fenceEvents(state)
	if len(list) == 0 {
		return
	}
	s.open(header)
	for _, e := range list {
		s.item(v.fenceLine(e))
	}
	s.close()
}

// fenceEvents are the events of a state, the newest of each kind only unless all
// are wanted.
func (v *View) fenceEvents(state string) []crmd.FenceEvent {
	type kind struct{ target, action, client, origin, delegate string }
	seen := map[kind]bool{}
	var out []crmd.FenceEvent
	for _, e := range v.Fencing {
		k := kind{e.Target, e.Action, e.Client, e.Origin, e.Dlg}
		if e.State != state || seen[k] && !v.Options.FullFencing {
			continue
		}
		if v.Options.Node != "" && e.Target != v.Options.Node {
			continue
		}
		seen[k] = true
		out = append(out, e)
	}
	return out
}

// fencingWord is how an action is called in sentences.
func fencingWord(action string) string {
	switch action {
	case "off":
		return "turning off"
	case "on":
		return "unfencing"
	}
	return action
}

var fencingState = map[string]string{"success": "successful", "failed": "failed", "pending": "pending"}

// fenceLine tells a fencing event in the short form of crm_mon.
func (v *View) fenceLine(e crmd.FenceEvent) string {
	text := fencingWord(e.Action) + " of " + e.Target
	if e.Dlg != "" {
		text += " by " + e.Dlg
	}
	text += fmt.Sprintf(" for %s@%s ", e.Client, e.Origin)
	if !v.Options.FullFencing {
		text += "last "
	}
	text += fencingState[e.State]
	if e.State == "failed" && e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	if !e.Completed.IsZero() {
		text += " at " + e.Completed.Format(fenceForm)
	}
	return text
}

// FenceText tells a fencing event in the long form of stonith_admin.
func FenceText(e crmd.FenceEvent) string {
	text := fmt.Sprintf("%s of %s %s", fencingWord(e.Action), e.Target, fencingState[e.State])
	if e.State == "failed" && e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	text += ": "
	if e.Dlg != "" {
		text += "delegate=" + e.Dlg + ", "
	}
	text += fmt.Sprintf("client=%s, origin=%s", e.Client, e.Origin)
	if !e.Completed.IsZero() {
		text += fmt.Sprintf(", last-%s='%s'", fencingState[e.State], e.Completed.Format(fenceForm))
	}
	return text
}

// FenceXML is the element of a fencing event.
func FenceXML(ev crmd.FenceEvent) *etree.Element {
	e := document.New("fence_event", "action", ev.Action, "target", ev.Target, "client", ev.Client, "origin", ev.Origin, "status", ev.State)
	if ev.Reason != "" {
		document.Set(e, "exit-reason", ev.Reason)
	}
	if ev.Dlg != "" {
		document.Set(e, "delegate", ev.Dlg)
	}
	if !ev.Completed.IsZero() {
		document.Set(e, "completed", ev.Completed.Format(fenceForm))
	}
	return e
}

const fenceForm = "2006-01-02 15:04:05Z07:00"

// A Ban is a constraint that keeps a resource off a node.
type Ban struct {
	ID, Resource string
	Node         *status.Node
	Score        status.Score
	Promoted     bool // only the promoted role is kept off
}

// Bans lists the constraints with a negative score for a node.
func Bans(c *status.Cluster) []Ban {
	var out []Ban
	for con := range document.Children(document.At(c.Root, "configuration", "constraints"), "rsc_location") {
		n := c.FindNode(document.Get(con, "node"))
		score, _ := status.ParseScore(document.Get(con, "score"), 0)
		if n == nil || score >= 0 {
			continue
		}
		out = append(out, Ban{
			ID: document.ID(con), Resource: document.Get(con, "rsc"), Node: n, Score: score,
			Promoted: status.ParseRole(document.Get(con, "role")) == status.RolePromoted,
		})
	}
	return out
}

func (v *View) shownBans() []Ban {
	return slices.DeleteFunc(Bans(v.Cluster), func(b Ban) bool {
		return !strings.HasPrefix(b.ID, v.Options.BanPrefix) || !v.showsNode(b.Node) ||
			v.Options.Resource != "" && b.Resource != v.Options.Resource
	})
}

func (v *View) bans(s sink) {
	list := v.shownBans()
	if len(list) == 0 {
		return
	}
	s.open("Negative Location Constraints")
	for _, b := range list {
		as := ""
		if b.Promoted {
			as = "as Promoted "
		}
		s.item(fmt.Sprintf("%s\tprevents %s from running %son %s", b.ID, b.Resource, as, v.nodeName(b.Node)))
	}
	s.close()
}

// ticketIDs lists the tickets that are known, sorted.
func (v *View) ticketIDs() []string {
	ids := make([]string, 0, len(v.Cluster.Tickets))
	for id := range v.Cluster.Tickets {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func ticketState(t *status.Ticket) string {
	if t.Granted {
		return "granted"
	}
	return "revoked"
}

func (v *View) tickets(s sink) {
	ids := v.ticketIDs()
	if len(ids) == 0 {
		return
	}
	s.open("Tickets")
	for _, id := range ids {
		t := v.Cluster.Tickets[id]
		text := id + "\t" + ticketState(t)
		if t.Standby {
			text += " [standby]"
		}
		if t.LastGranted > 0 {
			text += " last-granted=\"" + time.Unix(t.LastGranted, 0).Format(time.ANSIC) + "\""
		}
		s.item(text)
	}
	s.close()
}
