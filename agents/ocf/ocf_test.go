// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ocf

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/agents"
)

// write puts an agent's script in a folder of agents.
func write(t *testing.T, dir, provider, name, script string) string {
	t.Helper()
	p := filepath.Join(dir, provider, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func request(action string) agents.Request {
	return agents.Request{Provider: "p", Type: "T", Instance: "web:0", Action: action, Timeout: time.Minute}
}

func TestAgentsEnvironment(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "p", "T", "#!/bin/sh\necho \"argv $#: $1\"; env | grep -E '^(OCF|HA|PCMK|PATH|X)' | sort; cat")
	c := New(Config{Dirs: []string{dir}, Env: BaseEnv([]string{"PATH=/usr/bin:/bin", "X=y", "NOTIFY_SOCKET=/run/x", "PCMK_debug=1", "OCF_RESKEY_old=1"})})
	req := request("monitor")
	req.Interval = 10 * time.Second
	req.Params = map[string]string{"ip": "192.0.2.1", "CRM_meta_on_node": "n1", "OCF_CHECK_LEVEL": "10", "crm_feature_set": "3.16.1", "odd": "a b\"$\nc"}
	r := c.Run(t.Context(), req)
	want := `argv 1: monitor
HA_LOGFACILITY=daemon
HA_cluster_type=corosync
HA_debug=1
HA_logfacility=daemon
HA_mcp=true
HA_quorum_type=corosync
HA_service=pacemakerd
HA_watchdog=false
OCF_CHECK_LEVEL=10
OCF_EXIT_REASON_PREFIX=ocf-exit-reason:
OCF_OUTPUT_FORMAT=text
OCF_RA_VERSION_MAJOR=1
OCF_RA_VERSION_MINOR=1
OCF_RESKEY_CRM_meta_interval=10000
OCF_RESKEY_CRM_meta_on_node=n1
OCF_RESKEY_CRM_meta_timeout=60000
OCF_RESKEY_crm_feature_set=3.16.1
OCF_RESKEY_ip=192.0.2.1
OCF_RESKEY_odd=a b"$
OCF_RESOURCE_INSTANCE=web:0
OCF_RESOURCE_PROVIDER=p
OCF_RESOURCE_TYPE=T
OCF_ROOT=/usr/lib/ocf
PATH=/usr/bin:/bin
PCMK_cluster_type=corosync
PCMK_debug=1
PCMK_logfacility=daemon
PCMK_mcp=true
PCMK_quorum_type=corosync
PCMK_service=pacemakerd
PCMK_watchdog=false
X=y
`
	if d := cmp.Diff(want, string(r.Stdout)); d != "" || r.Exit != agents.OK {
		t.Errorf("%+v %s", r.Exit, d)
	}
}

func TestAgentsFindTheirOwnLibrary(t *testing.T) {
	own, bare := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(own, "lib/heartbeat"), 0o755); err != nil {
		t.Fatal(err)
	}
	const script = "#!/bin/sh\necho $OCF_ROOT"
	write(t, filepath.Join(own, "resource.d"), "p", "T", script)
	write(t, filepath.Join(bare, "resource.d"), "p", "T", script)
	for dir, want := range map[string]string{own: own, bare: "/usr/lib/ocf"} {
		r := New(Config{Dirs: []string{filepath.Join(dir, "resource.d")}}).Run(t.Context(), request("start"))
		if got := strings.TrimSpace(string(r.Stdout)); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestProbesHaveNoInterval(t *testing.T) {
	env, err := New(Config{}).environ("/a/b/c", request("monitor"))
	if err != nil || slices.ContainsFunc(env, func(e string) bool { return strings.Contains(e, "CRM_meta_interval") }) {
		t.Error(env, err)
	}
}

func TestEndsOfAnAgent(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   agents.Result
	}{
		"ok":               {"exit 0", agents.Result{}},
		"not running":      {"exit 7", agents.Result{Exit: agents.NotRunning}},
		"degraded":         {"exit 190", agents.Result{Exit: agents.Degraded}},
		"unknown code":     {"exit 77", agents.Result{Exit: agents.GenericError}},
		"reserved code":    {"exit 193", agents.Result{Exit: agents.GenericError}},
		"reason":           {"echo ocf-exit-reason:old >&2; echo 'x ocf-exit-reason: the disk is full ' >&2; echo more >&2; exit 1", agents.Result{Exit: 1, Reason: "the disk is full"}},
		"reason on stdout": {"echo ocf-exit-reason:no; exit 1", agents.Result{Exit: 1}},
		"long reason":      {"printf 'ocf-exit-reason:%0200d' 0 >&2; exit 1", agents.Result{Exit: 1, Reason: strings.Repeat("0", 128)}},
		"odd reason":       {"printf 'ocf-exit-reason:a\\033[1mb\\377c' >&2; exit 1", agents.Result{Exit: 1, Reason: "a [1mb\uFFFDc"}},
		"signal":           {"kill -SEGV $$", agents.Result{Exit: 1, Status: agents.StatusError, Reason: "Resource agent interrupted by SIGSEGV signal"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "p", "T", "#!/bin/sh\n"+c.script+"\n")
			r := New(Config{Dirs: []string{dir}}).Run(t.Context(), request("start"))
			got := agents.Result{Exit: r.Exit, Status: r.Status, Reason: r.Reason}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTimeoutIsToldInTheWordsOfStatusDisplays(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "p", "T", "#!/bin/sh\nsleep 1000")
	req := request("start")
	req.Timeout = 10 * time.Millisecond
	r := New(Config{Dirs: []string{dir}}).Run(t.Context(), req)
	if r.Status != agents.StatusTimeout || r.Exit != agents.GenericError || r.Reason != "Resource agent did not complete within 10ms" {
		t.Errorf("%+v", r)
	}
}

func TestAgentsThatCannotRun(t *testing.T) {
	dir := t.TempDir()
	c := New(Config{Dirs: []string{dir}})
	for name, want := range map[string]agents.Result{
		"missing":       {Exit: agents.NotInstalled, Status: agents.StatusNotInstalled},
		"no permission": {Exit: agents.InsufficientPriv, Status: agents.StatusError},
		"bad shebang":   {Exit: agents.NotInstalled, Status: agents.StatusNotInstalled},
		"no format":     {Exit: agents.NotInstalled, Status: agents.StatusNotInstalled},
		"zero byte":     {Exit: agents.InvalidParam, Status: agents.StatusInvalid},
		"path":          {Exit: agents.NotConfigured, Status: agents.StatusInvalid},
	} {
		req := request("start")
		_ = os.RemoveAll(filepath.Join(dir, "p"))
		switch name {
		case "no permission":
			if err := os.Chmod(write(t, dir, "p", "T", "#!/bin/sh\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		case "bad shebang":
			write(t, dir, "p", "T", "#!/no/such/shell\n")
		case "no format":
			write(t, dir, "p", "T", "neither script nor program")
		case "zero byte":
			write(t, dir, "p", "T", "#!/bin/sh\n")
			req.Params = map[string]string{"a": "b\x00c"}
		case "path":
			req.Type = "../T"
		}
		r := c.Run(t.Context(), req)
		if r.Exit != want.Exit || r.Status != want.Status || r.Reason == "" {
			t.Errorf("%s: %v, %v, reason %q", name, r.Exit, r.Status, r.Reason)
		}
	}
}

func TestFirstFolderWinsAndTheSecondFillsIn(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	a := write(t, first, "heartbeat", "IPaddr2", "")
	write(t, second, "heartbeat", "IPaddr2", "")
	b := write(t, second, "heartbeat", "Filesystem", "")
	write(t, second, "pacemaker", "ping", "")
	write(t, first, "heartbeat", ".hidden", "")
	if err := os.WriteFile(filepath.Join(first, "heartbeat", "README"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c := New(Config{Dirs: []string{first, second}})
	for name, want := range map[string]string{"IPaddr2": a, "Filesystem": b} {
		if got, err := c.Find("heartbeat", name); got != want || err != nil {
			t.Errorf("%s is %s, not %s: %v", name, got, want, err)
		}
	}
	if _, err := c.Find("pacemaker", "IPaddr2"); !errors.Is(err, ErrNotFound) {
		t.Errorf("found: %v", err)
	}
	for want, f := range map[string]func() ([]string, error){
		"Filesystem IPaddr2":      func() ([]string, error) { return c.List(context.Background(), "heartbeat") },
		"Filesystem IPaddr2 ping": func() ([]string, error) { return c.List(context.Background(), "") },
		"heartbeat pacemaker":     func() ([]string, error) { return c.Providers(context.Background(), "") },
		"pacemaker":               func() ([]string, error) { return c.Providers(context.Background(), "ping") },
	} {
		if got, err := f(); strings.Join(got, " ") != want || err != nil {
			t.Errorf("%v, not %s: %v", got, want, err)
		}
	}
}

func TestMetadataIsAskedOnceUntilTheAgentChanges(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	script := "#!/bin/sh\necho $1 >>" + log + "\necho '<resource-agent name=\"T\"/>'\n"
	path := write(t, dir, "p", "T", script)
	c := New(Config{Dirs: []string{dir}})
	for range 2 {
		if text, err := c.Metadata(t.Context(), "p", "T"); err != nil || text != "<resource-agent name=\"T\"/>\n" {
			t.Fatal(text, err)
		}
	}
	if err := os.Chtimes(path, time.Now(), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Metadata(t.Context(), "p", "T"); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(log); string(b) != "meta-data\nmeta-data\n" {
		t.Errorf("asked: %q", b)
	}
	for name, script := range map[string]string{
		"fails": "exit 1", "no XML": "echo hello", "too much": "echo '<resource-agent>'; head -c 3000000 /dev/zero",
	} {
		write(t, dir, "p", "Bad", "#!/bin/sh\n"+script)
		if text, err := c.Metadata(t.Context(), "p", "Bad"); err == nil {
			t.Errorf("%s: %d bytes of metadata", name, len(text))
		}
	}
}

func TestFoldersOfAgents(t *testing.T) {
	for _, c := range []struct{ root, path, want string }{
		{"", "", "/usr/lib/ocf/resource.d /usr/lib/quorate/ocf"},
		{"", "/a:/b:c", "/a /b /usr/lib/quorate/ocf"},
		{"/n1", "", "/n1/usr/lib/ocf/resource.d /n1/usr/lib/quorate/ocf /usr/lib/ocf/resource.d /usr/lib/quorate/ocf"},
	} {
		if got := strings.Join(Dirs(c.root, c.path), " "); got != c.want {
			t.Errorf("%q %q: %s", c.root, c.path, got)
		}
	}
}

func FuzzExitReason(f *testing.F) {
	f.Add([]byte("ocf-exit-reason:x\nocf-exit-reason: y \xff\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := exitReason(b)
		if len(r) > maxReason || strings.ContainsAny(r, "\n\x00\x1b") {
			t.Errorf("%q of %q", r, b)
		}
	})
}
