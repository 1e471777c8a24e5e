// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package history

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/lrmd"
)

const uuid = "0ff25b6c-8ee4-4878-b36a-99f2d58b0d9f"

func op(action string, every time.Duration, key string) lrmd.Op {
	params := map[string]string{"state": "/run/x", "crm_feature_set": "3.16.1", "CRM_meta_timeout": "20000"}
	if every > 0 {
		params["CRM_meta_interval"] = "10000"
	}
	return lrmd.Op{
		Resource: "web", Agent: lrmd.Agent{Class: "ocf", Provider: "pacemaker", Type: "Dummy"}, Action: action,
		Interval: every, UserData: key, Params: params,
	}
}

func result(o lrmd.Op, call int, rc lrmd.ExitCode, st lrmd.OpStatus) lrmd.Result {
	at := time.Unix(1600000000, 0)
	return lrmd.Result{
		Op: o, CallID: call, ExitCode: rc, Status: st, Started: at, Ended: at.Add(time.Second),
		Ran: 28 * time.Millisecond, Queued: time.Millisecond,
	}
}

func text(n *Node, res lrmd.Result, meta *Metadata) string {
	var b strings.Builder
	for _, e := range n.Add(res, OriginUpdate, meta) {
		b.Write(document.Compact(e))
		b.WriteByte('\n')
	}
	return strings.TrimSpace(b.String())
}

// The expected texts have the form, the order of attributes and the digests that
// Pacemaker 2.1.5 gives such operations.
func TestRecordsHavePacemakersForm(t *testing.T) {
	meta := &Metadata{Reloads: true, Restart: []string{"state"}, Private: []string{"passwd"}}
	n := NewNode("1", "node1")
	for _, tc := range []struct {
		why  string
		res  lrmd.Result
		meta *Metadata
		want string
	}{
		{
			"a start that went well", result(op("start", 0, "4:2:0:"+uuid), 7, 0, 0), meta,
			`<lrm_rsc_op id="web_last_0" operation_key="web_start_0" operation="start" crm-debug-origin="do_update_resource" crm_feature_set="3.16.1" transition-key="4:2:0:` + uuid + `" transition-magic="0:0;4:2:0:` + uuid + `" exit-reason="" on_node="node1" call-id="7" rc-code="0" op-status="0" interval="0" last-rc-change="1600000000" exec-time="28" queue-time="1" op-digest="` + stateDigest + `" op-force-restart="  state  " op-restart-digest="` + stateDigest + `" op-secure-params="  passwd  " op-secure-digest="` + stateDigest + `"/>`,
		},
		{
			"a probe that found what was expected", result(op("monitor", 0, "1:2:7:"+uuid), 3, 7, 0), nil,
			`<lrm_rsc_op id="web_last_0" operation_key="web_monitor_0" operation="monitor" crm-debug-origin="do_update_resource" crm_feature_set="3.16.1" transition-key="1:2:7:` + uuid + `" transition-magic="0:7;1:2:7:` + uuid + `" exit-reason="" on_node="node1" call-id="3" rc-code="7" op-status="0" interval="0" last-rc-change="1600000000" exec-time="28" queue-time="1" op-digest="` + stateDigest + `"/>`,
		},
	} {
		if diff := cmp.Diff(tc.want, text(n, tc.res, tc.meta)); diff != "" {
			t.Errorf("%s:\n%s", tc.why, diff)
		}
	}
}

// stateDigest is the MD5 sum of ` <parameters state="/run/x"/>` and a newline.
const stateDigest = "6c40858de0a9ab143520439e33679af3"

func ids(n *Node, res lrmd.Result) string {
	var list []string
	for _, e := range n.Add(res, OriginUpdate, nil) {
		list = append(list, document.ID(e)+"="+document.Get(e, "operation_key"))
	}
	return strings.Join(list, " ")
}

func TestWhichRecordsAResultGives(t *testing.T) {
	notify := op("notify", 0, "9:2:0:"+uuid)
	notify.Params["CRM_meta_notify_type"], notify.Params["CRM_meta_notify_operation"] = "post", "start"
	for _, tc := range []struct {
		why  string
		res  lrmd.Result
		want string
	}{
		{"a failure of an operation that does not recur has two records", result(op("start", 0, "4:2:0:"+uuid), 7, 1, 0), "web_last_failure_0=web_start_0 web_last_0=web_start_0"},
		{"a timeout is a failure whatever the code", result(op("stop", 0, "4:2:0:"+uuid), 7, 0, lrmd.StatusTimeout), "web_last_failure_0=web_stop_0 web_last_0=web_stop_0"},
		{"a probe that finds the resource active is not what was expected", result(op("monitor", 0, "4:2:7:"+uuid), 7, 0, 0), "web_last_failure_0=web_monitor_0 web_last_0=web_monitor_0"},
		{"a recurring operation has its own record", result(op("monitor", 10*time.Second, "4:2:0:"+uuid), 8, 0, 0), "web_monitor_10000=web_monitor_10000"},
		{"its failure leaves that alone", result(op("monitor", 10*time.Second, "4:2:0:"+uuid), 8, 7, 0), "web_last_failure_0=web_monitor_10000"},
		{"migrations are kept apart", result(op("migrate_to", 0, "4:2:0:"+uuid), 9, 0, 0), "web_migrate_to_0=web_migrate_to_0"},
		{"a reload counts as a start", result(op("reload-agent", 0, "4:2:0:"+uuid), 9, 0, 0), "web_last_0=web_start_0"},
		{"and a failed one as a failed monitor", result(op("reload-agent", 0, "4:2:0:"+uuid), 9, 1, lrmd.StatusError), "web_last_failure_0=web_monitor_0 web_last_0=web_monitor_0"},
		{"a notification never fails", result(notify, 9, 1, 0), "web_post_notify_start_0=web_notify_0"},
		{"what is about to run", Pending(op("start", 0, "4:2:0:"+uuid), time.Unix(1, 0)), "web_last_0=web_start_0"},
	} {
		if got := ids(NewNode("1", "node1"), tc.res); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.why, got, tc.want)
		}
	}
}

func TestAResourceIsStoppedWithWhatItWasStartedWith(t *testing.T) {
	n := NewNode("1", "node1")
	n.Add(result(op("start", 0, "4:2:0:"+uuid), 1, 0, 0), OriginUpdate, nil)
	if diff := cmp.Diff(map[string]string{"state": "/run/x"}, n.Resource("web").Started); diff != "" {
		t.Error(diff)
	}
	n.Add(result(op("monitor", 10*time.Second, "5:2:0:"+uuid), 2, 0, 0), OriginUpdate, nil)
	if len(n.Resource("web").Recurring) != 1 {
		t.Error("the monitor is not known")
	}
	n.Add(result(op("stop", 0, "6:2:0:"+uuid), 3, 0, 0), OriginUpdate, nil)
	if r := n.Resource("web"); r.Started != nil || len(r.Recurring) != 0 {
		t.Errorf("after the stop: %+v", r)
	}
}

// A controller that was restarted knows from the executor what ran, and keeps
// the digests that are in the CIB.
func TestRestoreKeepsTheRecordOfTheSameRun(t *testing.T) {
	meta := &Metadata{Reloads: true, Restart: []string{"state"}}
	before := NewNode("1", "node1")
	start := result(op("start", 0, "4:2:0:"+uuid), 1, 0, 0)
	monitor := result(op("monitor", 10*time.Second, "5:2:0:"+uuid), 2, 0, 0)
	before.Add(start, OriginUpdate, meta)
	before.Add(monitor, OriginUpdate, meta)
	state := document.New("node_state", "id", "1")
	state.AddChild(before.LRM())

	after := NewNode("1", "node1")
	after.Restore(lrmd.Snapshot{Results: []lrmd.Result{monitor, start}, Recurring: []lrmd.Op{monitor.Op}}, state)
	if diff := cmp.Diff(string(document.Format(before.LRM())), string(document.Format(after.LRM()))); diff != "" {
		t.Error(diff)
	}
	after.Restore(lrmd.Snapshot{Results: []lrmd.Result{monitor, start}}, state)
	if after.Resource("web").Records["web_monitor_10000"] != nil {
		t.Error("the record of a monitor that is not repeated any more was kept: it would not be scheduled again")
	}
	after.Restore(lrmd.Snapshot{}, state)
	if len(after.Resources()) != 0 {
		t.Error("an executor that knows nothing still has history")
	}
}

func TestMetadata(t *testing.T) {
	for _, tc := range []struct {
		why, text string
		want      Metadata
	}{
		{
			"OCF 1.1: what is not reloadable forces a restart",
			`<?xml version="1.0"?><!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd"><resource-agent name="x"><version>1.1</version><parameters><parameter name="a" reloadable="1"/><parameter name="b"/><parameter name="c" private="true"/></parameters><actions><action name="reload-agent"/></actions></resource-agent>`,
			Metadata{Reloads: true, Restart: []string{"b", "c"}, Private: []string{"c"}},
		},
		{
			"OCF 1.0: unique ones do, and the usual names are private",
			`<resource-agent name="x"><version>1.0</version><parameters><parameter name="a" unique="1"/><parameter name="passwd"/></parameters><actions><action name="reload"/></actions></resource-agent>`,
			Metadata{Reloads: true, Restart: []string{"a"}, Private: []string{"passwd"}},
		},
		{
			"an agent that cannot reload", `<resource-agent name="x"><version>1.0</version><parameters><parameter name="a" unique="1"/></parameters><actions><action name="start"/></actions></resource-agent>`,
			Metadata{},
		},
	} {
		got, err := ParseMetadata(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.why, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s:\n%s", tc.why, diff)
		}
	}
	if _, err := ParseMetadata("not xml"); err == nil {
		t.Error("text that is no XML was taken")
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add(`<resource-agent name="x"><version>1.1</version><parameters><parameter name="a" reloadable="1"/></parameters><actions><action name="reload-agent"/></actions></resource-agent>`)
	f.Add(`<!DOCTYPE x><a/>`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMetadata(text)
		if err != nil && (m.Reloads || m.Restart != nil) {
			t.Errorf("an answer beside the error %v", err)
		}
	})
}
