// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/pengine/client"
	"github.com/quorate/quorate/pengine/engine"
	"github.com/quorate/quorate/pengine/server"
	"github.com/quorate/quorate/transition/graph"
)

const cib = `<cib validate-with="pacemaker-3.9" epoch="1" num_updates="1" admin_epoch="0" have-quorum="1" dc-uuid="1">
  <configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
    <resources><primitive id="web" class="ocf" provider="heartbeat" type="Dummy"/></resources>
    <constraints/>
  </configuration>
  <status>
    <node_state id="1" uname="n1" in_ccm="1" crmd="1" join="member" expected="member"/>
    <node_state id="2" uname="n2" in_ccm="1" crmd="1" join="member" expected="member"/>
  </status>
</cib>`

// engines gives the engine in process and over a socket.
func engines(t *testing.T) map[string]pengine.Engine {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	local, err := engine.New(engine.Config{Dir: filepath.Join(dir, "pengine"), Clock: clock.Runtime(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(dir, "s")
	lis, err := ipc.Listen(sock)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- ipc.Serve(ctx, server.New(local, log), lis) }()
	remote, err := client.Dial(sock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := errors.Join(remote.Close(), local.Close())
		stop()
		if err = errors.Join(err, <-served); err != nil {
			t.Error(err)
		}
	})
	return map[string]pengine.Engine{"in process": local, "over the socket": remote}
}

func TestAnEngineComputesAGraph(t *testing.T) {
	for name, e := range engines(t) {
		r, err := e.Compute(t.Context(), pengine.Request{CIB: []byte(cib), Now: time.Unix(1_700_000_000, 0), Reference: name})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		g, err := graph.Parse(r.Graph)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ops := map[string]int{}
		for _, s := range g.Synapses {
			for _, a := range s.Actions {
				ops[a.Operation]++
			}
		}
		if r.Actions != 3 || ops["monitor"] != 2 || ops["start"] != 1 {
			t.Errorf("%s: %d actions, %v", name, r.Actions, ops)
		}
		if filepath.Base(r.InputFile) != "pe-input-0.bz2" {
			t.Errorf("%s: the input is kept in %s", name, r.InputFile)
		}
	}
}

func TestAnEngineRefusesWhatIsNoCIB(t *testing.T) {
	for name, e := range engines(t) {
		for _, text := range []string{"", "<cib", "<other/>"} {
			if _, err := e.Compute(t.Context(), pengine.Request{CIB: []byte(text)}); !errors.Is(err, pengine.ErrBadInput) {
				t.Errorf("%s: %q gives %v", name, text, err)
			}
		}
	}
}
