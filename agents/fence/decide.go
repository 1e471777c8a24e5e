// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/metadata"
)

// Info is what a fence agent's metadata say that matters here.
type Info struct {
	// Target is the parameter that names the node's plug: plug, port, or "".
	Target string
	// Actions are the verbs that the agent knows.
	Actions []string
	// OnAutomatic and OnTarget are attributes of the on action: to be done when a
	// node joins, and by the node itself.
	OnAutomatic, OnTarget bool
}

// InfoOf reads an agent's metadata.
func InfoOf(a metadata.Agent) Info {
	var i Info
	for _, name := range []string{"plug", "port"} {
		if i.Target == "" && a.HasParameter(name) {
			i.Target = name
		}
	}
	for _, act := range a.Actions {
		i.Actions = append(i.Actions, act.Name)
		if act.Name == "on" {
			i.OnAutomatic, i.OnTarget = act.Automatic, act.OnTarget
		}
	}
	return i
}

// Supports tells whether the agent knows the verb.
func (i Info) Supports(action string) bool { return slices.Contains(i.Actions, action) }

// Check is how to find out which nodes the device can fence: as configured, else
// derived from what is configured and what the agent can do.
func (o Options) Check(i Info) HostCheck {
	switch {
	case o.HostCheck != "":
		return o.HostCheck
	case len(o.HostList) > 0 || len(o.HostMap) > 0:
		return StaticList
	case i.Supports("list"):
		return DynamicList
	case i.Supports("status"):
		return StatusCheck
	}
	return NoCheck
}

// Port is the name under which the device knows a node.
func (o Options) Port(node string) string {
	if p := o.HostMap[strings.ToLower(node)]; p != "" {
		return p
	}
	return node
}

// InStatic tells whether the configured list or map has the node.
func (o Options) InStatic(node string) bool {
	if _, ok := o.HostMap[strings.ToLower(node)]; ok {
		return true
	}
	return containsFold(o.HostList, node)
}

// InDynamic tells whether what the device lists has the node, by its own name
// or by its port.
func (o Options) InDynamic(node string, listed []string) bool {
	return containsFold(listed, node) || containsFold(listed, o.Port(node))
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(e string) bool { return strings.EqualFold(e, s) })
}

// Answers tells by the exit code of the status action whether the device can
// fence the node: it is on (0) or off (2).
func Answers(r agents.Result) bool {
	return r.Status == agents.StatusDone && (r.Exit == agents.OK || r.Exit == agents.InvalidParam)
}

// Remap gives the action that is really asked of the device: off where it does
// not know reboot.
func (o Options) Remap(action string, i Info) string {
	if action == "reboot" && o.verbs["reboot"] == "" && !i.Supports("reboot") {
		return "off"
	}
	return action
}

// Verb is the word that the device wants for an action.
func (o Options) Verb(action string) string {
	if v := o.verbs[action]; v != "" {
		return v
	}
	return action
}

// Timeout is the time that an action has on this device.
func (o Options) Timeout(action string, def time.Duration) time.Duration {
	if d := o.timeouts[action]; d > 0 {
		return d
	}
	return def
}

// Retries is how often an action is tried in all, at least once.
func (o Options) Retries(action string) int {
	if n, ok := o.retries[action]; ok {
		return max(1, n)
	}
	return DefaultRetries
}

// Delay is the shortest and the longest time to wait before a node is fenced by
// this device, the real one to be chosen between them. Only off and reboot wait.
func (o Options) Delay(action, node string) (base, most time.Duration) {
	if action != "off" && action != "reboot" {
		return 0, 0
	}
	base = o.delayBase
	if d, ok := o.delays[strings.ToLower(node)]; ok {
		base = d
	}
	most = o.DelayMax
	if most == 0 {
		return base, base
	}
	return min(base, most), most
}

// MayRetry tells whether a failed action should be tried again: it was not
// the time that ran out, tries are left, and so is at least three tenths of the
// time.
func MayRetry(tried, tries int, left, total time.Duration, last agents.Result) bool {
	if last.Status == agents.StatusDone && last.Exit == agents.OK {
		return false
	}
	switch last.Status {
	case agents.StatusTimeout, agents.StatusCancelled, agents.StatusNotInstalled, agents.StatusInvalid:
		return false
	}
	return tried < tries && left*10 >= total*3
}

// Input makes the lines that a fence agent reads: the action, the target under
// its several names, and the device's own parameters.
func Input(c Call, o Options, i Info) ([]byte, error) {
	lines := []string{"action=" + o.Verb(c.Action)}
	own := map[string]string{}
	for k, v := range c.Params {
		if !internalParam(k) {
			own[k] = v
		}
	}
	if c.Target != "" {
		lines = append(lines, "nodename="+c.Target)
		if c.NodeID != 0 {
			lines = append(lines, "nodeid="+strconv.FormatUint(uint64(c.NodeID), 10))
		}
		arg := o.HostArgument
		if arg == "" {
			arg = i.Target
		}
		if arg != "" && !strings.EqualFold(arg, "none") {
			if v, ok := own[arg]; !ok || strings.EqualFold(v, "dynamic") {
				own[arg] = o.Port(c.Target)
			}
		}
	}
	names := make([]string, 0, len(own))
	for k := range own {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		lines = append(lines, k+"="+own[k])
	}
	for _, l := range lines {
		if strings.ContainsAny(l, "\n\x00") {
			name, _, _ := strings.Cut(l, "=")
			return nil, fmt.Errorf("fence: parameter %q has a value of several lines", name)
		}
	}
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}

// internalParam tells whether a parameter is the cluster's and not the agent's.
func internalParam(name string) bool {
	switch name {
	case "", "action", "provides", "stonith-timeout", "crm_feature_set":
		return true
	}
	return strings.HasPrefix(name, "pcmk_") || strings.HasPrefix(name, "CRM_meta_") || strings.Contains(name, "=")
}
