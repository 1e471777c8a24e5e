// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package systemd

import (
	"log/slog"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/internal/clock"
)

// TestRealSystemd drives units of a running systemd; it needs root on such a
// machine.
func TestRealSystemd(t *testing.T) {
	if _, err := os.Stat("/run/systemd/private"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and a running systemd")
	}
	c := New(Config{Clock: clock.Boottime(), Log: slog.New(slog.DiscardHandler)})
	if !c.Available(t.Context()) {
		t.Fatal("systemd does not answer")
	}
	units := map[string]string{
		"quoratetest-good":   "[Service]\nExecStart=/bin/sleep 1000\nRestart=always\n",
		"quoratetest-oneoff": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
		"quoratetest-bad":    "[Service]\nType=oneshot\nExecStart=/bin/false\n",
		"quoratetest-slow":   "[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\n",
	}
	for name, text := range units {
		path := filepath.Join("/run/systemd/system", name+".service")
		if err := os.WriteFile(path, []byte("[Unit]\nDescription=Test of "+name+"\n"+text), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = osexec.Command("systemctl", "stop", name).Run()
			_ = os.Remove(path)
		})
	}
	if err := osexec.CommandContext(t.Context(), "systemctl", "daemon-reload").Run(); err != nil {
		t.Fatal(err)
	}
	run := func(typ, action string, timeout time.Duration, exit agents.ExitCode, status agents.Status) {
		t.Helper()
		r := c.Run(t.Context(), agents.Request{Type: typ, Action: action, Timeout: timeout})
		if r.Exit != exit || r.Status != status {
			t.Errorf("%s of %s: %v %v %s", action, typ, r.Exit, r.Status, r.Reason)
		}
		t.Logf("%s of %s took %v", action, typ, r.Ended.Sub(r.Started))
	}
	const plenty = 20 * time.Second
	for _, typ := range []string{"quoratetest-good", "quoratetest-oneoff.service"} {
		run(typ, "monitor", plenty, agents.NotRunning, 0)
		run(typ, "start", plenty, agents.OK, 0)
		run(typ, "start", plenty, agents.OK, 0)
		run(typ, "monitor", plenty, agents.OK, 0)
		run(typ, "stop", plenty, agents.OK, 0)
		run(typ, "stop", plenty, agents.OK, 0)
		run(typ, "monitor", plenty, agents.NotRunning, 0)
	}
	run("quoratetest-good", "start", plenty, agents.OK, 0)
	out, err := osexec.CommandContext(t.Context(), "systemctl", "show", "-p", "Restart,DropInPaths", "quoratetest-good").Output()
	if err != nil || !strings.Contains(string(out), "Restart=no") || !strings.Contains(string(out), dropInName) {
		t.Errorf("drop-in is not in force: %s %v", out, err)
	}
	if err := osexec.CommandContext(t.Context(), "systemctl", "kill", "-s", "KILL", "quoratetest-good").Run(); err != nil {
		t.Error(err)
	}
	for range 1000 {
		if r := c.Run(t.Context(), agents.Request{Type: "quoratetest-good", Action: "monitor", Timeout: plenty}); r.Exit == agents.NotRunning {
			break
		}
	}
	run("quoratetest-good", "monitor", plenty, agents.NotRunning, 0)
	run("quoratetest-bad", "start", plenty, agents.GenericError, agents.StatusDone)
	run("quoratetest-slow", "start", 300*time.Millisecond, agents.GenericError, agents.StatusTimeout)
	run("quoratetest-none", "monitor", plenty, agents.NotInstalled, agents.StatusNotInstalled)
	run("quoratetest-none", "start", plenty, agents.NotInstalled, agents.StatusNotInstalled)
	run("quoratetest-none", "stop", plenty, agents.OK, 0)
	text, err := c.Metadata(t.Context(), "", "quoratetest-good")
	if err != nil || !strings.Contains(text, "quoratetest-good") {
		t.Error(text, err)
	}
	names, err := c.List(t.Context(), "")
	if err != nil || !strings.Contains(strings.Join(names, "\n"), "dbus.socket") {
		t.Errorf("%d units, %v", len(names), err)
	}
}
