// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"slices"
	"testing"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/transition/graph"
)

func TestHistoriesAreFoundByEitherNameWhereItIsUnique(t *testing.T) {
	cib, err := document.Parse([]byte(`<cib><status><node_state id="1" uname="a"><lrm id="1"><lrm_resources>
		<lrm_resource id="one" type="t1"><lrm_rsc_op id="o" call-id="7"/></lrm_resource>
		<lrm_resource id="two" type="t2"><lrm_rsc_op id="a" call-id="3" op-status="0"/></lrm_resource>
		<lrm_resource id="two" type="t3"><lrm_rsc_op id="a" call-id="5"/><lrm_rsc_op id="b" call-id="4"/></lrm_resource>
		</lrm_resources></lrm></node_state></status></cib>`))
	if err != nil {
		t.Fatal(err)
	}
	h := histories{cib: cib}
	n := h.node("a", "1")
	find := func(name, id string) (string, int) {
		e, call := n.resource(name, &graph.Primitive{ID: id, Type: "new"})
		return document.Get(e, "type"), call
	}
	for _, c := range []struct {
		name, id, want string
		call           int
	}{
		{"one", "none", "t1", 8},
		{"none", "one", "t1", 8},
		{"two", "one", "t1", 8},
		{"two", "two", "t2", 1}, // the first of several, as if it were new
		{"fresh", "fresh", "new", 1},
	} {
		if got, call := find(c.name, c.id); got != c.want || call != c.call {
			t.Errorf("%s or %s: found %s and call %d, want %s and %d", c.name, c.id, got, call, c.want, c.call)
		}
	}
	list := document.At(n.state, "lrm", "lrm_resources")
	got := ""
	for op := range document.All(list, "lrm_rsc_op") {
		got += document.ID(op.Parent()) + "." + document.ID(op) + "=" + document.Get(op, "call-id") + document.Get(op, "op-status") + " "
	}
	if want := "one.o=7 two.a=50 two.b=4 two.a=5 two.b=4 "; got != want {
		t.Errorf("histories of one id come to %s, want %s", got, want)
	}
	count := func() int { return len(slices.Collect(document.Children(list, "lrm_resource"))) }
	if typ, _ := find("fresh", "fresh"); typ != "new" || count() != 4 {
		t.Errorf("%d histories, want 4: one is new", count())
	}
	n.drop(cib)
	if typ, _ := find("one", "one"); typ != "new" {
		t.Error("a history outlived its node")
	}
	if h.node("a", "1") != n || h.node("b", "2").state == n.state {
		t.Error("nodes are mixed up")
	}
}
