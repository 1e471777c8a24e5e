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
	"github.com/quorate/quorate/pengine/status"
)

// hiddenAttrs are node attributes that other parts of the picture show.
var hiddenAttrs = []string{"shutdown", "terminate", "standby", "probe_complete"}

// shownAttrs lists the node's attributes for people, sorted by name.
func shownAttrs(n *status.Node) []string {
	var names []string
	for name := range n.Attrs {
		switch {
		case strings.HasPrefix(name, "#"), strings.HasPrefix(name, "fail-count-"), strings.HasPrefix(name, "last-failure-"):
		case slices.Contains(hiddenAttrs, name):
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (v *View) attributes(s sink) {
	opened := false
	for _, n := range v.Cluster.Nodes {
		names := shownAttrs(n)
		if !n.Online || len(names) == 0 || !v.showsNode(n) {
			continue
		}
		if !opened {
			s.open("Node Attributes")
			opened = true
		}
		s.open("Node: " + v.nodeName(n))
		for _, name := range names {
			s.item(fmt.Sprintf("%-32s\t: %-10s%s", name, n.Attrs[name], v.pingText(n, name)))
		}
		s.close()
	}
	if opened {
		s.close()
	}
}

// pingText says how good the connectivity is that a ping resource measures.
func (v *View) pingText(n *status.Node, name string) string {
	expected, ok := v.pingExpected(name)
	if !ok {
		return ""
	}
	val, _ := strconv.Atoi(n.Attrs[name])
	switch {
	case val <= 0:
		return "\t: Connectivity is lost"
	case val < expected:
		return fmt.Sprintf("\t: Connectivity is degraded (Expected=%d)", expected)
	}
	return ""
}

// pingExpected is the score of full connectivity, from the ping resource that
// writes the attribute: number of hosts times multiplier.
func (v *View) pingExpected(name string) (int, bool) {
	for p := range document.All(document.At(v.Cluster.Root, "configuration", "resources"), "primitive") {
		typ := document.Get(p, "type")
		if typ != "ping" && typ != "pingd" {
			continue
		}
		attr, hosts, mult := "pingd", 1, 1
		for nv := range document.All(p, "nvpair") {
			val := document.Get(nv, "value")
			switch document.Get(nv, "name") {
			case "name":
				attr = val
			case "host_list":
				hosts = len(strings.Fields(val))
			case "multiplier":
				mult, _ = strconv.Atoi(val)
			}
		}
		if attr == name {
			return hosts * mult, true
		}
	}
	return 0, false
}

// nodeHistory is what the CIB keeps of a node's operations.
type nodeHistory struct {
	node      *status.Node
	resources []resourceHistory
}

type resourceHistory struct {
	id        string
	rsc       *status.Resource
	failCount status.Score
	lastFail  time.Time
	ops       []*etree.Element
}

// histories collects the operations of the nodes that are shown, in the order
// of the status section.
func (v *View) histories() []nodeHistory {
	c := v.Cluster
	var out []nodeHistory
	for state := range document.Children(document.Child(c.Root, "status"), "node_state") {
		n := c.FindNodeID(document.Get(state, "id"))
		if n == nil || !n.Online || !v.showsNode(n) {
			continue
		}
		h := nodeHistory{node: n}
		for e := range document.Children(document.At(state, "lrm", "lrm_resources"), "lrm_resource") {
			r := c.FindResource(document.ID(e), status.MatchHistory)
			if r == nil {
				r = c.FindResource(document.ID(e), status.MatchAnonBasename)
			}
			if r == nil || !v.showsResource(r) {
				continue
			}
			rh := resourceHistory{id: document.ID(e), rsc: r, ops: shownOps(e)}
			rh.failCount, rh.lastFail = c.FailCount(n, r, status.FailAll, nil)
			h.resources = append(h.resources, rh)
		}
		out = append(out, h)
	}
	return out
}

// shownOps are the operations of a resource worth showing, by call id: neither
// notifications nor probes that found nothing.
func shownOps(e *etree.Element) []*etree.Element {
	var ops []*etree.Element
	for op := range document.Children(e, "lrm_rsc_op") {
		task := document.Get(op, "operation")
		if task == "notify" || opTask(op) == "probe" && document.Get(op, "rc-code") == "7" {
			continue
		}
		ops = append(ops, op)
	}
	slices.SortStableFunc(ops, func(a, b *etree.Element) int { return callID(a) - callID(b) })
	return ops
}

func callID(op *etree.Element) int {
	n, err := strconv.Atoi(document.Get(op, "call-id"))
	if err != nil || n < 0 {
		return int(^uint32(0) >> 1) // an operation under way comes last
	}
	return n
}

// opTask is the operation with a single monitor called a probe.
func opTask(op *etree.Element) string {
	task := document.Get(op, "operation")
	if interval := document.Get(op, "interval"); task == "monitor" && (interval == "" || interval == "0") {
		return "probe"
	}
	return task
}

func (v *View) history(s sink) {
	ops := v.has(SecOperations)
	if ops {
		s.open("Operations")
	} else {
		s.open("Migration Summary")
	}
	for _, h := range v.histories() {
		opened := false
		for _, r := range h.resources {
			if ops && len(r.ops) == 0 || !ops && r.failCount == 0 {
				continue
			}
			if !opened {
				s.open("Node: " + v.nodeName(h.node))
				opened = true
			}
			if !ops {
				s.item(r.text(true))
				continue
			}
			s.open(r.text(v.has(SecFailcounts)))
			for _, op := range r.ops {
				s.item(v.opText(op))
			}
			s.close()
		}
		if opened {
			s.close()
		}
	}
	s.close()
}

func (r *resourceHistory) text(counts bool) string {
	text := fmt.Sprintf("%s: migration-threshold=%d", r.id, r.rsc.MigrationThreshold)
	if counts && r.failCount > 0 {
		text += fmt.Sprintf(" fail-count=%d", r.failCount)
	}
	if counts && !r.lastFail.IsZero() {
		text += " last-failure='" + r.lastFail.Format(time.ANSIC) + "'"
	}
	return text
}

func (v *View) opText(op *etree.Element) string {
	var attrs []string
	if i := document.Get(op, "interval"); i != "" && i != "0" {
		attrs = append(attrs, fmt.Sprintf("interval=%q", i+"ms"))
	}
	if v.Options.Timing {
		if t := localTime(document.Get(op, "last-rc-change")); t != "" {
			attrs = append(attrs, fmt.Sprintf("last-rc-change=%q", t))
		}
		for _, name := range []string{"exec-time", "queue-time"} {
			if val := document.Get(op, name); val != "" {
				attrs = append(attrs, fmt.Sprintf("%s=%q", name, val+"ms"))
			}
		}
		rc, _ := strconv.Atoi(document.Get(op, "rc-code"))
		attrs = append(attrs, fmt.Sprintf("rc=%d (%s)", rc, ExitText(rc)))
	}
	text := fmt.Sprintf("(%s) %s", document.Get(op, "call-id"), opTask(op))
	if len(attrs) > 0 {
		text += ": " + strings.Join(attrs, " ")
	}
	return text
}
