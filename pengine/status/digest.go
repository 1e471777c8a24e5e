// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"maps"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/opdigest"
	"github.com/quorate/quorate/cib/rule"
	"github.com/quorate/quorate/transition/graph"
)

// DigestMatch is how recorded parameters compare with the present ones.
type DigestMatch int

// The results of a comparison.
const (
	DigestSame    DigestMatch = iota
	DigestUnknown             // nothing was recorded
	DigestChanged             // a parameter changed that can be reloaded
	DigestRestart             // a parameter changed that needs a restart
)

// A Digest is what an operation's parameters come to.
type Digest struct {
	Result               DigestMatch
	All, Restart, Secure string
	restart              bool // Restart was computed
}

// digestKey is what digests are kept by.
type digestKey struct {
	node *Node
	op   string
}

// digest computes the digests of an operation; op is its history entry, nil where
// there is none.
func (c *Cluster) digest(r *Resource, n *Node, task string, intervalMS uint, op *etree.Element, secure bool) *Digest {
	d, all := &Digest{}, map[string]string{}
	add := func(m map[string]string, meta bool) {
		for k, v := range m { // any order: names that become one are no parameters
			if meta {
				if strings.ContainsAny(k, "#:") {
					continue
				}
				k = opdigest.MetaName(k)
			}
			if _, has := all[k]; !has {
				all[k] = v
			}
		}
	}
	if addr := c.BundleAddress(r); addr != "" {
		all["addr"] = addr
	}
	params := c.Params(r, n)
	add(params, false)
	config := r.Operation(task, intervalMS, true)
	own := c.OpParams(config, n)
	if intervalMS == 0 && len(own) > 0 {
		d.Result = DigestRestart // of these, the operation has to know
	}
	add(own, false)
	add(c.OpMeta(r, n, task, intervalMS, config), true)
	all = opdigest.Filter(all)
	d.All = opdigest.Sum(all)
	if secure {
		d.Secure = c.secureDigest(r, op, all, params)
	}
	if _, d.restart = c.RestartDigest(op); d.restart {
		if names, has := document.Lookup(op, "op-force-restart"); has {
			d.Restart = opdigest.Only(all, strings.Split(names, " "))
		} else {
			d.Restart = opdigest.Sum(all)
		}
	}
	return d
}

// secureDigest leaves private parameters out. Entries of feature set before
// 3.16.0 also left out those of the fencer.
func (c *Cluster) secureDigest(r *Resource, op *etree.Element, all, params map[string]string) string {
	private := "passwd password user"
	if op != nil {
		private = document.Get(op, "op-secure-params")
	}
	version := document.Get(op, "crm_feature_set")
	if version == "" {
		version = document.Get(c.Root, "crm_feature_set")
	}
	if version == "" || rule.CompareVersions(version, "3.16.0") >= 0 {
		return opdigest.Without(copyMap(all), strings.Fields(private))
	}
	old := copyMap(params)
	if hasCap(document.Get(r.XML, "class"), capFenceParams) {
		for k := range old { // any order: each name on its own
			if strings.HasPrefix(k, "pcmk_") || k == "provides" || k == "stonith-timeout" {
				delete(old, k)
			}
		}
	}
	old = opdigest.Filter(old)
	delete(old, "CRM_meta_timeout")
	return opdigest.Without(old, strings.Fields(private))
}

func copyMap(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	maps.Copy(out, m)
	return out
}

// expiredRestart is the digest of an entry that has expired: like no other.
const expiredRestart = "calculated-failure-timeout"

// RestartDigest is what a history entry says of the parameters whose change needs
// a restart, and whether it says anything.
func (c *Cluster) RestartDigest(op *etree.Element) (string, bool) {
	if op != nil && c.restarts[op] {
		return expiredRestart, true
	}
	return document.Lookup(op, "op-restart-digest")
}

// CompareDigest compares the parameters of a history entry with the present
// ones. Like Pacemaker it computes the digests of an operation once, by the first
// entry that it meets: what a later one of the same operation says of parameters
// to leave out does not count, nor does its digest for restarts where the first
// had none.
func (c *Cluster) CompareDigest(r *Resource, op *etree.Element, n *Node) *Digest {
	task, intervalMS := document.Get(op, "operation"), uintAttr(op, "interval")
	key := digestKey{n, graph.OpKey(r.ID, task, intervalMS)}
	d := c.digests[key]
	if d == nil {
		d = c.digest(r, n, task, intervalMS, op, c.Sanitized)
		if c.digests == nil {
			c.digests = map[digestKey]*Digest{}
		}
		c.digests[key] = d
	}
	restart, hasRestart := c.RestartDigest(op)
	all, hasAll := document.Lookup(op, "op-digest")
	switch {
	case d.restart && hasRestart && restart != d.Restart:
		d.Result = DigestRestart
	case !hasAll:
		d.Result = DigestUnknown
	case all == d.All:
		d.Result = DigestSame
	case d.Result == DigestRestart && intervalMS == 0:
	default:
		d.Result = DigestChanged
	}
	return d
}
