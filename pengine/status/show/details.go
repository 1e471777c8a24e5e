// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package show

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// An Attribute is a node attribute that is shown.
type Attribute struct {
	Name, Value string
	// Expected is the value of full connectivity where a ping resource writes
	// the attribute (Ping).
	Ping     bool
	Expected int
}

// hiddenPrefixes begin the names of attributes that other lists show.
var hiddenPrefixes = []string{"fail-count", "last-failure", "shutdown", "terminate", "standby", "#"}

// Attributes lists what is shown of a node's attributes, sorted by name; nothing
// of a node that is offline.
func Attributes(n *status.Node) []Attribute {
	var out []Attribute
	if !n.Online {
		return nil
	}
	for name, value := range n.Attrs {
		if slices.ContainsFunc(hiddenPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		a := Attribute{Name: name, Value: value}
		a.Expected, a.Ping = connectivity(n, name)
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// connectivity finds the ping resource on the node that writes the attribute,
// and what it writes when all hosts answer.
func connectivity(n *status.Node, attr string) (expected int, ok bool) {
	for _, r := range n.Running {
		switch strings.ToLower(document.Get(r.XML, "type")) {
		case "ping", "pingd":
		default:
			continue
		}
		params := r.Cluster.Params(r, n)
		name := params["name"]
		if name == "" {
			name = "pingd"
		}
		if !strings.EqualFold(name, attr) {
			continue
		}
		hosts := 0
		if list, set := params["host_list"]; set && list != "" {
			hosts = strings.Count(list, " ") + 1
		}
		multiplier, err := strconv.Atoi(params["multiplier"])
		if err != nil {
			multiplier = 1
		}
		return hosts * multiplier, true
	}
	return 0, false
}

func (a Attribute) text() string {
	line := fmt.Sprintf("%-32s\t: %-10s", a.Name, a.Value)
	value, _ := strconv.Atoi(a.Value)
	switch {
	case !a.Ping:
	case value <= 0:
		line += "\t: Connectivity is lost"
	case value < a.Expected:
		line += fmt.Sprintf("\t: Connectivity is degraded (Expected=%d)", a.Expected)
	}
	return line
}

// NodeAttributes adds the list of node attributes, after an empty line, where
// there are any.
func NodeAttributes(t *Text, c *status.Cluster) {
	shown := false
	for _, n := range c.Nodes {
		attrs := Attributes(n)
		if len(attrs) == 0 {
			continue
		}
		if !shown {
			begin(t, "Node Attributes")
			shown = true
		}
		t.Begin("Node: " + NodeName(n, false))
		for _, a := range attrs {
			t.Item(a.text())
		}
		t.End()
	}
	if shown {
		t.End()
	}
}

func begin(t *Text, head string) {
	t.Space()
	t.Begin(head)
}

// A FailCount is how often a resource failed on a node.
type FailCount struct {
	ID        string // of the history
	Resource  *status.Resource
	Count     status.Score
	Last      time.Time // zero where it is not known
	Threshold status.Score
}

// A NodeFailures is what failed on a node that is online.
type NodeFailures struct {
	Node *status.Node
	List []FailCount
}

// Failures lists the fail counts of each node that is online, in the order of
// the status section.
func Failures(c *status.Cluster) []NodeFailures {
	var out []NodeFailures
	for state := range document.Children(document.Child(c.Root, "status"), "node_state") {
		n := c.FindNodeID(document.ID(state))
		if n == nil || !n.Online {
			continue
		}
		f := NodeFailures{Node: n}
		for h := range document.Children(document.At(state, "lrm", "lrm_resources"), "lrm_resource") {
			id := document.ID(h)
			r := c.FindResource(id, status.MatchHistory)
			if id == "" || r == nil {
				continue
			}
			if count, last := c.FailCount(n, r, status.FailAll, nil); count > 0 {
				f.List = append(f.List, FailCount{ID: id, Resource: r, Count: count, Last: last, Threshold: r.MigrationThreshold})
			}
		}
		out = append(out, f)
	}
	return out
}

// MigrationSummary adds the list of fail counts where a node is online.
func MigrationSummary(t *Text, c *status.Cluster) {
	all := Failures(c)
	if len(all) == 0 {
		return
	}
	begin(t, "Migration Summary")
	for _, f := range all {
		if len(f.List) == 0 {
			continue
		}
		t.Begin("Node: " + NodeName(f.Node, false))
		for _, r := range f.List {
			line := fmt.Sprintf("%s: migration-threshold=%d fail-count=%d", r.ID, r.Threshold, r.Count)
			if !r.Last.IsZero() {
				line += " last-failure='" + r.Last.Format(time.ANSIC) + "'"
			}
			t.Item(line)
		}
		t.End()
	}
	t.End()
}

// ShownFailures leaves out probes that only found that the resource cannot be
// there: the list of resources tells that.
func ShownFailures(c *status.Cluster) []*status.FailedOp {
	var out []*status.FailedOp
	for _, f := range c.Failed {
		if !status.IsProbe(f.Task, f.IntervalMS) || f.Exit != status.ExitNotInstalled && f.Exit != status.ExitInvalidParam &&
			f.Status != status.ExecNotInstalled {
			out = append(out, f)
		}
	}
	return out
}

// FailedActions adds the list of failed operations, where there are any, with
// all that is known of them.
func FailedActions(t *Text, c *status.Cluster) {
	list := ShownFailures(c)
	if len(list) == 0 {
		return
	}
	begin(t, "Failed Resource Actions")
	for _, f := range list {
		t.Item(failureText(f))
	}
	t.End()
}

// execText words how an operation ended, as the scheduler's own tools do.
func execText(s status.ExecStatus) string {
	switch s {
	case status.ExecPending:
		return "Pending"
	case status.ExecDone:
		return "Done"
	case status.ExecTimeout:
		return "Timed out"
	case status.ExecNotSupported:
		return "Unsupported"
	case status.ExecUnknown:
		return "Unrecognized status (bug?)"
	}
	return s.String()
}

func failureText(f *status.FailedOp) string {
	call := document.Get(f.XML, "call-id")
	if call == "" {
		call = "unknown"
	}
	line := fmt.Sprintf("%s on %s '%s' (%d): call=%s, status='%s'", f.Key, f.Node.Name, f.Exit, f.Exit, call, execText(f.Status))
	if f.Reason != "" {
		line += ", exitreason='" + f.Reason + "'"
	}
	if at, ok := lastChange(f); ok {
		line += ", last-rc-change='" + at.Format(time.ANSIC) + "'"
	}
	if v := document.Get(f.XML, "queue-time"); v != "" {
		line += ", queued=" + v + "ms"
	}
	if v := document.Get(f.XML, "exec-time"); v != "" {
		line += ", exec=" + v + "ms"
	}
	return line
}

// lastChange is when the operation gave the result first.
func lastChange(f *status.FailedOp) (time.Time, bool) {
	n, err := strconv.ParseInt(document.Get(f.XML, "last-rc-change"), 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(n, 0), true
}
