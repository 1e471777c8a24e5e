// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/pengine/status"
)

// Options choose what is shown and how.
type Options struct {
	Sections    Section
	ByNode      bool // group resources by node
	Inactive    bool // also what does not run
	Brief       bool
	Detail      bool   // node ids, single instances of clones
	Timing      bool   // times of operations
	Quiet       bool   // without times in the summary
	Node        string // only this node, or those of this tag
	Resource    string // only this resource, or those of this tag
	BanPrefix   string
	FullFencing bool // every fencing event, not the newest of each kind
	RscOnly     bool // primitives without the node they run on
}

// A Daemon is the state of the stack on this node, as the first line tells it.
type Daemon struct {
	State   string // running, …
	Updated time.Time
}

// A View is a state of the cluster with what to show of it.
type View struct {
	Cluster *status.Cluster
	Options Options
	Daemon  *Daemon // nil where the state comes from a file
	Fencing []crmd.FenceEvent
	// FencingUnknown is set where the history could not be had.
	FencingUnknown bool
}

// Text writes the picture for a terminal or a file.
func (v *View) Text(w io.Writer) {
	if v.Daemon != nil {
		fmt.Fprintf(w, "%s\n", v.daemonLine())
	}
	v.render(&textSink{w: w})
}

// HTML writes the picture as a page.
func (v *View) HTML(w io.Writer, title, stylesheet string) {
	fmt.Fprintf(w, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>%s</title>\n<meta charset=\"utf-8\">\n", html.EscapeString(title))
	if stylesheet != "" {
		fmt.Fprintf(w, "<link rel=\"stylesheet\" href=\"%s\">\n", html.EscapeString(stylesheet))
	}
	fmt.Fprint(w, "</head>\n<body>\n")
	if v.Daemon != nil {
		fmt.Fprintf(w, "<p>%s</p>\n", html.EscapeString(v.daemonLine()))
	}
	v.render(&htmlSink{w: w})
	fmt.Fprint(w, "</body>\n</html>\n")
}

func (v *View) daemonLine() string {
	state := v.Daemon.State
	if state == "running" {
		state = "Pacemaker is running"
	}
	return fmt.Sprintf("Status of pacemakerd: '%s' (last updated %s)", state, v.Daemon.Updated.UTC().Format(utcForm))
}

func (v *View) has(s Section) bool { return v.Options.Sections&s != 0 }

// render writes the sections in their order.
func (v *View) render(s sink) {
	v.summary(s)
	if v.has(SecNodes) {
		v.nodeList(s)
	}
	if v.has(SecResources) {
		v.resourceList(s)
	}
	if v.has(SecAttributes) {
		v.attributes(s)
	}
	if v.has(SecOperations | SecFailcounts) {
		v.history(s)
	}
	if v.has(SecFailures) {
		v.failures(s)
	}
	v.fencingFailed(s)
	if v.has(SecTickets) {
		v.tickets(s)
	}
	if v.has(SecBans) {
		v.bans(s)
	}
	v.fencingRest(s)
}

// showsNode tells whether the choice of nodes takes a node in.
func (v *View) showsNode(n *status.Node) bool {
	return v.Options.Node == "" || n.Name == v.Options.Node || v.tagged(v.Options.Node, string(n.ID), n.Name)
}

func (v *View) tagged(tag string, names ...string) bool {
	return slices.ContainsFunc(v.Cluster.Tags[tag], func(member string) bool { return slices.Contains(names, member) })
}

// showsResource tells whether the choice of resources takes one in: by its own
// id or by that of something that holds it.
func (v *View) showsResource(r *status.Resource) bool {
	want := v.Options.Resource
	if want == "" {
		return true
	}
	for x := r; x != nil; x = x.Parent {
		if x.ID == want || x.XMLID() == want || v.tagged(want, x.ID, x.XMLID()) {
			return true
		}
	}
	return false
}

// showsPart is showsResource, or true where something below is chosen.
func (v *View) showsPart(r *status.Resource) bool {
	return v.showsResource(r) || slices.ContainsFunc(r.Children, v.showsPart)
}

// runsOnShown tells whether a resource is active on a node that is shown.
func (v *View) runsOnShown(r *status.Resource) bool {
	return v.Options.Node == "" || slices.ContainsFunc(r.Nodes(false), v.showsNode)
}

// hostName is a node's name, with that of the machine it is a guest of.
func (v *View) hostName(n *status.Node) string {
	if n.IsGuest() {
		if host := status.CurrentHost(n.Connection.Launcher); host != nil {
			return n.Name + "@" + host.Name
		}
	}
	return n.Name
}

// nodeName is how a node is called in lists of nodes.
func (v *View) nodeName(n *status.Node) string {
	name := v.hostName(n)
	if v.Options.Detail && string(n.ID) != n.Name {
		name += " (" + string(n.ID) + ")"
	}
	return name
}

// summary writes the head.
func (v *View) summary(s sink) {
	c := v.Cluster
	shown := SecStack | SecDC | SecCounts
	if !v.Options.Quiet {
		shown |= SecTimes
	}
	if v.has(shown) {
		s.open("Cluster Summary")
		if stack := c.Options.Values["cluster-infrastructure"]; v.has(SecStack) && stack != "" {
			s.item("Stack: " + stack)
		}
		if v.has(SecDC) {
			s.item("Current DC: " + v.dcText())
		}
		if v.has(SecTimes) && !v.Options.Quiet {
			s.item("Last updated: " + c.Now.Format(time.ANSIC))
			s.item("Last change:  " + v.lastChange())
		}
		if v.has(SecCounts) {
			s.item(plural(v.nodeCount(), "node") + " configured")
			s.item(v.resourceCount())
		}
		if v.has(SecOptions) {
			v.options(s)
		}
		s.close()
	}
	if v.has(SecMaintenance) {
		switch {
		case c.Options.Maintenance:
			s.line("\n              *** Resource management is DISABLED ***\n  The cluster will not attempt to start, stop or recover services")
		case c.Options.StopAll:
			s.line("\n    *** Resource management is DISABLED ***\n  The cluster will keep all resources stopped")
		}
	}
}

func (v *View) dcText() string {
	c := v.Cluster
	if c.DC == nil {
		return "NONE"
	}
	quorum := "with quorum"
	if !c.Quorate {
		quorum = "WITHOUT quorum"
	}
	partition := "partition"
	if v.mixedVersion() {
		partition = "MIXED-VERSION partition"
	}
	return fmt.Sprintf("%s (version %s) - %s %s", v.nodeName(c.DC), v.dcVersion(), partition, quorum)
}

func (v *View) dcVersion() string {
	if ver := v.Cluster.Options.Values["dc-version"]; ver != "" {
		return ver
	}
	return "unknown"
}

// mixedVersion tells whether online nodes report different feature sets.
func (v *View) mixedVersion() bool {
	seen := ""
	for _, n := range v.Cluster.Nodes {
		if !n.Online || n.FeatureSet == "" {
			continue
		}
		if seen != "" && seen != n.FeatureSet {
			return true
		}
		seen = n.FeatureSet
	}
	return false
}

func (v *View) lastChange() string {
	root := v.Cluster.Root
	var text strings.Builder
	text.WriteString(document.Get(root, "cib-last-written"))
	for _, part := range [][2]string{{" by ", "update-user"}, {" via ", "update-client"}, {" on ", "update-origin"}} {
		if val := document.Get(root, part[1]); val != "" {
			text.WriteString(part[0] + val)
		}
	}
	return text.String()
}

func (v *View) nodeCount() int { return len(v.Cluster.Nodes) }

func (v *View) resourceCount() string {
	c := v.Cluster
	text := plural(c.Instances, "resource instance") + " configured"
	if c.Disabled == 0 && c.Blocked == 0 {
		return text
	}
	var notes []string
	if c.Disabled > 0 {
		notes = append(notes, fmt.Sprintf("%d DISABLED", c.Disabled))
	}
	if c.Blocked > 0 {
		notes = append(notes, fmt.Sprintf("%d BLOCKED from further action due to failure", c.Blocked))
	}
	return text + " (" + strings.Join(notes, ", ") + ")"
}

func (v *View) options(s sink) {
	o := &v.Cluster.Options
	s.open("Config Options")
	s.item("STONITH of failed nodes: " + enabled(o.FencingEnabled))
	s.item("Cluster is " + symmetry(o.SymmetricCluster))
	s.item("No quorum policy: " + quorumPolicyText(o.NoQuorum))
	switch {
	case o.Maintenance:
		s.item("Resource management: DISABLED (the cluster will not attempt to start, stop, or recover services)")
	case o.StopAll:
		s.item("Resource management: STOPPED (the cluster will keep all resources stopped)")
	default:
		s.item("Resource management: enabled")
	}
	s.close()
}
