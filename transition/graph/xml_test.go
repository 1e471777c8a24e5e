// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package graph

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const small = `<transition_graph cluster-delay="60s" fencing-timeout="60s" transition_id="1">
  <synapse id="0" priority="1000000">
    <action_set>
      <rsc_op id="9" operation="migrate_from" operation_key="B_migrate_from_0" on_node="n1" on_node_uuid="1">
        <primitive id="B" long-id="B:0" class="ocf" provider="heartbeat" type="Dummy"/>
        <attributes CRM_meta_timeout="20000" text="a &lt;&amp;&quot;&#10;b"/>
        <downed>
          <node id="1"/>
        </downed>
      </rsc_op>
    </action_set>
    <inputs>
      <trigger>
        <pseudo_event id="8" operation="start" operation_key="A_start_0"/>
      </trigger>
    </inputs>
  </synapse>
  <synapse id="1">
    <action_set>
      <pseudo_event id="8" operation="start" operation_key="A_start_0">
        <attributes CRM_meta_timeout="20000">
          <param name="1st" value="x"/>
        </attributes>
      </pseudo_event>
    </action_set>
    <inputs/>
  </synapse>
</transition_graph>
`

func TestParsedGraphIsWrittenAsItWas(t *testing.T) {
	g, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(small, string(Marshal(g))); diff != "" {
		t.Error(diff)
	}
}

func TestMalformedGraphsAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "<cib/>", "<transition_graph", "<transition_graph><synapse/></transition_graph>",
		"<transition_graph><synapse id='1'><action_set><other id='1'/></action_set></synapse></transition_graph>",
	} {
		if g, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q: no error but %v", text, g)
		}
	}
}

func TestKeysAreReadAsTheyAreWritten(t *testing.T) {
	m := Magic{OpStatus: 0, RC: 7, Key: Key{ActionID: 3, TransitionID: 12, TargetRC: 0, UUID: "5a1f0d2c-9d12-4f62-9a46-0123456789ab"}}
	got, err := ParseMagic(m.String())
	if err != nil || got != m {
		t.Errorf("%v: got %v, %v", m, got, err)
	}
	for _, c := range []struct {
		key, rsc, action string
		interval         uint
	}{
		{"web_start_0", "web", "start", 0},
		{"a_b_monitor_10000", "a_b", "monitor", 10000},
		{"vm_migrate_to_0", "vm", "migrate_to", 0},
		{"ms:0_pre_notify_start_0", "ms:0", "pre_notify_start", 0},
		{"ms_confirmed-post_notify_running_0", "ms", "confirmed-post_notify_running", 0},
	} {
		rsc, action, interval, err := ParseOpKey(c.key)
		if err != nil || rsc != c.rsc || action != c.action || interval != c.interval {
			t.Errorf("%s: got %q %q %d, %v", c.key, rsc, action, interval, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	files, _ := filepath.Glob("../../../shared/conformance/scheduler/exp/*simple*.exp")
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(Marshal(g))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, Marshal(g))
		}
		if diff := cmp.Diff(Marshal(g), Marshal(again)); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add("0:0;3:12:0:5a1f0d2c-9d12-4f62-9a46-0123456789ab", "web_start_0")
	f.Fuzz(func(t *testing.T, magic, key string) {
		if m, err := ParseMagic(magic); err == nil {
			if again, err := ParseMagic(m.String()); err != nil || again != m {
				t.Errorf("%q: %v became %v, %v", magic, m, again, err)
			}
		}
		if rsc, action, ms, err := ParseOpKey(key); err == nil && (rsc == "" || action == "") {
			t.Errorf("%q: %q %q %d", key, rsc, action, ms)
		}
	})
}
