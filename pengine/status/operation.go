// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/rule"
	"github.com/quorate/quorate/internal/iso8601"
)

// DefaultTimeoutMS is an operation's time where none is configured.
const DefaultTimeoutMS = 20000

// IsProbe tells whether an operation is a probe.
func IsProbe(task string, intervalMS uint) bool { return task == "monitor" && intervalMS == 0 }

// Operations lists the configured operations of a resource.
func (r *Resource) Operations() []*etree.Element {
	var out []*etree.Element
	for op := range document.Children(r.ops, "op") {
		out = append(out, op)
	}
	return out
}

// Enabled tells whether an operation is not switched off.
func Enabled(op *etree.Element) bool {
	v, has := document.Lookup(op, "enabled")
	b, ok := ParseBool(v)
	return !has || !ok || b
}

// IntervalMS is the interval of a configured operation.
func IntervalMS(op *etree.Element) uint {
	ms, err := iso8601.ParseInterval(document.Get(op, "interval"))
	if err != nil {
		return 0
	}
	return ms
}

// Operation finds the configuration of an operation.
func (r *Resource) Operation(task string, intervalMS uint, disabledToo bool) *etree.Element {
	if op := r.exactOperation(task, intervalMS, disabledToo); op != nil {
		return op
	}
	if task == "migrate_to" || task == "migrate_from" {
		return r.exactOperation("migrate", 0, disabledToo)
	}
	return nil
}

func (r *Resource) exactOperation(task string, intervalMS uint, disabledToo bool) *etree.Element {
	for op := range document.Children(r.ops, "op") {
		if (disabledToo || Enabled(op)) && IntervalMS(op) == intervalMS && document.Get(op, "name") == task {
			return op
		}
	}
	return nil
}

// Params are a resource's instance attributes on a node (nil: on no node in
// particular). The map is shared; it must not be changed.
func (c *Cluster) Params(r *Resource, n *Node) map[string]string {
	if !r.paramsVary() {
		n = nil
	}
	if p := r.params[n]; p != nil {
		return p
	}
	in := c.ruleInput()
	if n != nil {
		in.Node = n.Attrs
	}
	p := map[string]string{}
	for h := r; h != nil; h = h.Parent {
		rule.Blocks(h.XML, "instance_attributes", "", in, p)
	}
	if r.params == nil {
		r.params = map[*Node]map[string]string{}
	}
	r.params[n] = p
	return p
}

// paramsVary tells whether there are instance attributes that can depend on the
// node.
func (r *Resource) paramsVary() bool {
	for h := r; h != nil; h = h.Parent {
		for set := range document.Children(h.XML, "instance_attributes") {
			if document.Child(set, "rule") != nil {
				return true
			}
		}
	}
	return false
}

// OpParams are the instance attributes of one operation, nil where there are none.
func (c *Cluster) OpParams(op *etree.Element, n *Node) map[string]string {
	if document.Child(op, "instance_attributes") == nil {
		return nil
	}
	p := map[string]string{}
	in := c.ruleInput()
	if n != nil {
		in.Node = n.Attrs
	}
	rule.Blocks(op, "instance_attributes", "", in, p)
	return p
}

// OpMeta are the meta-attributes of an operation with its timeout, interval and
// start delay in milliseconds.
func (c *Cluster) OpMeta(r *Resource, n *Node, task string, intervalMS uint, op *etree.Element) map[string]string {
	meta := map[string]string{}
	in := c.ruleInput()
	class := document.Get(r.XML, "class")
	in.Class, in.Provider, in.Type = class, document.Get(r.XML, "provider"), document.Get(r.XML, "type")
	in.Op, in.IntervalMS = task, intervalMS
	if op != nil {
		rule.Blocks(op, "meta_attributes", "", in, meta)
		for _, a := range op.Attr {
			meta[a.Key] = a.Value
		}
		delete(meta, "can_fail")
		delete(meta, "role_after_failure")
	}
	if _, has := meta["timeout"]; !has && IsProbe(task, intervalMS) {
		if m := r.mostFrequentMonitor(); m != nil {
			if v, ok := document.Lookup(m, "timeout"); ok {
				meta["timeout"] = v
			}
		}
	}
	rule.Blocks(c.opDefaults, "meta_attributes", "", in, meta)
	delete(meta, "id")
	if intervalMS > 0 {
		meta["interval"] = strconv.FormatUint(uint64(intervalMS), 10)
	} else {
		delete(meta, "interval")
	}
	if hasCap(class, capFenceParams) && (task == "start" || IsProbe(task, intervalMS)) {
		if v, ok := c.Params(r, n)["pcmk_monitor_timeout"]; ok {
			meta["timeout"] = v
		}
	}
	meta["timeout"] = timeoutMS(meta["timeout"])
	c.checkOnFail(r, task, op, meta)
	c.startDelay(meta, intervalMS)
	return meta
}

func timeoutMS(s string) string {
	ms, err := iso8601.ParseMS(s)
	if err != nil || ms <= 0 {
		ms = DefaultTimeoutMS
	}
	return strconv.FormatInt(min(ms, math.MaxInt32), 10)
}

// startDelay puts start-delay into milliseconds, or computes it from
// interval-origin.
func (c *Cluster) startDelay(meta map[string]string, intervalMS uint) {
	if v, has := meta["start-delay"]; has {
		ms, _ := iso8601.ParseMS(v)
		meta["start-delay"] = strconv.FormatInt(min(max(ms, 0), math.MaxInt32), 10)
		return
	}
	v, has := meta["interval-origin"]
	sec := int64(intervalMS / 1000)
	if !has || sec == 0 {
		return
	}
	origin, err := iso8601.ParseTime(v, c.Now.Location(), c.Now)
	if err != nil {
		c.errorf("ignoring 'interval-origin' because '%s' is not valid", v)
		return
	}
	d := (c.Now.Unix() - origin.Unix()) % sec
	if d <= 0 {
		d = -d
	} else {
		d = sec - d
	}
	meta["start-delay"] = strconv.FormatInt(d*1000, 10)
}

func (r *Resource) mostFrequentMonitor() *etree.Element {
	var best *etree.Element
	least := uint(math.MaxUint32)
	for op := range document.Children(r.ops, "op") {
		ms := IntervalMS(op)
		if document.Get(op, "name") == "monitor" && ms > 0 && Enabled(op) && ms < least {
			best, least = op, ms
		}
	}
	return best
}

// checkOnFail removes or derives on-fail where it may not be what it is.
func (c *Cluster) checkOnFail(r *Resource, task string, op *etree.Element, meta map[string]string) {
	v, has := meta["on-fail"]
	switch task {
	case "stop":
		switch strings.ToLower(v) {
		case "standby", "demote", "stop":
			c.errorf("resetting 'on-fail' for %s stop action to default value because '%s' is not allowed for stop", r.ID, v)
			delete(meta, "on-fail")
		}
		return
	case "demote":
		if !has {
			for o := range document.Children(r.ops, "op") {
				f, ok := document.Lookup(o, "on-fail")
				if ok && isPromotedMonitor(o) && Enabled(o) && !strings.EqualFold(f, "demote") {
					meta["on-fail"] = f
				}
			}
			return
		}
	case "lrm_delete":
		meta["on-fail"] = "ignore"
		return
	}
	if strings.EqualFold(v, "demote") && document.Get(op, "name") != "promote" && !isPromotedMonitor(op) {
		c.errorf("resetting 'on-fail' for %s %s action to default value because 'demote' is not allowed for it", r.ID, task)
		delete(meta, "on-fail")
	}
}

func isPromotedMonitor(op *etree.Element) bool {
	return document.Get(op, "name") == "monitor" && ParseRole(document.Get(op, "role")) == RolePromoted && IntervalMS(op) > 0
}

// ActionRequires is what a start or promote of the resource needs.
func (r *Resource) ActionRequires(task string) Requires {
	switch {
	case task != "start" && task != "promote":
		return RequiresNothing
	case r.Is(NeedsFencing):
		return RequiresFencing
	case r.Is(NeedsQuorum):
		return RequiresQuorum
	}
	return RequiresNothing
}

// OnFailOf is the reaction to a failure of an operation with the meta-attributes
// given.
func (c *Cluster) OnFailOf(r *Resource, task string, intervalMS uint, meta map[string]string) OnFail {
	v, has := meta["on-fail"]
	reset := r.Is(IsConnection) && c.FindNode(r.ID).IsRemote() && !IsProbe(task, intervalMS) && task != "start"
	if !reset || r.Is(Managed) {
		if f, ok := c.parseOnFail(r, v, has); ok {
			return f
		}
	}
	switch {
	case r.Launcher != nil:
		return OnFailRestartContainer
	case reset && r.Is(Managed):
		return OnFailResetRemote
	case reset:
		return OnFailStop
	case task == "stop" && c.Options.FencingEnabled:
		return OnFailFence
	case task == "stop":
		return OnFailBlock
	}
	return OnFailRestart
}

func (c *Cluster) parseOnFail(r *Resource, v string, has bool) (OnFail, bool) {
	switch strings.ToLower(v) {
	case "block":
		return OnFailBlock, true
	case "fence":
		if !c.Options.FencingEnabled {
			c.errorf("resetting 'on-fail' of %s to 'stop' because 'fence' is not valid when fencing is disabled", r.ID)
			return OnFailStop, true
		}
		return OnFailFence, true
	case "standby":
		return OnFailStandby, true
	case "ignore", "nothing":
		return OnFailIgnore, true
	case "migrate":
		return OnFailBan, true
	case "stop":
		return OnFailStop, true
	case "restart":
		return OnFailRestart, true
	case "restart-container":
		return OnFailRestartContainer, r.Launcher != nil
	case "demote":
		return OnFailDemote, true
	}
	if has {
		c.errorf("using default 'on-fail' of %s because '%s' is not valid", r.ID, v)
	}
	return 0, false
}

// RoleAfterFailure is the role that a failure leaves to reach.
func (r *Resource) RoleAfterFailure(task string, f OnFail) Role {
	switch {
	case f == OnFailStop, f == OnFailResetRemote && r.ReconnectMS != 0:
		return RoleStopped
	case task == "promote":
		return RoleUnpromoted
	}
	return RoleStarted
}

// unixAttr reads a time attribute in seconds.
func unixAttr(e *etree.Element, name string) (time.Time, bool) {
	n, ok := leadingInt(document.Get(e, name))
	return time.Unix(n, 0), ok
}

func intAttr(e *etree.Element, name string, def int) int {
	n, ok := leadingInt(document.Get(e, name))
	if !ok {
		return def
	}
	return int(min(max(n, math.MinInt32), math.MaxInt32))
}

func uintAttr(e *etree.Element, name string) uint {
	return uint(max(intAttr(e, name, 0), 0))
}
