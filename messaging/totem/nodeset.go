// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/messaging"
)

// nodeSet is a set of nodes, sorted. Operations give new slices, so that a set
// handed out never changes.
type nodeSet []messaging.NodeID

func (s nodeSet) has(n messaging.NodeID) bool {
	_, found := slices.BinarySearch(s, n)
	return found
}

func (s nodeSet) with(n messaging.NodeID) nodeSet {
	i, found := slices.BinarySearch(s, n)
	if found {
		return s
	}
	out := make(nodeSet, 0, len(s)+1)
	return append(append(append(out, s[:i]...), n), s[i:]...)
}

func (s nodeSet) filter(keep func(messaging.NodeID) bool) nodeSet {
	out := make(nodeSet, 0, len(s))
	for _, n := range s {
		if keep(n) {
			out = append(out, n)
		}
	}
	return out
}

func (s nodeSet) minus(o nodeSet) nodeSet {
	return s.filter(func(n messaging.NodeID) bool { return !o.has(n) })
}

func (s nodeSet) union(o nodeSet) nodeSet {
	out := append(slices.Clone(s), o...)
	slices.Sort(out)
	return slices.Compact(out)
}

func (s nodeSet) subsetOf(o nodeSet) bool {
	for _, n := range s {
		if !o.has(n) {
			return false
		}
	}
	return true
}

func (s nodeSet) equal(o nodeSet) bool { return slices.Equal(s, o) }

// after gives the member that follows n on the ring.
func (s nodeSet) after(n messaging.NodeID) messaging.NodeID {
	i, found := slices.BinarySearch(s, n)
	if found {
		i++
	}
	return s[i%len(s)]
}

// names lists the members in words.
func (s nodeSet) names() string {
	names := make([]string, len(s))
	for i, n := range s {
		names[i] = nodeName(n)
	}
	return strings.Join(names, " and ")
}
