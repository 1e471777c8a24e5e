// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

var aMoment = time.Unix(1_800_000_000, 0).UTC()

// A world is a small random cluster.
type world struct {
	text   string
	banned map[string]map[string]bool // resource → node
	clones map[string]int             // clone-max
	apart  bool                       // resources must keep apart from each other
}

// drawWorld makes a cluster of few nodes and resources, nothing running yet.
// Resources are sticky: without that, those that just found their places may be
// spread anew by how many run where, as Pacemaker does too.
func drawWorld(t *rapid.T) *world {
	w := &world{banned: map[string]map[string]bool{}, clones: map[string]int{}}
	var nodes, states, rscs, cons strings.Builder
	n := rapid.IntRange(1, 4).Draw(t, "nodes")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&nodes, `<node id="%d" uname="node%d">`, i, i)
		if rapid.IntRange(0, 4).Draw(t, "standby") == 0 {
			fmt.Fprintf(&nodes, `<instance_attributes id="s%d"><nvpair id="s%d-1" name="standby" value="on"/></instance_attributes>`, i, i)
		}
		nodes.WriteString(`</node>`)
		up := rapid.IntRange(0, 4).Draw(t, "up") > 0
		crmd, join := "offline", "down"
		if up {
			crmd, join = "online", "member"
		}
		fmt.Fprintf(&states, `<node_state id="%d" uname="node%d" in_ccm="%t" crmd="%s" join="%s" expected="%s"/>`, i, i, up, crmd, join, join)
	}
	var ids []string
	primitive := func(id string) string {
		threshold := rapid.SampledFrom([]string{"", "1", "INFINITY"}).Draw(t, "threshold")
		meta := ""
		if threshold != "" {
			meta = fmt.Sprintf(`<meta_attributes id="%s-m"><nvpair id="%s-m-t" name="migration-threshold" value="%s"/></meta_attributes>`, id, id, threshold)
		}
		return fmt.Sprintf(`<primitive id="%s" class="ocf" provider="pacemaker" type="Dummy">%s<operations><op id="%s-mon" name="monitor" interval="10s"/></operations></primitive>`, id, meta, id)
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "resources") {
		id := fmt.Sprintf("r%d", i)
		ids = append(ids, id)
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			w.clones[id] = rapid.IntRange(1, 4).Draw(t, "max")
			fmt.Fprintf(&rscs, `<clone id="%s"><meta_attributes id="%s-m"><nvpair id="%s-mm" name="clone-max" value="%d"/></meta_attributes>%s</clone>`,
				id, id, id, w.clones[id], primitive(id+"c"))
		case 1:
			fmt.Fprintf(&rscs, `<group id="%s">%s%s</group>`, id, primitive(id+"a"), primitive(id+"b"))
		default:
			rscs.WriteString(primitive(id))
		}
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "constraints") {
		a, b := rapid.SampledFrom(ids).Draw(t, "a"), rapid.SampledFrom(ids).Draw(t, "b")
		score := rapid.SampledFrom([]string{"-INFINITY", "-50", "50", "INFINITY"}).Draw(t, "score")
		switch kind := rapid.IntRange(0, 2).Draw(t, "constraint"); {
		case kind == 0:
			node := fmt.Sprintf("node%d", rapid.IntRange(1, n).Draw(t, "node"))
			if score == "-INFINITY" {
				if w.banned[a] == nil {
					w.banned[a] = map[string]bool{}
				}
				w.banned[a][node] = true
			}
			fmt.Fprintf(&cons, `<rsc_location id="c%d" rsc="%s" node="%s" score="%s"/>`, i, a, node, score)
		case a == b:
		case kind == 1 && a < b:
			w.apart = w.apart || score == "-INFINITY"
			fmt.Fprintf(&cons, `<rsc_colocation id="c%d" rsc="%s" with-rsc="%s" score="%s"/>`, i, a, b, score)
		case a < b:
			fmt.Fprintf(&cons, `<rsc_order id="c%d" first="%s" then="%s" kind="%s"/>`, i, a, b, rapid.SampledFrom([]string{"Mandatory", "Optional"}).Draw(t, "strict"))
		}
	}
	w.text = fmt.Sprintf(`<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1" dc-uuid="1">
<configuration><crm_config><cluster_property_set id="o"><nvpair id="o-1" name="fencing-enabled" value="false"/></cluster_property_set></crm_config>
<nodes>%s</nodes><resources>%s</resources><constraints>%s</constraints><rsc_defaults><meta_attributes id="d"><nvpair id="d-1" name="resource-stickiness" value="1000"/></meta_attributes></rsc_defaults></configuration><status>%s</status></cib>`, nodes.String(), rscs.String(), cons.String(), states.String())
	return w
}

func parse(t interface{ Fatal(...any) }, text string) *etree.Element {
	root, err := document.Parse([]byte(text))
	if err != nil {
		t.Fatal(err, text)
	}
	return root
}

func schedule(t interface{ Fatal(...any) }, root *etree.Element) *sched.Result {
	r, err := sched.Schedule(sched.Input{CIB: root, Now: aMoment, TransitionID: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSmallClusters checks what has to hold in every cluster: the same input
// gives the same bytes; nothing ends up where it is banned, or twice; and after
// the transition there is nothing left to do.
func TestSmallClusters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		root := parse(t, w.text)
		first, second := schedule(t, root), schedule(t, parse(t, w.text))
		if !bytes.Equal(graph.Marshal(first.Graph), graph.Marshal(second.Graph)) {
			t.Fatalf("two decisions on one input differ\n%s", w.text)
		}
		rep, err := simulate.Simulate(root, simulate.Options{Now: aMoment, Simulate: true})
		if err != nil || !rep.Complete {
			t.Fatalf("the transition does not complete: %v\n%s\n%s", err, w.text, rep.Text)
		}
		c, err := status.Unpack(rep.Output, status.Settings{Now: aMoment})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Resources {
			w.check(t, r)
		}
		// Those that must keep apart may need a second step, as with Pacemaker: the
		// first one could not know where the other ends up.
		left := schedule(t, rep.Output)
		if w.apart && len(left.Graph.Synapses) > 0 {
			if rep, err = simulate.Simulate(rep.Output, simulate.Options{Now: aMoment, Simulate: true}); err != nil {
				t.Fatal(err)
			}
			left = schedule(t, rep.Output)
		}
		if len(left.Graph.Synapses) > 0 {
			t.Fatalf("something is left to do\n%s\n%s\n%s", w.text, rep.Text, graph.Marshal(left.Graph))
		}
	})
}

func (w *world) check(t *rapid.T, r *status.Resource) {
	var walk func(*status.Resource)
	walk = func(k *status.Resource) {
		if k.Variant == status.Primitive && len(k.ActiveOn) > 1 {
			t.Fatalf("%s is active more than once\n%s", k.ID, w.text)
		}
		for _, n := range k.ActiveOn {
			if w.banned[r.ID][n.Name] {
				t.Fatalf("%s is active on %s, where it is banned\n%s", k.ID, n.Name, w.text)
			}
			if !n.Online || n.Standby {
				t.Fatalf("%s is active on %s, which cannot run anything\n%s", k.ID, n.Name, w.text)
			}
		}
		for _, kk := range k.Children {
			walk(kk)
		}
	}
	walk(r)
	if limit, isClone := w.clones[r.ID]; isClone && len(r.Nodes(false)) > limit {
		t.Fatalf("%s has more instances than its clone-max\n%s", r.ID, w.text)
	}
}
