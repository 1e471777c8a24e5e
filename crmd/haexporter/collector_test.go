// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package haexporter

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/messaging"
)

var view = messaging.QuorumView{
	Quorate: true, ExpectedVotes: 3, TotalVotes: 2, Quorum: 2, Self: 1,
	Nodes: []messaging.Node{{ID: 1, Name: "alpha", Votes: 1, Member: true}, {ID: 2, Name: "beta", Votes: 1, Member: true}, {ID: 3, Name: "gamma", Votes: 1}},
}

func testStatus(context.Context) (messaging.Status, error) {
	return messaging.Status{View: view, Self: 1, Links: []messaging.Link{
		{Number: 0, LocalAddr: "192.0.2.11", Peer: 2, Connected: true},
		{Number: 0, LocalAddr: "192.0.2.11", Peer: 3}, // down, but no member
		{Number: 1, LocalAddr: "198.51.100.11", Peer: 2},
	}}, nil
}

// gather scrapes through a real registry, which refuses what Prometheus would,
// and gives name{label="value",…} → value.
func gather(t *testing.T, cfg Config) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(New(cfg))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var l []string
			for _, p := range m.GetLabel() {
				l = append(l, p.GetName()+"="+p.GetValue())
			}
			out[strings.TrimPrefix(f.GetName(), "ha_cluster_")+"{"+strings.Join(l, ",")+"}"] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

func config(t *testing.T, file string) Config {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root, err := document.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Snapshot: func(context.Context) (*etree.Element, messaging.QuorumView, error) { return root, view, nil },
		Status:   testStatus,
		Now:      func() time.Time { return time.Date(2026, 11, 20, 10, 30, 0, 0, time.UTC) },
	}
}

func TestMetricsDashboardsReadAreThere(t *testing.T) {
	got := gather(t, config(t, "testdata/cib.xml"))
	want := map[string]float64{
		"pacemaker_nodes{node=alpha,status=dc,type=member}":                                                                                         1,
		"pacemaker_nodes{node=beta,status=online,type=member}":                                                                                      1,
		"pacemaker_nodes{node=gamma,status=online,type=member}":                                                                                     0,
		"pacemaker_resources{agent=ocf:heartbeat:IPaddr2,clone=,group=web,managed=true,node=alpha,resource=addr,role=started,status=active}":        1,
		"pacemaker_resources{agent=ocf:pacemaker:Stateful,clone=stateful,group=,managed=true,node=alpha,resource=st,role=unpromoted,status=active}": 1,
		"pacemaker_resources{agent=ocf:pacemaker:Stateful,clone=stateful,group=,managed=true,node=,resource=st,role=stopped,status=active}":         0,
		"pacemaker_fail_count{node=alpha,resource=addr}":                                                                                            math.Inf(1),
		"pacemaker_migration_threshold{node=alpha,resource=addr}":                                                                                   3,
		"pacemaker_location_constraints{constraint=cli-ban-web-on-gamma,node=gamma,resource=web,role=}":                                             math.Inf(-1),
		"pacemaker_location_constraints{constraint=likes,node=alpha,resource=web,role=}":                                                            100,
		"pacemaker_node_attributes{name=site,node=alpha,value=north}":                                                                               1,
		"pacemaker_stonith_enabled{}":                                          0,
		"pacemaker_maintenance_mode_enabled{}":                                 0,
		"corosync_quorate{}":                                                   1,
		"corosync_quorum_votes{type=quorum}":                                   2,
		"corosync_quorum_votes{type=highest_expected}":                         3,
		"corosync_member_votes{local=true,node=alpha,node_id=1}":               1,
		"corosync_rings{address=192.0.2.11,node_id=1,number=0,ring_id=0.0}":    1,
		"corosync_rings{address=198.51.100.11,node_id=1,number=1,ring_id=0.0}": 0,
		"corosync_ring_errors{}":                                               1,
		"scrape_success{collector=pacemaker}":                                  1,
		"scrape_success{collector=corosync}":                                   1,
	}
	for name, v := range want {
		if d := cmp.Diff(v, got[name]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	if _, ok := got["corosync_member_votes{local=false,node=gamma,node_id=3}"]; ok {
		t.Error("a node that is no member contributes votes")
	}
	if v := got["pacemaker_config_last_change{}"]; v == 0 {
		t.Error("no time of the last change")
	}
}

func TestFailuresOfOneHalfLeaveTheOther(t *testing.T) {
	cfg := config(t, "testdata/cib.xml")
	cfg.Snapshot = func(context.Context) (*etree.Element, messaging.QuorumView, error) {
		return nil, view, errors.New("no CIB yet")
	}
	got := gather(t, cfg)
	if got["scrape_success{collector=pacemaker}"] != 0 || got["scrape_success{collector=corosync}"] != 1 || got["corosync_quorate{}"] != 1 {
		t.Errorf("got %v", got)
	}
}
