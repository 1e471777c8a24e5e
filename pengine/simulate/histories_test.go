// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"testing"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/transition/graph"
)

func TestHistoriesAreFoundByEitherNameWhereItIsUnique(t *testing.T) {
	cib, err := document.Parse([]byte(`<cib><status><node_state id="1" uname="a"><lrm id="1"><lrm_resources>
		<lrm_resource id="one" type="t1"/><lrm_resource id="two" type="t2"/><lrm_resource id="two" type="t3"/>
		</lrm_resources></lrm></node_state></status></cib>`))
	if err != nil {
		t.Fatal(err)
	}
	h := histories{cib: cib}
	n := h.node("a", "1")
	find := func(name, id string) string {
		return document.Get(n.resource(name, &graph.Primitive{ID: id, Type: "new"}), "type")
	}
	for _, c := range []struct{ name, id, want string }{
		{"one", "none", "t1"},
		{"none", "one", "t1"},
		{"two", "one", "t1"},
		{"two", "two", "new"}, // of two none is right
		{"fresh", "fresh", "new"},
	} {
		if got := find(c.name, c.id); got != c.want {
			t.Errorf("%s or %s: found %s, want %s", c.name, c.id, got, c.want)
		}
	}
	list := document.At(n.state, "lrm", "lrm_resources")
	if len(list.Child) != 5 || find("fresh", "fresh") != "new" || len(list.Child) != 5 {
		t.Errorf("%d histories, want 5: two are new", len(list.Child))
	}
	n.drop(cib)
	if document.Child(n.state, "lrm") != nil || find("one", "one") != "new" {
		t.Error("a history outlived its node")
	}
	if h.node("a", "1") != n || h.node("b", "2").state == n.state {
		t.Error("nodes are mixed up")
	}
}
