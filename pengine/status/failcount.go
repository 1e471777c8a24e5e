// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/transition/graph"
)

// FailFlags choose what counts for a fail count.
type FailFlags int

// The choices.
const (
	FailAll       FailFlags = 0
	FailEffective FailFlags = 1 << iota // nothing that expired
	FailLaunched                        // also what runs inside the resource
)

// failName is the name of a resource in its fail count attributes.
func (r *Resource) failName() string {
	name := r.HistoryID
	if name == "" {
		name = r.ID
	}
	if r.Is(Unique) {
		return name
	}
	return StripInstance(name)
}

// failAttr tells whether an attribute is the resource's with the prefix
// (fail-count, last-failure): PREFIX-NAME[:N]#OP_INTERVAL.
func failAttr(attr, prefix, name string, unique bool) bool {
	rest, ok := strings.CutPrefix(attr, prefix+"-"+name)
	if !ok {
		return false
	}
	if !unique && strings.HasPrefix(rest, ":") {
		n := digits(rest[1:])
		if n == 0 {
			return false
		}
		rest = rest[1+n:]
	}
	op, ok := strings.CutPrefix(rest, "#")
	i := strings.LastIndexByte(op, '_')
	return ok && i > 0 && i+1 < len(op) && digits(op[i+1:]) == len(op)-i-1
}

// failAttrs lists, in order, the node's attributes about failures of what the
// name begins: mostly none.
func (n *Node) failAttrs(name string) []string {
	var out []string
	for k := range n.Attrs { // any order: they are sorted below
		rest, count := strings.CutPrefix(k, "fail-count-")
		if !count {
			last := false
			if rest, last = strings.CutPrefix(k, "last-failure-"); !last {
				continue
			}
		}
		if strings.HasPrefix(rest, name) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// HasFailCounts tells whether anything failed on the node.
func (n *Node) HasFailCounts() bool {
	for k := range n.Attrs { // any order: one is enough
		if strings.HasPrefix(k, "fail-count-") {
			return true
		}
	}
	return false
}

// FailCount is how often the resource failed on the node, and when it did last.
// op is the history entry for which it is asked, nil for all.
func (c *Cluster) FailCount(n *Node, r *Resource, f FailFlags, op *etree.Element) (count Score, last time.Time) {
	name, unique := r.failName(), r.Is(Unique)
	var lastUnix int64
	for _, k := range n.failAttrs(name) {
		if failAttr(k, "fail-count", name, unique) {
			if s, ok := ParseScore(n.Attrs[k], 0); ok {
				count = count.Add(s)
			}
		} else if failAttr(k, "last-failure", name, unique) {
			if t, ok := leadingInt(n.Attrs[k]); ok {
				lastUnix = max(lastUnix, t)
			}
		}
	}
	if count > 0 && r.FailureTimeoutMS > 0 && c.blocksFailure(n, r, op) {
		r.FailureTimeoutMS = 0
	}
	if f&FailEffective != 0 && count > 0 && lastUnix > 0 && r.FailureTimeoutMS > 0 &&
		c.Now.Unix() > lastUnix+int64(seconds(r.FailureTimeoutMS)) {
		count = 0
	}
	if f&FailLaunched != 0 && len(r.Launched) > 0 && !r.InBundle() {
		for _, l := range r.Launched {
			n2, t := c.FailCount(n, l, f, op)
			count += n2
			if !t.IsZero() {
				lastUnix = max(lastUnix, t.Unix())
			}
		}
	}
	if count > 0 && lastUnix > 0 {
		last = time.Unix(lastUnix, 0)
	}
	return count, last
}

// seconds rounds milliseconds to the nearest second, but never to none.
func seconds(ms uint) uint {
	if ms == 0 {
		return 0
	}
	return max(1, (ms+500)/1000)
}

// blocksFailure tells whether an operation whose on-fail is block failed, which
// makes failures last.
func (c *Cluster) blocksFailure(n *Node, r *Resource, op *etree.Element) bool {
	id := StripInstance(r.ID)
	for _, p := range c.primitivesByID(id) {
		for conf := range document.All(p, "op") {
			if document.Get(conf, "on-fail") != "block" {
				continue
			}
			if op != nil {
				if failedAs(id, conf, op) {
					return true
				}
				continue
			}
			for h := range document.Children(c.History(n.Name, id), "lrm_rsc_op") {
				if document.Get(h, "operation") == document.Get(conf, "name") && uintAttr(h, "interval") == IntervalMS(conf) && failedAs(id, conf, h) {
					return true
				}
			}
		}
	}
	return false
}

func (c *Cluster) primitivesByID(id string) []*etree.Element {
	var out []*etree.Element
	for p := range document.All(c.resourcesXML, "primitive") {
		if document.ID(p) == id {
			out = append(out, p)
		}
	}
	return out
}

// failedAs tells whether a history entry is a failure of a configured operation.
func failedAs(id string, conf, op *etree.Element) bool {
	if IntervalMS(conf) != uintAttr(op, "interval") || document.Get(conf, "name") != document.Get(op, "operation") {
		return false
	}
	switch document.ID(op) {
	case graph.OpKey(id, "last_failure", 0):
		return true
	case graph.OpKey(id, document.Get(conf, "name"), IntervalMS(conf)):
		return intAttr(op, "rc-code", 0) != TargetRC(op)
	}
	return false
}
