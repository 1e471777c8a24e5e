// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/beevik/etree"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/disk"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/cib/replica"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
)

// Group is the process group of the replicas.
const Group = "cib"

// Bounds of the engine.
const (
	maxEvents   = 1024 // queued for the owner
	maxInFlight = 1024 // writes without an answer
	maxInBytes  = 64 << 20
	firstRetry  = 20 * time.Millisecond
	lastRetry   = 250 * time.Millisecond // the socket is local: asking costs nothing, waiting costs failover
	tellEvery   = 30 * time.Second
)

// A Config is what an engine is made of.
type Config struct {
	// Bus is this node's messaging. It must be given.
	Bus messaging.Bus
	// Dir is the folder of the CIB; "" keeps nothing on disk.
	Dir string
	// Backups is how many older documents are kept; 0 is disk.DefaultBackups.
	Backups int
	// NodeName is this node's name; "" asks the bus.
	NodeName string
	// Timeout is how long a write without a deadline waits; 0 is 30 s.
	Timeout time.Duration
	// WatchQueue is how many changes a watch may be behind; 0 is 4096.
	WatchQueue int
	Clock      clock.Clock
	Log        *slog.Logger
	// Metrics is where metrics are registered; nil registers none.
	Metrics prometheus.Registerer
}

func (cfg *Config) complete() error {
	var faults []error
	if cfg.Bus == nil {
		faults = append(faults, errors.New("engine: no bus"))
	}
	if cfg.Clock == nil {
		faults = append(faults, errors.New("engine: no clock"))
	}
	if cfg.Log == nil {
		faults = append(faults, errors.New("engine: no logger"))
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.WatchQueue <= 0 {
		cfg.WatchQueue = 4096
	}
	return errors.Join(faults...)
}

// An Engine is one node's CIB. It implements [cib.Store].
type Engine struct {
	cfg   Config
	store *disk.Store // nil without a folder
	met   *metrics
	clk   clock.Clock

	events  chan any // replica.Event, *call or func()
	present atomic.Pointer[present]
	identity
	slots  chan struct{} // one per write in flight
	bytes  atomic.Int64  // of data in flight
	noRoom atomic.Bool   // the folder could not take the latest change
	out    queue[[]byte]
	saves  latest[*replica.Persist]
	watch  watchers
	ctx    context.Context //nolint:containedctx // the life of the engine's goroutines
	cancel context.CancelFunc
	done   sync.WaitGroup

	// Owned by the run goroutine.
	core    *replica.Core
	calls   map[uint64]*call
	callID  uint64
	timers  map[string]clock.Timer
	ticking bool
}

// identity is who this node is, as far as it is known.
type identity struct {
	mu    sync.Mutex
	id    messaging.NodeID // guarded by mu
	name  string           // guarded by mu
	named chan struct{}    // closed when the name is known
}

// present is one state of the document, as readers see it.
type present struct {
	root    *etree.Element
	version cib.Version
	text    func() []byte
}

func newPresent(root *etree.Element) *present {
	return &present{
		root: root, version: operation.VersionOf(root),
		text: sync.OnceValue(func() []byte { return document.Format(root) }),
	}
}

// call is one client's write.
type call struct {
	ev    replica.Event
	id    uint64
	reply chan replica.Answer
}

// Open loads the document and starts.
func Open(cfg Config) (*Engine, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, clk: cfg.Clock, events: make(chan any, maxEvents), slots: make(chan struct{}, maxInFlight),
		calls: map[uint64]*call{}, timers: map[string]clock.Timer{},
	}
	e.named = make(chan struct{})
	e.setName(cfg.NodeName)
	e.out.init()
	e.saves.init()
	root, err := e.load()
	if err != nil {
		return nil, err
	}
	e.core = replica.New(root)
	e.present.Store(newPresent(root))
	if e.met, err = newMetrics(cfg.Metrics, e); err != nil {
		return nil, err
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	for _, f := range []func(){e.run, e.readGroup, e.saveAll} {
		e.done.Go(f)
	}
	return e, nil
}

func (e *Engine) load() (*etree.Element, error) {
	var root *etree.Element
	if e.cfg.Dir != "" {
		var err error
		if e.store, err = disk.Open(e.cfg.Dir, e.cfg.Backups); err != nil {
			return nil, err
		}
		var notes []disk.Note
		root, notes = e.store.Load()
		for _, n := range notes {
			e.cfg.Log.Warn("cib file", "what", n.Text, "file", n.File, "err", n.Err)
		}
	}
	if root == nil {
		root = document.Empty("")
		document.SetVersions(root, 0, 0, 0)
		document.Set(root, "cib-last-written", e.clk.Wall().Format(operation.WrittenLayout))
		e.cfg.Log.Info("beginning with an empty configuration", "folder", e.cfg.Dir)
	}
	// What was true when it was written is not known to be true now.
	if st := document.Child(root, "status"); st == nil {
		document.Add(root, "status")
	} else {
		st.Child = nil
	}
	document.Unset(root, "dc-uuid")
	document.Set(root, "have-quorum", "0")
	return root, nil
}

// Close stops the engine. Clients get ErrClosed.
func (e *Engine) Close() error {
	e.cancel()
	e.done.Wait()
	e.watch.close(cib.ErrClosed)
	return nil
}

// Check comes back when the owner of the replica answers: a watchdog's check.
func (e *Engine) Check(ctx context.Context) error {
	done := make(chan struct{})
	if err := e.post(ctx, func() { close(done) }); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("engine: owner does not answer: %w", ctx.Err())
	}
}

func (e *Engine) post(ctx context.Context, ev any) error {
	select {
	case e.events <- ev:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ctx.Done():
		return cib.ErrClosed
	}
}

// run owns the replica.
func (e *Engine) run() {
	defer e.stopTimers()
	for {
		select {
		case <-e.ctx.Done():
			return
		case ev := <-e.events:
			e.handle(ev)
			e.tell()
		}
	}
}

// tell lets metrics and error texts know what the replica is at, and keeps the
// time for it.
func (e *Engine) tell() {
	now := coreState{mode: e.core.Mode(), members: e.core.Members()}
	if *e.met.state.Load() != now {
		e.met.state.Store(&now)
	}
	if e.core.Waiting() && !e.ticking {
		e.ticking = true
		e.clk.AfterFunc(replica.TickEvery, func() {
			_ = e.post(e.ctx, &replica.Tick{}) // only the end of the engine prevents it
		})
	}
}

func (e *Engine) handle(ev any) {
	switch ev := ev.(type) {
	case func():
		ev()
	case *call:
		e.callID++
		ev.id = e.callID
		switch r := ev.ev.(type) {
		case *replica.Write:
			r.ID = ev.id
		case *replica.SetAttr:
			r.ID = ev.id
		}
		e.calls[ev.id] = ev
		e.act(e.core.Step(ev.ev))
	case replica.Event:
		if _, ok := ev.(*replica.Tick); ok {
			e.ticking = false
		}
		e.act(e.core.Step(ev))
		if t, ok := ev.(*replica.TimerFired); ok {
			delete(e.timers, t.Name)
		}
	}
}

func (e *Engine) act(actions []replica.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case *replica.Multicast:
			e.out.put(a.Body)
		case *replica.Publish:
			e.publish(a)
		case *replica.Persist:
			if e.store == nil {
				// Nothing is kept: it is stored at once, behind what is queued now.
				idx := a.Index
				defer func() { e.act(e.core.Step(&replica.Stored{Index: idx})) }()
				continue
			}
			e.saves.put(a)
		case *replica.Answer:
			if c := e.calls[a.ID]; c != nil {
				delete(e.calls, a.ID)
				c.reply <- *a
			}
		case *replica.StartTimer:
			e.startTimer(a)
		case *replica.Notice:
			e.notice(a)
		}
	}
}

func (e *Engine) startTimer(a *replica.StartTimer) {
	if _, runs := e.timers[a.Name]; runs {
		return
	}
	name := a.Name
	e.timers[name] = e.clk.AfterFunc(a.After, func() {
		_ = e.post(e.ctx, &replica.TimerFired{Name: name}) // only the end of the engine prevents it
	})
}

func (e *Engine) stopTimers() {
	for _, t := range e.timers {
		t.Stop()
	}
}

func (e *Engine) notice(n *replica.Notice) {
	level := slog.LevelInfo
	switch n.Level {
	case 1:
		level = slog.LevelWarn
	case 2:
		level = slog.LevelError
	}
	e.met.notices.WithLabelValues(n.Name).Inc()
	e.cfg.Log.Log(e.ctx, level, "replication", append([]any{"event", n.Name}, n.Attrs...)...)
}

func (e *Engine) publish(p *replica.Publish) {
	e.present.Store(newPresent(p.New))
	e.watch.publish(p, e.cfg.WatchQueue)
}

// saveAll writes the latest document whenever there is a newer one.
func (e *Engine) saveAll() {
	for {
		p, ok := e.saves.take(e.ctx)
		if !ok {
			return
		}
		begin := e.clk.Now()
		err := e.store.Save(p.Root)
		e.met.saved.Observe((e.clk.Now() - begin).Seconds())
		if err != nil {
			e.met.saveErrors.Inc()
			e.cfg.Log.Error("document not stored", "version", operation.VersionOf(p.Root).String(), "err", err)
		}
		if e.post(e.ctx, &replica.Stored{Index: p.Index, Err: err}) != nil {
			return
		}
	}
}
