// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fencing

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// A Device is one configured fence device.
type Device struct {
	ID     string
	Agent  string // fence_ipmilan, …
	Params map[string]string
	Banned map[string]bool // nodes that must not run it, by name
	Active map[string]bool // nodes where it runs, by name
}

// Devices reads the fence devices that may be used from a CIB: primitives of
// class stonith, also inside groups and clones, that are not stopped by
// target-role.
func Devices(root *etree.Element) []Device {
	var list []Device
	resources := document.Section(root, "resources")
	if resources == nil {
		return nil
	}
	for p := range document.All(resources, "primitive") {
		e := effective(root, p)
		if document.Get(e, "class") != "stonith" {
			continue
		}
		if strings.EqualFold(nvpairs(root, p, "meta_attributes")["target-role"], "Stopped") {
			continue
		}
		id := document.ID(p)
		params := nvpairs(root, e, "instance_attributes")
		maps.Copy(params, nvpairs(root, p, "instance_attributes"))
		list = append(list, Device{
			ID: id, Agent: document.Get(e, "type"), Params: params,
			Banned: bans(root, id), Active: active(root, id),
		})
	}
	slices.SortFunc(list, func(a, b Device) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// effective follows a primitive's template.
func effective(root, p *etree.Element) *etree.Element {
	if t := document.Get(p, "template"); t != "" {
		if tmpl := document.ByID(document.Section(root, "resources"), "template", t); tmpl != nil {
			return tmpl
		}
	}
	return p
}

func nvpairs(root, e *etree.Element, set string) map[string]string {
	m := map[string]string{}
	for s := range document.Children(e, set) {
		if ref := document.Get(s, "id-ref"); ref != "" {
			if s = document.ByID(root, set, ref); s == nil {
				continue
			}
		}
		for nv := range document.Children(s, "nvpair") {
			if _, has := m[document.Get(nv, "name")]; !has {
				m[document.Get(nv, "name")] = document.Get(nv, "value")
			}
		}
	}
	return m
}

// bans finds the nodes that plain location constraints forbid.
func bans(root *etree.Element, rsc string) map[string]bool {
	m := map[string]bool{}
	cons := document.Section(root, "constraints")
	if cons == nil {
		return m
	}
	for l := range document.Children(cons, "rsc_location") {
		if document.Get(l, "rsc") == rsc && document.Get(l, "node") != "" &&
			strings.EqualFold(document.Get(l, "score"), "-INFINITY") {
			m[document.Get(l, "node")] = true
		}
	}
	return m
}

// active finds the nodes whose history says that the resource was started last.
func active(root *etree.Element, rsc string) map[string]bool {
	m := map[string]bool{}
	status := document.Section(root, "status")
	if status == nil {
		return m
	}
	for ns := range document.Children(status, "node_state") {
		r := document.ByID(ns, "lrm_resource", rsc)
		if r == nil {
			continue
		}
		last := document.ByID(r, "lrm_rsc_op", rsc+"_last_0")
		if last != nil && document.Get(last, "rc-code") == "0" && document.Get(last, "operation") != "stop" {
			m[document.Get(ns, "uname")] = true
		}
	}
	return m
}

// Targets tells what the device's own parameters say of a target. sure is false
// where only the device itself knows (dynamic list or status).
func (d *Device) Targets(target string) (can, sure bool) {
	check := d.Params["pcmk_host_check"]
	list, hostMap := d.Params["pcmk_host_list"], d.Params["pcmk_host_map"]
	if check == "" {
		check = "dynamic-list"
		if list != "" || hostMap != "" {
			check = "static-list"
		}
	}
	switch check {
	case "none":
		return true, true
	case "static-list":
		for _, n := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" ,;\t\n", r) }) {
			if strings.EqualFold(n, target) {
				return true, true
			}
		}
		for _, pair := range strings.FieldsFunc(hostMap, func(r rune) bool { return strings.ContainsRune(" ;\t\n", r) }) {
			name, _, _ := strings.Cut(pair, ":")
			if strings.EqualFold(strings.TrimSuffix(name, "="), target) {
				return true, true
			}
		}
		return false, true
	}
	return true, false
}

// Timeout is how long one run of an action may take.
func (d *Device) Timeout(action string, common time.Duration) time.Duration {
	if t, ok := Duration(d.Params["pcmk_"+action+"_timeout"]); ok && t > 0 {
		return t
	}
	return common
}

// Delay gives the bounds of the random delay before an off or reboot.
func (d *Device) Delay(action, target string) (base, limit time.Duration) {
	if action != "off" && action != "reboot" {
		return 0, 0
	}
	spec := d.Params["pcmk_delay_base"]
	if strings.Contains(spec, ":") {
		all := spec
		spec = ""
		for _, pair := range strings.FieldsFunc(all, func(r rune) bool { return strings.ContainsRune(" ;\t", r) }) {
			if name, v, _ := strings.Cut(pair, ":"); strings.EqualFold(name, target) {
				spec = v
			}
		}
	}
	base, _ = Duration(spec)
	limit, _ = Duration(d.Params["pcmk_delay_max"])
	if limit == 0 {
		limit = base
	}
	return min(base, limit), limit
}

// Duration reads a time as the CIB has it: a number with a unit, seconds
// without one.
func Duration(v string) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	digits := strings.TrimRight(v, "abcdefghijklmnopqrstuvwxyz ")
	n, err := strconv.ParseInt(digits, 10, 40)
	if err != nil || n < 0 {
		return 0, false
	}
	units := map[string]time.Duration{
		"": time.Second, "s": time.Second, "sec": time.Second, "ms": time.Millisecond, "msec": time.Millisecond,
		"us": time.Microsecond, "usec": time.Microsecond, "m": time.Minute, "min": time.Minute, "h": time.Hour, "hr": time.Hour,
	}
	u, ok := units[strings.TrimSpace(v[len(digits):])]
	return time.Duration(n) * u, ok
}

// maxLevels bounds fencing-topology, as the schema does.
const maxLevels = 9

// Levels gives the devices to try for a target, level by level. Without a
// topology each device that can is a level of its own; those that say so
// themselves come first.
func Levels(root *etree.Element, devices []Device, target string) [][]Device {
	if levels, found := topology(root, devices, target); found {
		return levels
	}
	var sure, maybe [][]Device
	for _, d := range devices {
		switch can, known := d.Targets(target); {
		case can && known:
			sure = append(sure, []Device{d})
		case can:
			maybe = append(maybe, []Device{d})
		}
	}
	return append(sure, maybe...)
}

func topology(root *etree.Element, devices []Device, target string) ([][]Device, bool) {
	topo := document.Section(root, "fencing-topology")
	if topo == nil {
		return nil, false
	}
	type level struct {
		index   int
		devices []Device
	}
	var levels []level
	for l := range document.Children(topo, "fencing-level") {
		if !levelMatches(root, l, target) {
			continue
		}
		index, err := strconv.Atoi(document.Get(l, "index"))
		if err != nil || index < 1 || index > maxLevels {
			continue
		}
		lv := level{index: index}
		complete := true
		for id := range strings.SplitSeq(document.Get(l, "devices"), ",") {
			at := slices.IndexFunc(devices, func(d Device) bool { return d.ID == strings.TrimSpace(id) })
			if at < 0 {
				complete = false
				break
			}
			lv.devices = append(lv.devices, devices[at])
		}
		if complete {
			levels = append(levels, lv)
		}
	}
	slices.SortStableFunc(levels, func(a, b level) int { return cmp.Compare(a.index, b.index) })
	var out [][]Device
	for _, l := range levels {
		out = append(out, l.devices)
	}
	return out, len(out) > 0
}

func levelMatches(root, l *etree.Element, target string) bool {
	if t := document.Get(l, "target"); t != "" {
		return strings.EqualFold(t, target)
	}
	if p := document.Get(l, "target-pattern"); p != "" {
		re, err := regexp.Compile("(?i)" + p)
		return err == nil && re.MatchString(target)
	}
	name := document.Get(l, "target-attribute")
	nodes := document.Section(root, "nodes")
	if name == "" || nodes == nil {
		return false
	}
	for n := range document.Children(nodes, "node") {
		if strings.EqualFold(document.Get(n, "uname"), target) {
			return nvpairs(root, n, "instance_attributes")[name] == document.Get(l, "target-value")
		}
	}
	return false
}
