// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmmon

import (
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli/statusview"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/pengine/status"
)

func testView(t *testing.T) *statusview.View {
	t.Helper()
	text, err := os.ReadFile("../statusview/testdata/small.xml")
	if err != nil {
		t.Fatal(err)
	}
	root, err := document.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := status.Unpack(root, status.Settings{Now: time.Unix(1795170600, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return &statusview.View{Cluster: c}
}

// send feeds messages to a model and returns what it shows then.
func send(m model, msgs ...tea.Msg) (model, string) {
	for _, msg := range msgs {
		next, _ := m.Update(msg)
		m = next.(model)
	}
	return m, m.text()
}

func press(k string) tea.Msg { return tea.KeyPressMsg{Text: k, Code: rune(k[0])} }

func TestScreenFollowsStateAndKeys(t *testing.T) {
	m := model{show: statusview.Options{Sections: statusview.SecNodes | statusview.SecResources}}
	m, text := send(m)
	if text != "Waiting for CIB …" {
		t.Errorf("before the first state: %q", text)
	}
	m, text = send(m, update{view: testView(t)})
	if !strings.Contains(text, "  * Online: [ alpha ]") || strings.Contains(text, "spare") {
		t.Errorf("the default picture is %q", text)
	}
	if strings.Contains(text, "\t") {
		t.Error("a tab reached the screen")
	}
	if _, text = send(m, press("r")); !strings.Contains(text, "Full List of Resources") {
		t.Errorf("r shows %q", text)
	}
	if _, text = send(m, press("n")); !strings.Contains(text, "Node alpha: online:") {
		t.Errorf("n shows %q", text)
	}
	if _, text = send(m, press("?")); text != strings.TrimRight(helpText, "\n") {
		t.Errorf("? shows %q", text)
	}
	if _, text = send(m, update{err: ipc.ErrUnavailable}); !strings.Contains(text, "Connection refused") {
		t.Errorf("without a cluster: %q", text)
	}
}

func TestScreenScrollsWithinItsHeight(t *testing.T) {
	m := model{show: statusview.Options{Sections: statusview.SecNodes}}
	m, _ = send(m, update{view: testView(t)}, tea.WindowSizeMsg{Height: 2})
	_, top := send(m)
	_, next := send(m, press("j"))
	want := []string{"Node List:\n  * Node beta: standby", "  * Node beta: standby\n  * Online: [ alpha ]"}
	if d := cmp.Diff(want, []string{top, next}); d != "" {
		t.Error(d)
	}
}

func TestEachKeyOfTheHelpDoesSomething(t *testing.T) {
	for k := range keys {
		if !strings.Contains(helpText, k+"  ") {
			t.Errorf("the help does not tell of key %s", k)
		}
	}
}
