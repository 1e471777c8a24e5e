// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package view

import (
	"slices"
	"testing"
)

const output = `Current cluster status:
  * Node List:
    * Online: [ a ]

Assignment Scores:
  * pcmk__primitive_assign: r allocation score on a: 0
  * a remark
  * r promotion score (inactive): 5

Transition Summary:
  * Start      r     ( a )

Executing Cluster Transition:
  * Resource action: r               start on a

Revised Cluster Status:
  * Node List:
    * Online: [ a ]
`

func TestScoresAreTakenOutOfTheRest(t *testing.T) {
	summary, scores := Split(output)
	if got, want := Scores(scores), []string{"*rpromotionscore(inactive):5", "rallocationscoreona:0"}; !slices.Equal(got, want) {
		t.Errorf("scores %q, want %q", got, want)
	}
	want := []string{"TransitionSummary:", "*Startr(a)", "RevisedClusterStatus:", "*NodeList:", "*Online:[a]"}
	if got := Decisions(summary); !slices.Equal(got, want) {
		t.Errorf("decisions %q, want %q", got, want)
	}
	if got := Squeeze(summary); len(got) != 10 || got[0] != "Currentclusterstatus:" {
		t.Errorf("summary %q", got)
	}
}

func TestNumbersOfAGraphDoNotCount(t *testing.T) {
	const one = `<transition_graph cluster-delay="60s" transition_id="1"><synapse id="0"><action_set><rsc_op id="5" operation="start" operation_key="r_start_0" on_node="a"/></action_set>` +
		`<inputs><trigger><rsc_op id="4" operation="monitor" operation_key="r_monitor_0" on_node="a"/></trigger></inputs></synapse></transition_graph>`
	const same = `<transition_graph cluster-delay="60s" transition_id="2"><synapse id="7"><action_set><rsc_op id="9" operation="start" on_node="a" operation_key="r_start_0"/></action_set>` +
		`<inputs><trigger><rsc_op id="2" operation="monitor" operation_key="r_monitor_0" on_node="a"/></trigger></inputs></synapse></transition_graph>`
	const other = `<transition_graph cluster-delay="60s"><synapse id="0" priority="1"><action_set><rsc_op id="5" operation="start" operation_key="r_start_0" on_node="a"/></action_set><inputs/></synapse></transition_graph>`
	if a, b := Graph(one), Graph(same); !slices.Equal(a, b) || len(a) != 2 {
		t.Errorf("%q differs from %q", a, b)
	}
	if a, b := Graph(one), Graph(other); slices.Equal(a, b) {
		t.Errorf("%q is equal to %q", a, b)
	}
	if got := Graph("no graph"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestDiffTellsWhatOnlyOneHas(t *testing.T) {
	for _, c := range []struct{ want, got, diff []string }{
		{[]string{"a", "b"}, []string{"a", "b"}, nil},
		{[]string{"a", "a"}, []string{"a"}, []string{"-a"}},
		{[]string{"a"}, []string{"b"}, []string{"-a", "+b"}},
		{[]string{"a", "b"}, []string{"b", "a"}, []string{"order: -a", "order: +b"}},
	} {
		if d := Diff(c.want, c.got, 10); !slices.Equal(d, c.diff) {
			t.Errorf("%q and %q: %q, want %q", c.want, c.got, d, c.diff)
		}
	}
	if d := Diff([]string{"a", "b", "c"}, nil, 2); len(d) != 2 {
		t.Errorf("%q is more than was asked for", d)
	}
}
