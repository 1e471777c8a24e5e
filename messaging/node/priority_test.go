// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const asDaemon = "NODE_TEST_AS_DAEMON"

// TestPriorityCountsAmongSessions: a daemon of a session of its own has the
// priority in its group as well; one in a session of others leaves that alone.
func TestPriorityCountsAmongSessions(t *testing.T) {
	if os.Getenv(asDaemon) != "" {
		RaisePriority(slog.New(slog.DiscardHandler), -3)
		b, err := os.ReadFile(autogroup)
		fmt.Println("group", string(b), err)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to raise a priority")
	}
	if b, err := os.ReadFile(autogroup); err != nil || !strings.Contains(string(b), " nice ") {
		t.Skip("this kernel does not group by session")
	}
	for _, alone := range []bool{true, false} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPriorityCountsAmongSessions$", "-test.v")
		cmd.Env = append(os.Environ(), asDaemon+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: alone}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := strings.Contains(string(out), " nice -3\n"); got != alone {
			t.Errorf("alone in its session %v: %s", alone, out)
		}
	}
}
