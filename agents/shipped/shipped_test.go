// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/fence"
	"github.com/quorate/quorate/agents/metadata"
	"github.com/quorate/quorate/agents/ocf"
)

func TestEachAgentDescribesItselfAndItsActions(t *testing.T) {
	for _, a := range table() {
		var out, errs bytes.Buffer
		c := &Call{Getenv: func(string) string { return "" }, Stdin: strings.NewReader("action=metadata\n"), Stdout: &out, Stderr: &errs}
		act := "meta-data"
		if a.fence {
			act = ""
		}
		if rc := c.Run(t.Context(), "/some/where/"+a.name, act); rc != agents.OK {
			t.Errorf("%s: %v: %s", a.name, rc, &errs)
			continue
		}
		m, err := metadata.Parse(out.Bytes())
		if err != nil {
			t.Errorf("%s: %v", a.name, err)
			continue
		}
		if m.Name != a.name || m.Long == "" || m.Short == "" {
			t.Errorf("%s describes itself as %q, %q, %q", a.name, m.Name, m.Short, m.Long)
		}
		for _, act := range m.Actions {
			if act.Name != "meta-data" && act.Name != "metadata" && a.actions[act.Name] == nil {
				t.Errorf("%s promises action %s", a.name, act.Name)
			}
		}
	}
}

func TestUnknownAgentsAndActions(t *testing.T) {
	var errs bytes.Buffer
	c := &Call{Getenv: func(string) string { return "" }, Stdout: &bytes.Buffer{}, Stderr: &errs}
	if rc := c.Run(t.Context(), "nginx", "start"); rc != agents.NotInstalled || !strings.Contains(errs.String(), "webdemo") {
		t.Errorf("%v: %s", rc, &errs)
	}
	if rc := c.Run(t.Context(), "Dummy", "promote"); rc != agents.Unimplemented {
		t.Errorf("%v", rc)
	}
}

func TestEachScriptIsOfAnAgent(t *testing.T) {
	names := map[string]bool{}
	for _, n := range Names() {
		names[n] = true
	}
	scripts, err := filepath.Glob(shippedScript + "/*/*")
	if err != nil || len(scripts) < 10 {
		t.Fatal(scripts, err)
	}
	for _, s := range append(scripts, "../scripts/fence_quorate_lab") {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		if !names[filepath.Base(s)] || !strings.Contains(string(b), " ocf "+filepath.Base(s)) {
			t.Errorf("%s runs no agent of its name", s)
		}
		if st, _ := os.Stat(s); st.Mode().Perm()&0o111 == 0 {
			t.Errorf("%s cannot be run", s)
		}
	}
}

func TestDummyLifecycle(t *testing.T) {
	newResource(t, shippedScript, "heartbeat", "Dummy", nil).lifecycle()
}

func TestDebianDummyLifecycle(t *testing.T) {
	newResource(t, debianAgents, "heartbeat", "Dummy", nil).lifecycle()
}

func TestDummyFailsWhereItIsTold(t *testing.T) {
	host, _ := os.Hostname()
	r := newResource(t, shippedScript, "pacemaker", "Dummy", map[string]string{"fail_start_on": host})
	r.want("start", agents.GenericError)
	if !strings.Contains(r.reason, host) {
		t.Errorf("reason %q", r.reason)
	}
	r.want("monitor", agents.NotRunning)
}

func TestStatefulRoles(t *testing.T) {
	r := newResource(t, shippedScript, "pacemaker", "Stateful", nil)
	r.lifecycle()
	r.want("promote", agents.NotRunning)
	r.want("start", agents.OK)
	r.want("promote", agents.OK)
	r.want("promote", agents.OK)
	r.want("monitor", agents.RunningPromoted)
	r.want("demote", agents.OK)
	r.want("monitor", agents.OK)
	r.want("notify", agents.OK)
	r.want("stop", agents.OK)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func TestWebdemoLifecycle(t *testing.T) {
	port := freePort(t)
	r := newResource(t, shippedScript, "quorate", "webdemo", map[string]string{"port": port, "address": "127.0.0.1", "CRM_meta_on_node": "node7"})
	r.lifecycle()
	r.want("start", agents.OK)
	resp, err := http.Get("http://127.0.0.1:" + port + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.Header.Get("X-Node") != "node7" || resp.StatusCode != 200 {
		t.Errorf("%s from %q", resp.Status, resp.Header.Get("X-Node"))
	}
	p, _, err := (&Call{name: "webdemo", Getenv: func(k string) string {
		return map[string]string{"HA_RSCTMP": r.tmp, "OCF_RESOURCE_INSTANCE": r.id}[k]
	}}).webProcess()
	if err != nil || p.PID == 0 {
		t.Fatal(p, err)
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if r.run("monitor", 0) == agents.NotRunning {
			break
		}
	}
	r.want("monitor", agents.NotRunning) // and it stays so
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r.want("start", agents.GenericError)
	if !strings.Contains(r.reason, "in use") {
		t.Errorf("reason %q", r.reason)
	}
}

func TestFenceAgentOfTheLab(t *testing.T) {
	off := map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		node := req.URL.Query().Get("node")
		switch req.Method + " " + req.URL.Path {
		case "GET /list":
			_, _ = w.Write([]byte("node1\nnode2\n"))
		case "POST /off", "POST /reboot":
			off[node] = true
		case "POST /on":
			off[node] = false
		case "GET /status":
			_, _ = w.Write([]byte(map[bool]string{true: "off", false: "on"}[off[node]]))
		default:
			http.Error(w, "no such thing", http.StatusNotFound)
		}
	}))
	defer srv.Close()
	host, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("../scripts")
	if err != nil {
		t.Fatal(err)
	}
	f := fence.New(fence.Config{Dirs: []string{dir}, Env: append(ocf.BaseEnv(os.Environ()), "QUORATE_PROGRAM="+self), State: t.TempDir()})
	params := map[string]string{"ip": host, "ipport": port, "pcmk_host_map": "alpha:node1"}
	call := func(action, target string) agents.ExitCode {
		t.Helper()
		r := f.Call(t.Context(), fence.Call{Agent: "fence_quorate_lab", Params: params, Action: action, Target: target, Timeout: 20 * time.Second})
		if r.Status != agents.StatusDone {
			t.Fatalf("%s: %+v", action, r)
		}
		return r.Exit
	}
	if rc := call("status", "alpha"); rc != agents.OK {
		t.Errorf("status of a node that is on: %v", rc)
	}
	if rc := call("off", "alpha"); rc != agents.OK || !off["node1"] {
		t.Errorf("off: %v, nodes off: %v", rc, off)
	}
	if rc := call("status", "alpha"); rc != agents.InvalidParam {
		t.Errorf("status of a node that is off: %v", rc)
	}
	hosts, _ := f.Hosts(context.Background(), fence.Call{Agent: "fence_quorate_lab", Params: params, Timeout: 20 * time.Second})
	if strings.Join(hosts, " ") != "node1 node2" {
		t.Errorf("list: %v", hosts)
	}
	req := agents.Request{Type: "fence_quorate_lab", Instance: "st", Params: params, Timeout: 20 * time.Second}
	for _, step := range []struct {
		action string
		want   agents.ExitCode
	}{{"monitor", 7}, {"start", 0}, {"monitor", 0}, {"stop", 0}, {"monitor", 7}} {
		req.Action = step.action
		if r := f.Run(t.Context(), req); r.Exit != step.want {
			t.Errorf("%s: %+v", step.action, r)
		}
	}
	srv.Close()
	req.Action = "start"
	if r := f.Run(t.Context(), req); r.Exit != agents.GenericError || r.Reason == "" {
		t.Errorf("start without the service: %+v", r)
	}
	if text, err := f.Metadata(t.Context(), "", "fence_quorate_lab"); err != nil || !strings.Contains(text, `<action name="stop" timeout="20s"/>`) || strings.Contains(text, `name="plug" unique="0" required="1"`) {
		t.Error(text, err)
	}
}
