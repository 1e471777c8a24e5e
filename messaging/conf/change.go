// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/messaging"
)

// fixed lists the keys that count at the start only, by the path of their
// section; "*" means all of the section. A reload keeps the value that runs.
func fixed(path, name string) bool {
	switch path {
	case "totem":
		return slices.Contains([]string{
			"version", "threads", "ip_version", "ip_dscp", "netmtu", "transport", "cluster_name", "nodeid", "clear_node_high_bit",
		}, name)
	case "totem.interface":
		return slices.Contains([]string{"bindnetaddr", "mcastaddr", "broadcast", "mcastport", "ttl"}, name)
	case "quorum":
		return slices.Contains([]string{
			"provider", "allow_downscale", "wait_for_all", "last_man_standing", "last_man_standing_window", "expected_votes_tracking",
			"auto_tie_breaker", "auto_tie_breaker_node", "lease",
		}, name)
	case "logging":
		return name == "blackbox"
	case "system":
		return true
	}
	return false
}

// Reloadable tells whether a change of the key takes effect by a reload.
func Reloadable(section, name string) bool { return !fixed(section, name) }

// A Change is one key that differs between two files. Old or New is "" where
// the key is not there.
type Change struct{ Key, Old, New string }

// String tells the change, in the words of an administrator.
func (c Change) String() string {
	if c.Key == "totem.key" {
		return c.Key + ": changed"
	}
	return fmt.Sprintf("%s: %s → %s", c.Key, cmp.Or(c.Old, "(unset)"), cmp.Or(c.New, "(unset)"))
}

// Changes lists the keys that differ, sorted by key.
func Changes(from, to *Config) []Change { return changes(from.Entries, to.Entries) }

func changes(from, to []messaging.CmapEntry) []Change {
	all := map[string]*Change{}
	at := func(key string) *Change {
		if all[key] == nil {
			all[key] = &Change{Key: key}
		}
		return all[key]
	}
	for _, e := range from {
		at(e.Key).Old = e.Value
	}
	for _, e := range to {
		at(e.Key).New = e.Value
	}
	var out []Change
	for _, c := range all {
		if c.Old != c.New {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// Amend gives the configuration that a reload of fresh brings to a node that
// runs c: fresh, but with c's values of all keys that count at the start only.
// kept are those that fresh would have changed.
func (c *Config) Amend(fresh *Config) (merged *Config, kept []Change, err error) {
	root := fresh.root.clone()
	keepFixed(root, c.root, "")
	for n := range c.Interfaces {
		if old := findInterface(c.root, n); old != nil {
			now := findInterface(root, n)
			if now == nil {
				continue // the link goes
			}
			keepKeys(now, old, "totem.interface")
		}
	}
	merged, err = Build(fresh.File, root)
	if err != nil {
		return nil, nil, fmt.Errorf("together with what cannot change at run time: %w", err)
	}
	merged.Access = fresh.Access
	return merged, changes(merged.Entries, fresh.Entries), nil
}

// keepFixed copies the fixed keys of old into s, section by section. Sections
// that may come several times are not its business.
func keepFixed(s, old *Section, path string) {
	keepKeys(s, old, path)
	for _, name := range []string{"totem", "quorum", "logging", "system"} {
		sub := join(path, name)
		if !slices.Contains([]string{"totem", "quorum", "logging", "system"}, sub) {
			continue
		}
		o, n := mergedSub(old, name), mergedSub(s, name)
		if o == nil && n == nil {
			continue
		}
		if o == nil {
			o = &Section{Name: name}
		}
		if n == nil {
			n = &Section{Name: name, Line: o.Line}
			s.Subs = append(s.Subs, n)
		}
		keepFixed(n, o, sub)
	}
}

// keepKeys takes the fixed keys of s from old.
func keepKeys(s, old *Section, path string) {
	s.Keys = slices.DeleteFunc(s.Keys, func(k Key) bool { return fixed(path, k.Name) })
	for _, k := range old.Keys {
		if fixed(path, k.Name) {
			s.Keys = append(s.Keys, k)
		}
	}
}

// mergedSub makes one section of all of that name within s, which is how they
// count; nil where there is none.
func mergedSub(s *Section, name string) *Section {
	var first *Section
	s.Subs = slices.DeleteFunc(s.Subs, func(sub *Section) bool {
		switch {
		case sub.Name != name:
			return false
		case first == nil:
			first = sub
			return false
		}
		first.Keys = append(first.Keys, sub.Keys...)
		first.Subs = append(first.Subs, sub.Subs...)
		return true
	})
	return first
}

// findInterface finds the interface section of a link.
func findInterface(root *Section, link int) *Section {
	seen := 0
	for _, t := range root.Subs {
		if t.Name != "totem" {
			continue
		}
		for _, s := range t.Subs {
			if s.Name != "interface" {
				continue
			}
			if linkNumber(s, seen) == link {
				return s
			}
			seen++
		}
	}
	return nil
}

func (s *Section) clone() *Section {
	out := &Section{Name: s.Name, Line: s.Line, Keys: slices.Clone(s.Keys)}
	for _, sub := range s.Subs {
		out.Subs = append(out.Subs, sub.clone())
	}
	return out
}

// Shared lists what the file says about the whole cluster, sorted by key: what
// all nodes must agree on. Logging, access rights and paths are each node's own
// business, and so is the key, which is compared otherwise.
func (c *Config) Shared() []messaging.CmapEntry {
	var out []messaging.CmapEntry
	for _, e := range c.Entries {
		top, rest, _ := strings.Cut(e.Key, ".")
		switch {
		case top != "totem" && top != "nodelist" && top != "quorum":
		case e.Key == "totem.nodeid" || e.Key == "totem.keyfile" || e.Key == "totem.key":
		case strings.HasPrefix(rest, "interface.") && (strings.HasSuffix(rest, ".bindnetaddr") || strings.HasSuffix(rest, ".addr")):
		case strings.HasPrefix(rest, "device.heuristics."):
		default:
			out = append(out, e)
		}
	}
	// Of a key that stands twice the last counts.
	slices.Reverse(out)
	slices.SortStableFunc(out, func(a, b messaging.CmapEntry) int { return cmp.Compare(a.Key, b.Key) })
	return slices.CompactFunc(out, func(a, b messaging.CmapEntry) bool { return a.Key == b.Key })
}

// Digest stands for entries: equal digests, equal entries.
func Digest(entries []messaging.CmapEntry) [32]byte { return sha256.Sum256(Text(entries)) }

// Text writes entries as lines; [ParseText] reads them.
func Text(entries []messaging.CmapEntry) []byte {
	var b []byte
	for _, e := range entries {
		b = append(b, e.Key...)
		b = append(b, ' ')
		b = append(b, e.Value...)
		b = append(b, '\n')
	}
	return b
}

// ParseText reads what [Text] wrote; lines that it cannot have written are left
// out.
func ParseText(text []byte) []messaging.CmapEntry {
	var out []messaging.CmapEntry
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if ok && key != "" {
			out = append(out, messaging.CmapEntry{Key: key, Type: "str", Value: value})
		}
	}
	return out
}

// Disagreements names where the own file differs from another node's, at most
// limit of them.
func Disagreements(own, theirs []messaging.CmapEntry, node messaging.NodeID, limit int) []string {
	var out []string
	for _, c := range changes(theirs, own) {
		if len(out) == limit {
			return append(out, "and more")
		}
		out = append(out, fmt.Sprintf("%s is %s here, %s on node %d", c.Key, cmp.Or(c.New, "not set"), cmp.Or(c.Old, "not set"), node))
	}
	return out
}
