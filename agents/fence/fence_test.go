// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fence

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/agents"
)

func TestInputIsWhatFenceAgentsRead(t *testing.T) {
	plug := Info{Target: "plug"}
	for name, c := range map[string]struct {
		call Call
		info Info
		want string
	}{
		"monitor": {Call{Action: "monitor", Params: map[string]string{"foo": "bar"}}, plug, "action=monitor foo=bar"},
		"reboot": {
			Call{Action: "reboot", Target: "nodeX", Params: map[string]string{"foo": "bar"}},
			plug,
			"action=reboot nodename=nodeX foo=bar plug=nodeX",
		},
		"node id": {Call{Action: "off", Target: "n", NodeID: 3}, plug, "action=off nodename=n nodeid=3 plug=n"},
		"argument, map and verb": {
			Call{Action: "off", Target: "nodeZ", Params: map[string]string{
				"pcmk_host_argument": "uuid", "pcmk_host_map": "nodeZ:plugZ", "pcmk_off_action": "myoff", "foo": "baz",
			}}, plug, "action=myoff nodename=nodeZ foo=baz uuid=plugZ",
		},
		"no argument": {
			Call{Action: "off", Target: "n", Params: map[string]string{"pcmk_host_argument": "none"}}, plug, "action=off nodename=n",
		},
		"the administrator's own plug": {
			Call{Action: "off", Target: "n", Params: map[string]string{"plug": "7"}}, plug, "action=off nodename=n plug=7",
		},
		"dynamic": {
			Call{Action: "off", Target: "n", Params: map[string]string{"plug": "dynamic"}}, plug, "action=off nodename=n plug=n",
		},
		"the cluster's own parameters": {
			Call{Action: "on", Params: map[string]string{
				"action": "x", "CRM_meta_timeout": "1", "crm_feature_set": "3", "provides": "unfencing", "stonith-timeout": "9", "pcmk_delay_max": "1s", "ip": "192.0.2.1",
			}}, Info{}, "action=on ip=192.0.2.1",
		},
	} {
		opts, err := ParseOptions(c.call.Params)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b, err := Input(c.call, opts, c.info)
		if got := strings.TrimSpace(strings.ReplaceAll(string(b), "\n", " ")); err != nil || got != c.want {
			t.Errorf("%s: %q, not %q: %v", name, got, c.want, err)
		}
	}
}

func TestInputRefusesValuesOfSeveralLines(t *testing.T) {
	if _, err := Input(Call{Action: "off", Params: map[string]string{"ip": "a\naction=on"}}, Options{}, Info{}); err == nil {
		t.Error("a value smuggles a line in")
	}
}

func TestOptions(t *testing.T) {
	o, err := ParseOptions(map[string]string{
		"pcmk_host_map":  `Node1:1;node2=2,3 a\:b:c\;d`,
		"pcmk_host_list": "node1, node3;node4 node1", "pcmk_action_limit": "-1", "pcmk_delay_max": "10s",
		"pcmk_delay_base": "node1:2s;node2:20s", "pcmk_reboot_timeout": "90s", "pcmk_reboot_retries": "4", "pcmk_off_action": "cut",
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"node1": "1", "node2": "2,3", "a:b": "c;d"}, o.HostMap); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"node1", "node3", "node4"}, o.HostList); d != "" {
		t.Error(d)
	}
	if o.Port("NODE1") != "1" || o.Port("other") != "other" || o.ActionLimit != -1 {
		t.Errorf("%+v", o)
	}
	if o.Timeout("reboot", time.Minute) != 90*time.Second || o.Timeout("off", time.Minute) != time.Minute {
		t.Error("timeouts")
	}
	if o.Retries("reboot") != 4 || o.Retries("off") != DefaultRetries || o.Verb("off") != "cut" || o.Verb("on") != "on" {
		t.Error("retries or verbs")
	}
	for _, c := range []struct {
		action, node string
		base, most   time.Duration
	}{
		{"reboot", "node1", 2 * time.Second, 10 * time.Second},
		{"off", "node2", 10 * time.Second, 10 * time.Second},
		{"off", "node9", 0, 10 * time.Second},
		{"on", "node1", 0, 0},
	} {
		if base, most := o.Delay(c.action, c.node); base != c.base || most != c.most {
			t.Errorf("%s of %s waits from %v to %v", c.action, c.node, base, most)
		}
	}
}

func TestFaultyOptionsAreAllReportedAndTheRestUsed(t *testing.T) {
	o, err := ParseOptions(map[string]string{
		"pcmk_host_map": "a;b:", "pcmk_host_check": "perhaps", "pcmk_action_limit": "0", "pcmk_off_timeout": "soon",
		"pcmk_off_retries": "-1", "pcmk_delay_max": "x", "pcmk_delay_base": "y z", "pcmk_host_list": "n",
	})
	if err == nil || strings.Count(err.Error(), "\n") != 6 {
		t.Errorf("%v", err)
	}
	if len(o.HostList) != 1 || o.ActionLimit != 1 {
		t.Errorf("%+v", o)
	}
}

func TestHowToFindOutWhomADeviceCanFence(t *testing.T) {
	list, status := Info{Actions: []string{"list", "status"}}, Info{Actions: []string{"status"}}
	for _, c := range []struct {
		params map[string]string
		info   Info
		want   HostCheck
	}{
		{nil, list, DynamicList},
		{nil, status, StatusCheck},
		{nil, Info{}, NoCheck},
		{map[string]string{"pcmk_host_list": "a"}, list, StaticList},
		{map[string]string{"pcmk_host_map": "a:1"}, list, StaticList},
		{map[string]string{"pcmk_host_map": "a:1", "pcmk_host_check": "dynamic-list"}, list, DynamicList},
	} {
		o, err := ParseOptions(c.params)
		if got := o.Check(c.info); err != nil || got != c.want {
			t.Errorf("%v: %s, not %s: %v", c.params, got, c.want, err)
		}
	}
	o, _ := ParseOptions(map[string]string{"pcmk_host_map": "A:plug1"})
	if !o.InStatic("a") || o.InStatic("b") || !o.InDynamic("a", []string{"PLUG1"}) || o.InDynamic("b", []string{"plug1"}) {
		t.Error("lists")
	}
	if o.Remap("reboot", status) != "off" || o.Remap("reboot", Info{Actions: []string{"reboot"}}) != "reboot" {
		t.Error("reboot of a device that cannot")
	}
}

func TestListsOfDevices(t *testing.T) {
	for in, want := range map[string]string{
		"node1,\nnode2,alias,OFF\r\n":  "node1 node2 alias",
		"1,node1,on\n2,node2,UNKNOWN":  "1 node1 2 node2 UNKNOWN",
		`a\nb;c`:                       "a b c",
		"variable 'foo' is invalid\nb": "b",
		"node1:7 (x) n.example.org":    "node1 n.example.org",
		"":                             "",
	} {
		if got := strings.Join(ParseHosts(in), " "); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

func TestWhenAFailedActionIsTriedAgain(t *testing.T) {
	failed := agents.Result{Exit: agents.GenericError}
	for _, c := range []struct {
		name  string
		tried int
		left  time.Duration
		last  agents.Result
		want  bool
	}{
		{"first failure", 1, 18 * time.Second, failed, true},
		{"no tries left", 2, 18 * time.Second, failed, false},
		{"little time left", 1, 5 * time.Second, failed, false},
		{"success", 1, 18 * time.Second, agents.Result{}, false},
		{"timeout", 1, 18 * time.Second, agents.Result{Exit: 1, Status: agents.StatusTimeout}, false},
		{"not there", 1, 18 * time.Second, agents.Result{Exit: 5, Status: agents.StatusNotInstalled}, false},
	} {
		if got := MayRetry(c.tried, 2, c.left, 20*time.Second, c.last); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// agent writes a fence agent that answers as told and counts its calls.
func agent(t *testing.T, script string) (*Class, func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	text := "#!/bin/sh\nin=$(cat)\nprintf '%s\\n' \"$in\" | tr '\\n' ' ' >>" + log + "\necho >>" + log +
		"\ncase \"$in\" in *action=metadata*) echo '<resource-agent name=\"fence_x\"><parameters><parameter name=\"port\"/></parameters>" +
		"<actions><action name=\"on\" automatic=\"1\"/><action name=\"off\"/></actions></resource-agent>'; exit 0;; esac\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "fence_x"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	c := New(Config{Dirs: []string{dir}, Env: os.Environ(), State: filepath.Join(dir, "state")})
	return c, func() string {
		b, _ := os.ReadFile(log)
		return string(b)
	}
}

func TestCallAsksTheMetadataForTheTargetsParameterOnce(t *testing.T) {
	c, log := agent(t, "exit 0")
	for range 2 {
		if r := c.Call(t.Context(), Call{Agent: "fence_x", Action: "off", Target: "n1", Timeout: time.Minute}); r.Exit != agents.OK || r.Status != agents.StatusDone {
			t.Fatalf("%+v", r)
		}
	}
	if want := "action=metadata \naction=off nodename=n1 port=n1 \naction=off nodename=n1 port=n1 \n"; log() != want {
		t.Errorf("%q, not %q", log(), want)
	}
	if i, err := c.Info(t.Context(), "fence_x"); err != nil || !i.OnAutomatic || !i.Supports("off") || i.Supports("reboot") {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestFailedCallsCarryTheReason(t *testing.T) {
	c, _ := agent(t, "echo first >&2; echo 'Connection timed out' >&2; exit 3")
	if r := c.Call(t.Context(), Call{Agent: "fence_x", Action: "monitor", Timeout: time.Minute}); r.Exit != agents.GenericError || r.Reason != "Connection timed out" {
		t.Errorf("%+v", r)
	}
	if r := c.Call(t.Context(), Call{Agent: "fence_none", Action: "off"}); r.Exit != agents.NotInstalled || r.Status != agents.StatusNotInstalled {
		t.Errorf("%+v", r)
	}
	if _, err := c.Find("../fence_x"); err == nil {
		t.Error("found by a path")
	}
}

func TestResourceMonitorIsRetriedAndStartedIsRemembered(t *testing.T) {
	c, log := agent(t, "exit 1")
	req := agents.Request{Type: "fence_x", Instance: "st", Action: "start", Timeout: time.Minute}
	if r := c.Run(t.Context(), req); r.Exit != agents.GenericError {
		t.Errorf("%+v", r)
	}
	if n := strings.Count(log(), "action=monitor"); n != DefaultRetries {
		t.Errorf("tried %d times", n)
	}
	req.Action = "monitor"
	if r := c.Run(t.Context(), req); r.Exit != agents.NotRunning {
		t.Errorf("probe after a failed start: %+v", r)
	}
	good, _ := agent(t, "exit 0")
	for _, s := range []struct {
		action   string
		interval time.Duration
		want     agents.ExitCode
	}{{"monitor", 0, 7}, {"monitor", time.Second, 7}, {"start", 0, 0}, {"monitor", 0, 0}, {"monitor", time.Second, 0}, {"stop", 0, 0}, {"monitor", 0, 7}, {"promote", 0, 3}} {
		req.Action, req.Interval = s.action, s.interval
		if r := good.Run(t.Context(), req); r.Exit != s.want {
			t.Errorf("%s_%v: %+v", s.action, s.interval, r)
		}
	}
}

func TestMetadataIsCompletedForDisplay(t *testing.T) {
	c, _ := agent(t, "")
	text, err := c.Metadata(t.Context(), "", "fence_x")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<action name="stop" timeout="20s"/>`, `<action name="start" timeout="20s"/>`, `<parameter name="port" required="0"/>`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	names, err := c.List(t.Context(), "")
	if err != nil || strings.Join(names, " ") != "fence_x" {
		t.Error(names, err)
	}
}

func FuzzParseHosts(f *testing.F) {
	f.Add("node1,\nnode2,alias;x y\r\n")
	f.Add(";;,, \t")
	f.Fuzz(func(t *testing.T, s string) {
		seen := map[string]bool{}
		for _, h := range ParseHosts(s) {
			if h == "" || seen[h] || strings.ContainsAny(h, ",; \t\n\r") {
				t.Errorf("%q of %q", h, s)
			}
			seen[h] = true
		}
	})
}

func FuzzParseHostMap(f *testing.F) {
	f.Add("a:1;b=2 c:3,4")
	f.Add(`a\:b:c\;\\`)
	f.Fuzz(func(t *testing.T, s string) {
		m, _ := ParseHostMap(s)
		for k, v := range m {
			if k == "" || v == "" {
				t.Errorf("%q→%q of %q", k, v, s)
			}
		}
	})
}
