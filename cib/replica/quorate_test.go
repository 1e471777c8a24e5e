// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package replica

import (
	"fmt"
	"testing"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/messaging"
)

// quorum writes what the DC of a partition writes.
func (r *rig) quorum(n messaging.NodeID, id uint64, value string) {
	r.step(n, &Write{ID: id, Req: cib.Request{Op: cib.OpModify, Data: fmt.Appendf(nil, `<cib have-quorum=%q/>`, value)}})
}

func TestTheQuorateSideWinsOverAHigherVersion(t *testing.T) {
	r := three(t)
	all, majority, alone := []messaging.NodeID{1, 2, 3}, []messaging.NodeID{2, 3}, []messaging.NodeID{1}
	r.quorum(1, 1, "1")
	r.flow(all...)

	r.group(alone, nil, majority)
	r.flow(alone...)
	r.quorum(1, 2, "0")
	for i := range 5 {
		r.write(1, uint64(10+i), fmt.Sprint("alone", i))
	}
	r.flow(alone...)
	r.group(majority, nil, alone)
	r.flow(majority...)
	r.write(2, 20, "acknowledged")
	r.flow(majority...)
	if !r.answered(20) || r.answers[20] != nil {
		t.Fatalf("write of the quorate side: %v", r.answers)
	}
	given := operation.VersionOf(r.cores[1].Root())
	if v := operation.VersionOf(r.cores[2].Root()); v.Compare(given) >= 0 {
		t.Fatalf("version %s of the quorate side is not below %s: nothing is tested", v, given)
	}

	r.group(all, all, nil)
	r.flow(all...)
	for n, c := range r.cores {
		if !has(c.Root(), "acknowledged") || has(c.Root(), "alone0") {
			t.Errorf("node %d does not have the document of the quorate side", n)
		}
		if v := operation.VersionOf(c.Root()); v.Compare(given) <= 0 {
			t.Errorf("node %d: version %s was already given to another document (up to %s)", n, v, given)
		}
	}
}

func TestACutNodeIsNotQuorateThoughNoDCHasSaidSo(t *testing.T) {
	r := three(t)
	all, majority, alone := []messaging.NodeID{1, 2, 3}, []messaging.NodeID{1, 2}, []messaging.NodeID{3}
	r.quorum(1, 1, "1")
	r.flow(all...)

	r.group(alone, nil, majority)
	r.flow(alone...)
	for i := range 3 {
		r.write(3, uint64(10+i), fmt.Sprint("alone", i))
	}
	r.flow(alone...)
	r.group(majority, nil, alone)
	r.flow(majority...)
	r.write(2, 20, "acknowledged")
	r.flow(majority...)
	if !r.answered(20) || r.answers[20] != nil {
		t.Fatalf("write of the majority: %v", r.answers)
	}

	r.group(all, all, nil)
	r.flow(all...)
	for n, c := range r.cores {
		if !has(c.Root(), "acknowledged") {
			t.Errorf("node %d has lost an acknowledged write", n)
		}
	}
}
