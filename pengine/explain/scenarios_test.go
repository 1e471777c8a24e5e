// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/explain"
	"github.com/quorate/quorate/pengine/sched"
)

var aMoment = time.Unix(1_800_000_000, 0).UTC()

// A scenario is a small cluster of three nodes, node1 to node3.
type scenario struct {
	options     string // name=value …
	nodeAttrs   map[string]string
	rsc, cons   string
	running     string            // RESOURCE@NODE …
	ops         map[string]string // RESOURCE@NODE → further lrm_rsc_op elements
	transient   map[string]string // node → nvpairs, name=value …
	down, dirty string            // nodes that are offline, or unclean
	status      string
	noQuorum    bool
}

func nvpairs(prefix, list string) string {
	var b strings.Builder
	for i, p := range strings.Fields(list) {
		name, value, _ := strings.Cut(p, "=")
		fmt.Fprintf(&b, `<nvpair id="%s-%d" name="%s" value="%s"/>`, prefix, i, name, value)
	}
	return b.String()
}

// dummy is a primitive with meta-attributes, name=value ….
func dummy(id, meta string) string {
	return fmt.Sprintf(`<primitive id="%s" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="%s-m">%s</meta_attributes><operations><op id="%s-mon" name="monitor" interval="10s"/></operations></primitive>`,
		id, id, nvpairs(id+"-m", meta), id)
}

// done is a history entry; the digest is that of no parameters.
func done(rsc, task, interval, node string, call, rc, want int) string {
	key := fmt.Sprintf("%d:1:%d:12345678-1234-1234-1234-123456789012", call, want)
	id := rsc + "_last_0"
	if interval != "0" {
		id = rsc + "_" + task + "_" + interval
	}
	if rc != want {
		id = rsc + "_last_failure_0"
	}
	return fmt.Sprintf(`<lrm_rsc_op id="%s" operation_key="%s_%s_%s" operation="%s" interval="%s" transition-key="%s" transition-magic="0:%d;%s" call-id="%d" rc-code="%d" op-status="0" last-rc-change="1799999000" op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" on_node="%s"/>`,
		id, rsc, task, interval, task, interval, key, rc, key, call, rc, node)
}

func (s *scenario) cib(t testing.TB) *etree.Element {
	t.Helper()
	var nodes, states strings.Builder
	for i := 1; i <= 3; i++ {
		n := fmt.Sprintf("node%d", i)
		fmt.Fprintf(&nodes, `<node id="%d" uname="%s"><instance_attributes id="%s-a">%s</instance_attributes></node>`, i, n, n, nvpairs(n+"-a", s.nodeAttrs[n]))
		in, crmd, join := "true", "online", "member"
		if strings.Contains(s.down, n) {
			in, crmd, join = "false", "offline", "down"
		}
		expected := join
		if strings.Contains(s.dirty, n) {
			in, crmd, expected = "false", "offline", "member"
		}
		fmt.Fprintf(&states, `<node_state id="%d" uname="%s" in_ccm="%s" crmd="%s" join="%s" expected="%s"><transient_attributes id="%d"><instance_attributes id="status-%d">%s</instance_attributes></transient_attributes><lrm id="%d"><lrm_resources>`,
			i, n, in, crmd, join, expected, i, i, nvpairs(n+"-t", s.transient[n]), i)
		seen := map[string]bool{}
		entry := func(rsc, ops string) {
			fmt.Fprintf(&states, `<lrm_resource id="%s" class="ocf" provider="pacemaker" type="Dummy">%s</lrm_resource>`, rsc, ops)
			seen[rsc] = true
		}
		for p := range strings.FieldsSeq(s.running) {
			if rsc, on, _ := strings.Cut(p, "@"); on == n {
				entry(rsc, done(rsc, "start", "0", n, 2, 0, 0)+done(rsc, "monitor", "10000", n, 3, 0, 0)+s.ops[p])
			}
		}
		for p, ops := range s.ops {
			if rsc, on, _ := strings.Cut(p, "@"); on == n && !seen[rsc] {
				entry(rsc, ops)
			}
		}
		states.WriteString(`</lrm_resources></lrm></node_state>`)
	}
	quorum := "1"
	if s.noQuorum {
		quorum = "0"
	}
	options := s.options
	if !strings.Contains(options, "fencing-enabled") {
		options += " fencing-enabled=false"
	}
	root, err := document.Parse([]byte(fmt.Sprintf(`<cib crm_feature_set="3.20.0" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0" have-quorum="%s" dc-uuid="1">
<configuration><crm_config><cluster_property_set id="o">%s</cluster_property_set></crm_config><nodes>%s</nodes><resources>%s</resources><constraints>%s</constraints></configuration><status>%s%s</status></cib>`,
		quorum, nvpairs("o", options), nodes.String(), s.rsc, s.cons, s.status, states.String())))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

const (
	banNode1   = `<rsc_location id="ban1" rsc="web" node="node1" score="-INFINITY"/>`
	likeNode1  = `<rsc_location id="like1" rsc="web" node="node1" score="100"/>`
	onlyNode2  = `<rsc_location id="ban1" rsc="web" node="node1" score="-INFINITY"/><rsc_location id="ban3" rsc="web" node="node3" score="-INFINITY"/>`
	dbIsPinned = `<rsc_location id="db-at" rsc="db" node="node2" score="INFINITY"/>`
)

// wants is what an answer has to contain.
type wants struct {
	question string
	kind     string
	text     string // a part of the cause's words
	edit     explain.Edit
	effect   explain.EffectKind
}

// TestEachKindOfCause asks about small clusters with one thing out of the
// ordinary, and expects that to be named, with what would undo it.
func TestEachKindOfCause(t *testing.T) {
	web := dummy("web", "")
	for name, c := range causeCases(web) {
		t.Run(name, func(t *testing.T) {
			in := sched.Input{CIB: c.cib(t), Now: aMoment, TransitionID: 1}
			q := explain.Question{}
			q.Resource, q.Node, _ = strings.Cut(c.question, "@")
			a, err := explain.Explain(in, q)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(a.Causes, func(f explain.Cause) bool { return f.Kind == c.kind && strings.Contains(f.Text, c.text) }) {
				t.Errorf("no cause of kind %s with %q in:\n%s", c.kind, c.text, a.Text())
			}
			i := slices.IndexFunc(a.Changes, func(f explain.Change) bool { return f.Single() && f.Edits[0] == c.edit })
			if i < 0 {
				t.Fatalf("no change %+v in:\n%s", c.edit, a.Text())
			}
			if a.Changes[i].Effect.Kind != c.effect {
				t.Errorf("the effect is %v, want %s", a.Changes[i].Effect, c.effect)
			}
			for _, f := range a.Changes {
				if why := replay(t, in, f); why != "" {
					t.Errorf("%v: %v does not hold: %s", f.Edits, f.Effect, why)
				}
			}
		})
	}
}

// TestAnswerInWords checks the whole of one answer.
func TestAnswerInWords(t *testing.T) {
	s := scenario{rsc: dummy("web", "resource-stickiness=10"), cons: banNode1, running: "web@node1"}
	a, err := explain.Explain(sched.Input{CIB: s.cib(t), Now: aMoment, TransitionID: 1}, explain.Question{Resource: "web"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `web moves from node1 to node2
Why:
  * node1: banned by constraint ban1 (score -INFINITY)
What would change that:
  * without constraint ban1: web would stay on node1 undisturbed
      cibadmin --delete --xpath '//constraints/*[@id="ban1"]'
`
	if got := a.Text(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	const xml = `<why resource="web"><outcome resource="web" node="node1" text="web moves from node1 to node2"><fate instance="web" node="node1" next-node="node2" role="Started" next-role="Started" action="Move"/></outcome><causes><cause kind="location" node="node1" id="ban1" score="-INFINITY">node1: banned by constraint ban1 (score -INFINITY)</cause></causes><changes><change><edit kind="remove-constraint" id="ban1" text="without constraint ban1" command="cibadmin --delete --xpath '//constraints/*[@id=&quot;ban1&quot;]'"/><effect kind="undisturbed" resource="web" node="node1" text="web would stay on node1 undisturbed"/></change></changes></why>`
	if got := string(document.Compact(a.XML())); strings.TrimSpace(got) != xml {
		t.Errorf("got:\n%s\nwant:\n%s", got, xml)
	}
}

// TestUnknownNames are refused.
func TestUnknownNames(t *testing.T) {
	s := scenario{rsc: dummy("web", "")}
	in := sched.Input{CIB: s.cib(t), Now: aMoment, TransitionID: 1}
	if _, err := explain.Explain(in, explain.Question{Resource: "nobody"}); !errors.Is(err, explain.ErrUnknownResource) {
		t.Errorf("got %v for a resource that does not exist", err)
	}
	if _, err := explain.Explain(in, explain.Question{Resource: "web", Node: "node9"}); !errors.Is(err, explain.ErrUnknownNode) {
		t.Errorf("got %v for a node that does not exist", err)
	}
}

// TestTogether checks that where no single change suffices, the smallest set of
// those that do is offered.
func TestTogether(t *testing.T) {
	s := scenario{rsc: dummy("web", ""), cons: banNode1, nodeAttrs: map[string]string{"node1": "standby=on"}, running: "web@node2"}
	in := sched.Input{CIB: s.cib(t), Now: aMoment, TransitionID: 1}
	a, err := explain.Explain(in, explain.Question{Resource: "web", Node: "node1"})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Changes) != 1 || a.Changes[0].Single() {
		t.Fatalf("want one change of several edits:\n%s", a.Text())
	}
	for i := range a.Changes[0].Edits {
		less := a.Changes[0]
		less.Edits = slices.Delete(slices.Clone(less.Edits), i, i+1)
		if replay(t, in, less) == "" {
			t.Errorf("%s is not needed:\n%s", a.Changes[0].Edits[i], a.Text())
		}
	}
	if why := replay(t, in, a.Changes[0]); why != "" {
		t.Errorf("it does not hold: %s\n%s", why, a.Text())
	}
}
