// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"slices"
	"strings"
)

// UnfencingDevices gives the fence devices by which nodes are unfenced, the
// last ones first.
func (c *Cluster) UnfencingDevices() []*Resource {
	list := unfencingDevices(c.Resources, nil)
	slices.Reverse(list)
	return list
}

func unfencingDevices(list, out []*Resource) []*Resource {
	for _, r := range list {
		switch {
		case len(r.Children) > 0:
			out = unfencingDevices(r.Children, out)
		case !r.Is(FenceDevice):
		case r.Is(NeedsUnfencing) || strings.EqualFold(r.Meta["provides"], "unfencing"):
			out = append(out, r)
		}
	}
	return out
}

// An UnfencingDigest is what a fence device's parameters come to.
type UnfencingDigest struct {
	Digest

	// Summary and SecureSummary are what a node keeps of them once it is
	// unfenced.
	Summary, SecureSummary string
	// Notes tell what changed, in Pacemaker's words.
	Notes []string
}

// UnfencingDigest compares a fence device's parameters with those with which the
// node was unfenced.
func (c *Cluster) UnfencingDigest(r *Resource, n *Node) *UnfencingDigest {
	d := &UnfencingDigest{Digest: *c.digest(r, n, "stonith-on", 0, nil, true)}
	agent := r.ID + ":" + r.Meta["type"] + ":"
	d.Summary, d.SecureSummary = agent+d.All, agent+d.Secure
	d.Result = DigestSame
	all, has := n.Attrs["#digests-all"]
	switch {
	case !has:
		d.Result = DigestUnknown
	case strings.Contains(all, d.Summary):
	case strings.Contains(n.Attrs["#digests-secure"], d.SecureSummary):
		d.Notes = append(d.Notes, "Only 'private' parameters to "+r.ID+" for unfencing "+n.Name+" changed")
	default:
		d.Result = DigestChanged
		if c.Sanitized {
			d.Notes = append(d.Notes, "Parameters to "+r.ID+" for unfencing "+n.Name+" changed, try '"+d.SecureSummary+"'")
		}
		d.Notes = append(d.Notes, "notice: Unfencing node "+n.Name+" because the definition of "+r.ID+" changed")
	}
	return d
}

// UnfencingNotes tells what changed of the devices that unfence the nodes whose
// fencing the history demands.
func (c *Cluster) UnfencingNotes() []string {
	if !c.EnableUnfencing {
		return nil
	}
	var notes []string
	var told []*Node
	for _, i := range c.Intents {
		if i.Kind != IntentFence || slices.Contains(told, i.Node) {
			continue
		}
		told = append(told, i.Node)
		for _, d := range c.UnfencingDevices() {
			notes = append(notes, c.UnfencingDigest(d, i.Node).Notes...)
		}
	}
	return notes
}
