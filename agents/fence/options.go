// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fence

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/iso8601"
)

// A HostCheck is how it is found out which nodes a device can fence.
type HostCheck string

// The values of pcmk_host_check.
const (
	StaticList  HostCheck = "static-list"
	DynamicList HostCheck = "dynamic-list"
	StatusCheck HostCheck = "status"
	NoCheck     HostCheck = "none"
)

// maxSpan bounds a delay or timeout, in milliseconds: a year.
const maxSpan = 365 * 24 * 3600 * 1000

// DefaultRetries is how often a failed action is tried in all.
const DefaultRetries = 2

// Options are the parameters of a device that the cluster reads itself.
type Options struct {
	// HostArgument is the parameter that names the target; "" is what the agent's
	// metadata say, none is no parameter.
	HostArgument string
	HostMap      map[string]string // node → port, by lower-case node
	HostList     []string
	// HostCheck is "" where nothing is configured: see [Options.Check].
	HostCheck HostCheck
	DelayMax  time.Duration
	// ActionLimit is how many actions of the device may run at once; -1 is any
	// number.
	ActionLimit int

	delayBase time.Duration
	delays    map[string]time.Duration // base by lower-case node
	verbs     map[string]string
	timeouts  map[string]time.Duration
	retries   map[string]int
}

// ParseOptions reads a device's parameters. It uses what it can and reports the
// rest: the options are usable although there is an error.
func ParseOptions(params map[string]string) (Options, error) {
	o := Options{
		HostArgument: params["pcmk_host_argument"], ActionLimit: 1,
		verbs: map[string]string{}, timeouts: map[string]time.Duration{}, retries: map[string]int{},
	}
	var errs []error
	bad := func(name string) {
		errs = append(errs, fmt.Errorf("fence: %s: %q is not a value for it", name, params[name]))
	}
	var ok bool
	if o.HostMap, ok = ParseHostMap(params["pcmk_host_map"]); !ok {
		bad("pcmk_host_map")
	}
	o.HostList = ParseHosts(params["pcmk_host_list"])
	switch c := HostCheck(strings.ToLower(params["pcmk_host_check"])); c {
	case "", StaticList, DynamicList, StatusCheck, NoCheck:
		o.HostCheck = c
	default:
		bad("pcmk_host_check")
	}
	if v := params["pcmk_action_limit"]; v != "" {
		if n, err := strconv.Atoi(v); err == nil && n != 0 && n >= -1 {
			o.ActionLimit = n
		} else {
			bad("pcmk_action_limit")
		}
	}
	if v := params["pcmk_delay_max"]; v != "" {
		if o.DelayMax, ok = span(v); !ok {
			bad("pcmk_delay_max")
		}
	}
	if !o.parseDelayBase(params["pcmk_delay_base"]) {
		bad("pcmk_delay_base")
	}
	for name := range params {
		if !o.parsePerAction(name, params[name]) {
			bad(name)
		}
	}
	return o, errors.Join(errs...)
}

// parsePerAction reads pcmk_ACTION_action, _timeout and _retries.
func (o *Options) parsePerAction(name, value string) bool {
	rest, ok := strings.CutPrefix(name, "pcmk_")
	if !ok {
		return true
	}
	i := strings.LastIndexByte(rest, '_')
	if i <= 0 {
		return true
	}
	action := rest[:i]
	switch rest[i+1:] {
	case "action":
		o.verbs[action] = value
	case "timeout":
		d, ok := span(value)
		if !ok {
			return false
		}
		o.timeouts[action] = d
	case "retries":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return false
		}
		o.retries[action] = n
	}
	return true
}

// parseDelayBase reads one delay for all nodes, or node:delay pairs.
func (o *Options) parseDelayBase(v string) bool {
	v = strings.TrimSpace(v)
	if v == "" {
		return true
	}
	if d, ok := span(v); ok {
		o.delayBase = d
		return true
	}
	m, ok := ParseHostMap(v)
	if !ok || len(m) == 0 {
		return false
	}
	o.delays = map[string]time.Duration{}
	for node, value := range m {
		d, good := span(value)
		ok = ok && good
		o.delays[node] = d
	}
	return ok
}

// span reads a time with or without a unit; a bare number is seconds.
func span(v string) (time.Duration, bool) {
	ms, err := iso8601.ParseInterval(strings.TrimSpace(v))
	return time.Duration(min(ms, maxSpan)) * time.Millisecond, err == nil
}

// ParseHosts reads a list of nodes as administrators and agents write it:
// separated by commas, semicolons and white space, or by the two characters \n.
// Of an agent's list, a line is a node followed by its aliases, so that all names
// are wanted; power states among them, and lines in which a device complains
// about parameters, are not. A name ends where a character follows that node
// names do not have. The result has no name twice.
func ParseHosts(s string) []string {
	seen := map[string]bool{}
	var names []string
	for line := range strings.SplitSeq(strings.ReplaceAll(s, `\n`, "\n"), "\n") {
		if strings.Contains(line, "invalid") || strings.Contains(line, "variable") {
			continue
		}
		for _, f := range strings.FieldsFunc(line, func(r rune) bool {
			return r == ',' || r == ';' || r == ' ' || r == '\t' || r == '\r' || r == '\v' || r == '\f'
		}) {
			f = hostPrefix(f)
			if f == "" || seen[f] || strings.EqualFold(f, "on") || strings.EqualFold(f, "off") {
				continue
			}
			seen[f] = true
			names = append(names, f)
		}
	}
	return names
}

// hostPrefix is the part of s that can be a node's name.
func hostPrefix(s string) string {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.':
		default:
			return s[:i]
		}
	}
	return s
}

// ParseHostMap reads node:port pairs separated by semicolons or blanks; the
// backslash takes the meaning from the character after it, and = may stand for
// the colon. Names of nodes come out in lower case. It tells whether all pairs
// were well formed; the others are left out.
func ParseHostMap(s string) (map[string]string, bool) {
	m := map[string]string{}
	good := true
	var node string
	var cur []rune
	inPort, quoted := false, false
	end := func() {
		switch {
		case inPort && node != "" && len(cur) > 0:
			m[strings.ToLower(node)] = string(cur)
		case inPort || len(cur) > 0:
			good = false
		}
		node, cur, inPort = "", cur[:0], false
	}
	for _, r := range s {
		switch {
		case quoted:
			quoted = false
			cur = append(cur, r)
		case r == '\\':
			quoted = true
		case r == ';' || r == ' ' || r == '\t' || r == '\n' || r == '\r':
			end()
		case !inPort && (r == ':' || r == '='):
			node, cur, inPort = string(cur), cur[:0], true
		default:
			cur = append(cur, r)
		}
	}
	end()
	return m, good && !quoted
}
