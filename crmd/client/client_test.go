// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/crmd/client"
	"github.com/quorate/quorate/crmd/server"
	"github.com/quorate/quorate/internal/ipc"
)

var _ crmd.Controller = (*client.Client)(nil)

// double answers with what a test gave it, and keeps what it was asked.
type double struct {
	asked  string
	status crmd.Status
	events []crmd.FenceEvent
	err    error
}

func (d *double) Status(context.Context) (crmd.Status, error) { return d.status, d.err }

func (d *double) NodeStatus(_ context.Context, node string) (crmd.Status, error) {
	d.asked = node
	return d.status, d.err
}

func (d *double) Peers(context.Context) ([]crmd.Peer, error) {
	return []crmd.Peer{{ID: 1, Name: "node1", State: "member", Controller: true}, {ID: 2, Name: "node2", State: "lost"}}, d.err
}

func (d *double) Fence(_ context.Context, node, action string, timeout, delay time.Duration) error {
	d.asked = fmt.Sprint("fence ", node, " ", action, " ", timeout, " ", delay)
	return d.err
}

func (d *double) ConfirmFenced(_ context.Context, node string) error {
	d.asked = "confirm " + node
	return d.err
}

func (d *double) FenceHistory(context.Context, string) ([]crmd.FenceEvent, error) {
	return d.events, d.err
}

func (d *double) FenceDevices(context.Context, string) ([]string, error) {
	return []string{"a", "b"}, d.err
}

func (d *double) Cleanup(_ context.Context, req crmd.CleanupRequest) error {
	d.asked = fmt.Sprintf("cleanup %+v", req)
	return d.err
}

func (d *double) Fail(_ context.Context, rsc, node string) error {
	d.asked = "fail " + rsc + " " + node
	return d.err
}

func (d *double) RemoveNode(_ context.Context, node string) error {
	d.asked = "remove " + node
	return d.err
}

func (d *double) RequestShutdown(context.Context) error {
	d.asked = "shutdown"
	return d.err
}

func (d *double) AgentMetadata(_ context.Context, class, provider, typ string) (string, error) {
	return class + ":" + provider + ":" + typ, d.err
}

func (d *double) Close() error { return nil }

func open(t *testing.T) (*double, *client.Client) {
	t.Helper()
	d := &double{}
	path := filepath.Join(t.TempDir(), "s")
	lis, err := ipc.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ipc.Serve(ctx, server.New(d, slog.New(slog.DiscardHandler)), lis) }()
	c, err := client.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		cancel()
		<-done
	})
	return d, c
}

func TestAnswersSurviveTheWire(t *testing.T) {
	d, c := open(t)
	ctx := t.Context()
	d.status = crmd.Status{
		Node: "node1", ID: 1, DC: "node2", State: "S_NOT_DC", Quorate: true, Transition: 7, Idle: true, Version: "v", FeatureSet: "3.16.1",
	}
	got, err := c.NodeStatus(ctx, "node1")
	if diff := cmp.Diff(d.status, got); diff != "" || err != nil || d.asked != "node1" {
		t.Errorf("%v %q\n%s", err, d.asked, diff)
	}
	d.events = []crmd.FenceEvent{
		{ID: "x", Target: "node2", Action: "off", Device: "d", Client: "c", Origin: "o", Dlg: "g", State: "failed", Reason: "why", Completed: time.Unix(1600000000, 5).UTC()},
		{ID: "y", Target: "node2", State: "pending"},
	}
	events, err := c.FenceHistory(ctx, "*")
	if diff := cmp.Diff(d.events, events); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	peers, err := c.Peers(ctx)
	if want, _ := d.Peers(ctx); cmp.Diff(want, peers) != "" || err != nil {
		t.Errorf("%v %+v", err, peers)
	}
	if text, err := c.AgentMetadata(ctx, "ocf", "heartbeat", "Dummy"); text != "ocf:heartbeat:Dummy" || err != nil {
		t.Errorf("%q %v", text, err)
	}
}

func TestRequestsSurviveTheWire(t *testing.T) {
	d, c := open(t)
	ctx := t.Context()
	for _, tc := range []struct {
		call func() error
		want string
	}{
		{func() error { return c.Fence(ctx, "n", "reboot", time.Minute, -time.Second) }, "fence n reboot 1m0s -1s"},
		{func() error { return c.ConfirmFenced(ctx, "n") }, "confirm n"},
		{
			func() error {
				return c.Cleanup(ctx, crmd.CleanupRequest{Resource: "r", Node: "n", Operation: "monitor", Interval: 10 * time.Second, FailuresOnly: true})
			},
			"cleanup {Resource:r Node:n Operation:monitor Interval:10s FailuresOnly:true}",
		},
		{func() error { return c.Fail(ctx, "r", "n") }, "fail r n"},
		{func() error { return c.RemoveNode(ctx, "n") }, "remove n"},
		{func() error { return c.RequestShutdown(ctx) }, "shutdown"},
	} {
		if err := tc.call(); err != nil || d.asked != tc.want {
			t.Errorf("asked %q, want %q: %v", d.asked, tc.want, err)
		}
	}
}

func TestErrorsKeepTheirMeaning(t *testing.T) {
	d, c := open(t)
	for _, want := range []error{crmd.ErrNoDC, crmd.ErrNoNode, crmd.ErrInvalid, crmd.ErrFencing, crmd.ErrBusy, crmd.ErrClosed} {
		d.err = fmt.Errorf("%w: of n", want)
		if err := c.Fence(t.Context(), "n", "off", 0, 0); !errors.Is(err, want) {
			t.Errorf("%v arrived as %v", want, err)
		}
	}
}
