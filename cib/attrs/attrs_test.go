// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package attrs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
)

// TestTable runs updates on one table and document: "set NAME VALUE" with
// arguments node, dampen, pattern, private, delete, permanent; "flush NAME";
// "list"; "status" shows the document.
func TestTable(t *testing.T) {
	root := document.Empty("")
	nodes := document.Section(root, "nodes")
	document.Add(nodes, "node", "id", "1", "uname", "node1")
	document.Add(nodes, "node", "id", "2", "uname", "node2")
	var table Table
	datadriven.RunTest(t, "testdata/table", func(t *testing.T, d *datadriven.TestData) string {
		switch d.Cmd {
		case "set":
			up := update(root, d)
			eff, err := table.Apply(root, up)
			if err != nil {
				if !errors.Is(err, ErrNode) && !errors.Is(err, ErrName) {
					t.Fatal(err)
				}
				return err.Error() + "\n"
			}
			root = carryOut(t, root, eff.Writes)
			for _, tm := range eff.Timers {
				return fmt.Sprintf("timer %s %s, %d writes\n", tm.Name, tm.After, len(eff.Writes))
			}
			return fmt.Sprintf("%d writes\n", len(eff.Writes))
		case "flush":
			writes := table.Flush(root, strings.TrimSpace(d.Input))
			root = carryOut(t, root, writes)
			return fmt.Sprintf("%d writes, pending %t\n", len(writes), table.Pending())
		case "list":
			again := Load(table.Entries(), table.Dampening())
			var b strings.Builder
			for _, a := range again.List(root, "", "") {
				fmt.Fprintf(&b, "%s %s=%q\n", a.Node, a.Name, a.Value)
			}
			return b.String()
		case "status":
			return string(document.Format(document.Section(root, "status")))
		}
		t.Fatalf("unknown command %s", d.Cmd)
		return ""
	})
}

func update(root *etree.Element, d *datadriven.TestData) Update {
	up := Update{AttrUpdate: cib.AttrUpdate{Node: "node1"}}
	up.Name, up.Value, _ = strings.Cut(d.Input, " ")
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "node":
			up.Node = a.Vals[0]
		case "dampen":
			up.Dampen, _ = time.ParseDuration(a.Vals[0])
		case "keep":
			up.SetDampen = true
		case "pattern":
			up.Pattern = true
		case "private":
			up.Private = true
		case "delete":
			up.Delete = true
		}
	}
	up.NodeID = NodeID(root, up.Node)
	return up
}

func carryOut(t *testing.T, root *etree.Element, reqs []cib.Request) *etree.Element {
	t.Helper()
	for _, req := range reqs {
		out, err := operation.Apply(root, req, operation.Meta{})
		if err != nil {
			t.Fatalf("%s: %v", req.Data, err)
		}
		root = out.Root
	}
	return root
}

func TestPlaces(t *testing.T) {
	root := document.Empty("")
	document.Add(document.Section(root, "nodes"), "node", "id", "1", "uname", "node1")
	for _, tc := range []struct {
		p    Place
		want string
	}{
		{
			Place{Scope: ScopeCrmConfig, Name: "stonith-enabled"},
			`<cluster_property_set id="cib-bootstrap-options"><nvpair id="cib-bootstrap-options-stonith-enabled" name="stonith-enabled" value="v"/></cluster_property_set>`,
		},
		{
			Place{Scope: ScopeCrmConfig, Set: "mysql_replication", Name: "x"},
			`<cluster_property_set id="mysql_replication"><nvpair id="mysql_replication-x" name="x" value="v"/></cluster_property_set>`,
		},
		{
			Place{Scope: ScopeNodes, NodeID: "1", NodeName: "node1", Name: "standby"},
			`<node id="1" uname="node1"><instance_attributes id="nodes-1"><nvpair id="nodes-1-standby" name="standby" value="v"/></instance_attributes></node>`,
		},
		{
			Place{Scope: ScopeUtilization, NodeID: "1", NodeName: "node1", Name: "cpu"},
			`<node id="1" uname="node1"><utilization id="nodes-1-utilization"><nvpair id="nodes-1-utilization-cpu" name="cpu" value="v"/></utilization></node>`,
		},
		{
			Place{Scope: ScopeStatus, NodeID: "1", NodeName: "node1", Name: "fail-count-a#monitor_10000"},
			`<node_state id="1" uname="node1"><transient_attributes id="1"><instance_attributes id="status-1"><nvpair id="status-1-fail-count-a.monitor_10000" name="fail-count-a#monitor_10000" value="v"/></instance_attributes></transient_attributes></node_state>`,
		},
		{
			Place{Scope: ScopeRscDefaults, Name: "resource-stickiness"},
			`<meta_attributes id="rsc_defaults-options"><nvpair id="rsc_defaults-options-resource-stickiness" name="resource-stickiness" value="v"/></meta_attributes>`,
		},
	} {
		section, data := tc.p.Update(root, "v")
		if got := string(document.Compact(data)); got != tc.want {
			t.Errorf("%+v:\n%s\nwant\n%s", tc.p, got, tc.want)
		}
		req := cib.Request{Op: cib.OpModify, Section: section, CanCreate: true, Data: document.Compact(data)}
		root = carryOut(t, root, []cib.Request{req})
		found := Find(root, tc.p)
		if len(found) != 1 || document.Get(found[0], "value") != "v" {
			t.Errorf("%+v is not found after it was set", tc.p)
		}
	}
	// An existing pair is changed where it is, whatever its ids are.
	root = carryOut(t, root, []cib.Request{{Op: cib.OpCreate, Section: "crm_config", Data: []byte(
		`<cluster_property_set id="mine"><nvpair id="my-id" name="no-quorum-policy" value="stop"/></cluster_property_set>`)}})
	_, data := Place{Scope: ScopeCrmConfig, Name: "no-quorum-policy"}.Update(root, "freeze")
	if got, want := string(document.Compact(data)), `<cluster_property_set id="mine"><nvpair id="my-id" name="no-quorum-policy" value="freeze"/></cluster_property_set>`; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
