// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmresource

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/pengine/status"
)

// why tells which resources run, and of those that do not, what keeps them.
func (k *call) why() error {
	switch {
	case k.r != nil && k.n != nil:
		k.whyOn(k.r)
	case k.n != nil:
		for r := range k.primitives() {
			if slices.Contains(r.ActiveOn, k.n) {
				k.io.Printf("Resource %s is running on host %s\n", r.ID, k.n.Name)
			}
		}
	case k.r != nil:
		k.whyNot(k.r)
	default:
		for _, r := range k.c.Resources {
			k.whyNot(r)
		}
	}
	return nil
}

func (k *call) whyOn(r *status.Resource) {
	if slices.Contains(r.Nodes(false), k.n) {
		k.io.Printf("Resource %s is running on host %s\n", r.ID, k.n.Name)
		return
	}
	k.io.Printf("Resource %s is not running on host %s\n", r.ID, k.n.Name)
	for _, reason := range k.nodeReasons(r, k.n) {
		k.io.Printf("%s\n", reason)
	}
}

func (k *call) whyNot(r *status.Resource) {
	if r.Active(false) {
		k.io.Printf("Resource %s is running\n", r.ID)
		return
	}
	k.io.Printf("Resource %s is not running\n", r.ID)
	for _, reason := range k.reasons(r) {
		k.io.Printf("%s\n", reason)
	}
}

// reasons says what keeps a resource from running anywhere, as far as the CIB
// tells it.
func (k *call) reasons(r *status.Resource) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for p := r; p != nil; p = p.Parent {
		if status.ParseRole(p.Meta["target-role"]) == status.RoleStopped {
			add("Configuration specifies '%s' should remain stopped", p.ID)
			break
		}
	}
	if !r.Is(status.Managed) {
		add("Configuration specifies '%s' should not be managed", r.ID)
	}
	if k.c.Options.StopAll {
		add("Cluster option stop-all-resources keeps every resource stopped")
	}
	if !k.c.Quorate && k.c.Options.NoQuorum != status.NoQuorumIgnore {
		add("The partition has no quorum, and no-quorum-policy is not ignore")
	}
	if unclean := k.unclean(); unclean != "" && k.c.Options.FencingEnabled {
		add("Node %s is unclean and has not been fenced", unclean)
	}
	if r.Is(status.Blocked) {
		add("Resource %s is blocked by a failure", r.ID)
	}
	for _, n := range k.c.Nodes {
		out = append(out, k.nodeReasons(r, n)...)
	}
	return slices.Compact(out)
}

func (k *call) unclean() string {
	for _, n := range k.c.Nodes {
		if n.Unclean {
			return n.Name
		}
	}
	return ""
}

// nodeReasons says what keeps a resource off a node.
func (k *call) nodeReasons(r *status.Resource, n *status.Node) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch {
	case !n.Online:
		add("Node %s is offline", n.Name)
	case n.Standby:
		add("Node %s is in standby", n.Name)
	}
	for _, p := range parts(r) {
		count, last := k.c.FailCount(n, p, status.FailEffective, nil)
		if count > 0 && p.MigrationThreshold > 0 && count >= p.MigrationThreshold {
			add("Resource %s has failed %s times on node %s (last at %s): clean it up with crm_resource --cleanup -r %s",
				p.ID, count, n.Name, last.Format("15:04:05"), p.XMLID())
		}
	}
	for _, f := range k.c.Failed {
		if f.Node == n && f.Rsc != nil && f.Rsc.Top(false) == r.Top(false) {
			reason := f.Reason
			if reason == "" {
				reason = f.Exit.String()
			}
			add("Operation %s of %s failed on node %s: %s", f.Task, f.Rsc.ID, n.Name, reason)
		}
	}
	for _, b := range k.bans(r) {
		if b.Node == n {
			add("Constraint %s keeps %s off node %s", b.ID, b.Resource, n.Name)
		}
	}
	return out
}
