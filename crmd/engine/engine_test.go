// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/cibtest"
	"github.com/quorate/quorate/cib/document"
	cibengine "github.com/quorate/quorate/cib/engine"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/crmd/core"
	"github.com/quorate/quorate/crmd/fencing"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
	"github.com/quorate/quorate/transition/runner"
)

// A lab is three whole nodes in one process: real controllers, CIB replicas,
// policy and transition engines on an in-memory ring, and executors whose
// resources are flags.
type lab struct {
	t     *testing.T
	net   *cibtest.Net
	world *world
	nodes []*labNode
}

type labNode struct {
	id    messaging.NodeID
	name  string
	store *cibengine.Engine
	exec  *flags
	eng   *Engine
	done  chan error
	stop  context.CancelFunc
}

func newLab(t *testing.T) *lab {
	l := &lab{t: t, net: cibtest.NewNet(), world: &world{active: map[string]map[string]bool{}}}
	for i := 1; i <= 3; i++ {
		l.nodes = append(l.nodes, l.start(messaging.NodeID(i)))
	}
	return l
}

func (l *lab) start(id messaging.NodeID) *labNode {
	n := &labNode{id: id, name: fmt.Sprintf("node%d", id), done: make(chan error, 1)}
	log := slog.New(slog.DiscardHandler)
	store, err := cibengine.Open(cibengine.Config{Bus: l.net.Bus(id, n.name), NodeName: n.name, Clock: clock.Runtime(), Log: log})
	if err != nil {
		l.t.Fatal(err)
	}
	n.store, n.exec = store, &flags{world: l.world, node: n.name, results: map[string]lrmd.Result{}, recurring: map[string]lrmd.Op{}}
	ids := 0
	cfg := core.DefaultConfig(id, n.name, func() string {
		ids++
		return fmt.Sprintf("%08d-0000-4000-8000-%012d", id, ids)
	})
	n.eng = New(Config{
		Core: cfg, Bus: l.net.Bus(id, n.name), Store: store, Exec: n.exec, Policy: policy{},
		Engine: runner.New(runner.Config{Clock: clock.Runtime(), Log: log}), Fencer: noFencer{},
		Clock: clock.Runtime(), Log: log, Observer: NewMetrics(prometheus.NewRegistry()),
	})
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() { n.done <- n.eng.Run(ctx) }()
	return n
}

// close ends everything that still runs.
func (l *lab) close() {
	for _, n := range l.nodes {
		n.stop()
		<-n.eng.done
		_ = n.eng.cfg.Engine.Close()
		_ = n.store.Close()
		_ = n.eng.cfg.Bus.Close()
	}
}

func (l *lab) configure(xml ...string) {
	l.t.Helper()
	for _, x := range xml {
		section, data, _ := strings.Cut(x, " ")
		if _, err := l.nodes[0].store.Do(l.t.Context(), cib.Request{
			Op: cib.OpModify, Section: section, Data: []byte(data), CanCreate: true, Client: "test",
		}); err != nil {
			l.t.Fatal(err)
		}
	}
}

// until lets the bubble's time pass until the condition holds.
func (l *lab) until(what string, cond func() bool) time.Duration {
	l.t.Helper()
	began := time.Now()
	for !cond() {
		if time.Since(began) > time.Minute {
			for _, n := range l.nodes {
				st, err := n.eng.Status(l.t.Context())
				l.t.Logf("%s: %+v %v active %v", n.name, st, err, l.world.where("r"))
			}
			l.t.Fatalf("%s: not within a minute", what)
		}
		<-time.NewTimer(10 * time.Millisecond).C
	}
	return time.Since(began)
}

func (l *lab) idle() bool {
	for _, n := range l.nodes {
		select {
		case <-n.eng.done:
			continue
		default:
		}
		st, err := n.eng.Status(l.t.Context())
		if err != nil || !st.Idle || st.DC == "" {
			return false
		}
	}
	return true
}

var simple = []string{
	`crm_config <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>`,
	`resources <resources><primitive id="r" class="ocf" provider="test" type="Flag"><operations><op id="rm" name="monitor" interval="10s"/></operations></primitive></resources>`,
}

func TestThreeNodesRunAResourceAndLoseItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		defer l.close()
		l.until("cluster", l.idle)
		l.configure(simple...)
		took := l.until("start", func() bool { return l.idle() && len(l.world.where("r")) == 1 })
		if took > time.Second {
			t.Errorf("configured to started took %v", took)
		}
		was := l.world.where("r")[0]
		n := l.nodes[was[4]-'1']
		n.stop()
		<-n.eng.done
		l.world.died(was)
		l.net.Kill(n.id)
		took = l.until("failover", func() bool { return l.idle() && len(l.world.where("r")) == 1 })
		if took > time.Second {
			t.Errorf("failover took %v", took)
		}
		if now := l.world.where("r")[0]; now == was || l.world.violated() != "" {
			t.Errorf("r on %s, was on %s: %s", now, was, l.world.violated())
		}
	})
}

func TestShutdownDrainsAndRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		defer l.close()
		l.until("cluster", l.idle)
		l.configure(simple...)
		l.until("start", func() bool { return l.idle() && len(l.world.where("r")) == 1 })
		was := l.world.where("r")[0]
		n := l.nodes[was[4]-'1']
		if err := n.eng.RequestShutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-n.done; err != nil {
			t.Errorf("run ended with %v", err)
		}
		if slices.Contains(l.world.where("r"), was) {
			t.Error("left with r active")
		}
		l.until("r elsewhere", func() bool { return l.idle() && len(l.world.where("r")) == 1 })
		if _, err := n.eng.Status(t.Context()); !errors.Is(err, crmd.ErrClosed) {
			t.Errorf("status of a controller that left: %v", err)
		}
	})
}

func TestNodesAnswerForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		defer l.close()
		l.until("cluster", l.idle)
		st, err := l.nodes[0].eng.NodeStatus(t.Context(), "node3")
		if err != nil || st.Node != "node3" || st.DC == "" {
			t.Errorf("%+v %v", st, err)
		}
		if _, err := l.nodes[0].eng.NodeStatus(t.Context(), "nobody"); !errors.Is(err, crmd.ErrNoNode) {
			t.Errorf("a node that does not exist: %v", err)
		}
		peers, err := l.nodes[1].eng.Peers(t.Context())
		if err != nil || len(peers) != 3 || !peers[2].Controller {
			t.Errorf("%+v %v", peers, err)
		}
		if err := l.nodes[0].eng.Fence(t.Context(), "node2", "reboot", time.Second, 0); !errors.Is(err, crmd.ErrFencing) {
			t.Errorf("fencing without a device: %v", err)
		}
		var list []crmd.FenceEvent
		l.until("word of the fencing", func() bool {
			list, err = l.nodes[2].eng.FenceHistory(t.Context(), "*")
			return err != nil || len(list) > 0
		})
		if err != nil || len(list) != 1 || list[0].State != fencing.StateFailed || list[0].Target != "node2" {
			t.Errorf("history on another node: %+v %v", list, err)
		}
		if err := l.nodes[0].eng.Health(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A controller that lost its office in the middle of a transition and has it
// again begins another one. What the former one still says is of no action of
// the new one, though the numbers of the actions are the same.
func TestAFormerTransitionIsNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		e := New(Config{Core: core.DefaultConfig(1, "node1", func() string { return "id" }), Clock: clock.Runtime(), Log: slog.New(slog.DiscardHandler)})
		e.ctx, e.cancel = ctx, cancel
		engine := &scripted{}
		e.cfg.Engine = engine
		e.begin(core.Begin{Graph: &graph.Graph{}})
		synctest.Wait()
		e.begin(core.Begin{Graph: &graph.Graph{}})
		synctest.Wait()
		if len(engine.begun) != 2 || engine.begun[0].Err() == nil || engine.begun[1].Err() != nil {
			t.Errorf("%d transitions were begun, the first is not the only one that ended", len(engine.begun))
		}
		cancel(errLeft)
		e.wg.Wait()
	})
}

// scripted is a transition engine whose runs never take a step.
type scripted struct{ begun []context.Context }

func (s *scripted) Begin(ctx context.Context, _ *graph.Graph, _ transition.Options) (transition.Run, error) {
	s.begun = append(s.begun, ctx)
	return silent{}, nil
}

func (s *scripted) Close() error { return nil }

type silent struct{}

func (silent) Next(ctx context.Context) (transition.Step, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) Confirm(context.Context, transition.Confirm) error { return nil }
func (silent) Abort(context.Context, transition.Abort) error     { return nil }

// --- what the nodes stand on

type noFencer struct{}

func (noFencer) Fence(context.Context, fencing.Device, string, string, time.Duration) error {
	return errors.New("no device")
}

// policy is the project's scheduler without its daemon.
type policy struct{}

func (policy) Compute(_ context.Context, req pengine.Request) (pengine.Reply, error) {
	root, err := document.Parse(req.CIB)
	if err != nil {
		return pengine.Reply{}, err
	}
	res, err := sched.Schedule(sched.Input{CIB: root, Now: req.Now})
	if err != nil {
		return pengine.Reply{}, err
	}
	return pengine.Reply{Graph: graph.Marshal(res.Graph), RecheckBy: res.RecheckBy}, nil
}

func (policy) Close() error { return nil }

// world is the truth about what is active where.
type world struct {
	mu        sync.Mutex
	active    map[string]map[string]bool
	violation string
}

func (w *world) set(rsc, node string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.active[rsc]
	if m == nil {
		m = map[string]bool{}
		w.active[rsc] = m
	}
	delete(m, node)
	if on {
		if len(m) > 0 {
			w.violation = fmt.Sprintf("%s started on %s while on %v", rsc, node, m)
		}
		m[node] = true
	}
}

func (w *world) where(rsc string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.active[rsc]))
}

func (w *world) violated() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.violation
}

func (w *world) died(node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.active {
		delete(m, node)
	}
}

// flags is an executor whose resources are entries of the world.
type flags struct {
	world     *world
	node      string
	mu        sync.Mutex
	calls     int
	results   map[string]lrmd.Result
	recurring map[string]lrmd.Op
	watches   []*flagWatch
}

func (f *flags) Execute(_ context.Context, op lrmd.Op) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	call := f.calls
	if op.Action == "start" {
		f.world.set(op.Resource, f.node, true)
	}
	time.AfterFunc(20*time.Millisecond, func() { f.finish(op, call) })
	return call, nil
}

func (f *flags) finish(op lrmd.Op, call int) {
	res := lrmd.Result{Op: op, CallID: call, Started: time.Now(), Ended: time.Now()}
	switch op.Action {
	case "stop":
		f.world.set(op.Resource, f.node, false)
	case "monitor":
		if !slices.Contains(f.world.where(op.Resource), f.node) {
			res.ExitCode = 7
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := fmt.Sprint(op.Resource, op.Action, op.Interval)
	f.results[key] = res
	if op.Interval > 0 {
		f.recurring[key] = op
	}
	for _, w := range f.watches {
		w.ch <- res
	}
}

func (f *flags) Cancel(_ context.Context, rsc, action string, every time.Duration) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := fmt.Sprint(rsc, action, every)
	_, known := f.recurring[key]
	delete(f.recurring, key)
	return known, nil
}

func (f *flags) Forget(_ context.Context, rsc string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.results, func(_ string, r lrmd.Result) bool { return r.Op.Resource == rsc })
	maps.DeleteFunc(f.recurring, func(_ string, op lrmd.Op) bool { return op.Resource == rsc })
	return nil
}

func (f *flags) Watch(context.Context) (lrmd.Watch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &flagWatch{snap: lrmd.Snapshot{Boot: "1"}, ch: make(chan lrmd.Result, 100)}
	for _, k := range slices.Sorted(maps.Keys(f.results)) {
		w.snap.Results = append(w.snap.Results, f.results[k])
	}
	for _, k := range slices.Sorted(maps.Keys(f.recurring)) {
		w.snap.Recurring = append(w.snap.Recurring, f.recurring[k])
	}
	f.watches = append(f.watches, w)
	return w, nil
}

func (f *flags) Metadata(context.Context, lrmd.Agent) (string, error) { return "", lrmd.ErrNoAgent }

func (f *flags) Agents(context.Context, string, string) ([]string, error) { return nil, nil }
func (f *flags) Providers(context.Context, string) ([]string, error)      { return nil, nil }
func (f *flags) Classes(context.Context) ([]string, error)                { return nil, nil }
func (f *flags) Close() error                                             { return nil }

type flagWatch struct {
	snap lrmd.Snapshot
	ch   chan lrmd.Result
}

func (w *flagWatch) Snapshot() lrmd.Snapshot { return w.snap }

func (w *flagWatch) Next(ctx context.Context) (lrmd.Result, error) {
	select {
	case r := <-w.ch:
		return r, nil
	case <-ctx.Done():
		return lrmd.Result{}, ctx.Err()
	}
}

func (w *flagWatch) Close() error { return nil }
