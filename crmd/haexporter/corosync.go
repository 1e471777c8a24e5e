// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package haexporter

import (
	"strconv"

	"github.com/quorate/quorate/messaging"
)

// quorum gives the votes.
func (s *scrape) quorum(v messaging.QuorumView) {
	s.gauge("corosync_quorate", "Whether or not the cluster is quorate", number(v.Quorate))
	for _, q := range []struct {
		name string
		n    uint32
	}{
		{"expected_votes", v.ExpectedVotes},
		{"highest_expected", v.ExpectedVotes},
		{"total_votes", v.TotalVotes},
		{"quorum", v.Quorum},
	} {
		s.gauge("corosync_quorum_votes", "Cluster quorum votes; one line per type", float64(q.n), "type", q.name)
	}
	for _, n := range v.Nodes {
		if n.Member {
			s.gauge("corosync_member_votes", "How many votes each member node has contributed with to the current quorum", float64(n.Votes),
				"node_id", strconv.FormatUint(uint64(n.ID), 10), "node", n.Name, "local", strconv.FormatBool(n.ID == v.Self))
		}
	}
}

// rings gives this node's links: one counts as faulty while a peer that is a
// member cannot be reached through it.
func (s *scrape) rings(st messaging.Status) {
	member := map[messaging.NodeID]bool{}
	for _, n := range st.View.Nodes {
		member[n.ID] = n.Member
	}
	healthy, addr := map[int]bool{}, map[int]string{}
	var order []int
	for _, l := range st.Links {
		if _, known := addr[l.Number]; !known {
			order = append(order, l.Number)
			healthy[l.Number], addr[l.Number] = true, l.LocalAddr
		}
		if l.Peer != st.Self && member[l.Peer] && !l.Connected {
			healthy[l.Number] = false
		}
	}
	faulty := 0.0
	for _, n := range order {
		if !healthy[n] {
			faulty++
		}
		s.gauge("corosync_rings", "The status of each Corosync ring; 1 means healthy, 0 means faulty.", number(healthy[n]),
			"ring_id", st.View.Ring.String(), "node_id", strconv.FormatUint(uint64(st.Self), 10), "number", strconv.Itoa(n), "address", addr[n])
	}
	s.gauge("corosync_ring_errors", "The total number of faulty corosync rings", faulty)
}
