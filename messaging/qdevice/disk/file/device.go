// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/qdevice/disk"
	"github.com/quorate/quorate/messaging/qdevice/heuristics"
)

// pollLimit bounds the handing over of one vote.
const pollLimit = 5 * time.Second

// Config is what a quorum disk needs.
type Config struct {
	Core disk.Config
	Path string
	// Open opens the disk; nil opens Path.
	Open func() (Store, error)
	// Timeout is the engine's for the device: polls come twice in it.
	Timeout time.Duration
	// Checks run each CheckEvery, for at most CheckLimit; without checks the
	// heuristics pass.
	Checks                 *heuristics.Runner
	CheckEvery, CheckLimit time.Duration
	Clock                  clock.Clock
	Log                    *slog.Logger
}

// A Device is a node's quorum disk; it is an [engine.Arbiter].
type Device struct {
	cfg    Config
	events chan disk.Event
	orders chan []*disk.Write
	wake   chan struct{}
	wg     sync.WaitGroup

	mu     sync.Mutex
	view   engine.ArbiterView // guarded by mu; the newest
	status disk.Status        // guarded by mu
	polled time.Time          // guarded by mu

	// What follows belongs to the goroutine of Run.
	core *disk.Core
	poll engine.Poll
	ring messaging.RingID
	vote *disk.Vote
}

var _ engine.Arbiter = (*Device)(nil)

// New makes a device.
func New(cfg Config) (*Device, error) {
	if cfg.Clock == nil || cfg.Log == nil || cfg.Checks == nil || cfg.Timeout <= 0 {
		return nil, errors.New("file: clock, log, checks or timeout is missing")
	}
	if len(cfg.Core.Nodes) > disk.MaxNodes {
		return nil, fmt.Errorf("file: a quorum disk has room for %d nodes, not %d", disk.MaxNodes, len(cfg.Core.Nodes))
	}
	if cfg.Open == nil {
		cfg.Open = func() (Store, error) {
			s, direct, err := Open(cfg.Path)
			if err == nil && !direct {
				cfg.Log.Warn("the quorum disk is used through the kernel's cache: on NFS mount it with noac", "path", cfg.Path)
			}
			return s, err
		}
	}
	return &Device{
		cfg: cfg, events: make(chan disk.Event, 4), orders: make(chan []*disk.Write, 1), wake: make(chan struct{}, 1), core: disk.New(cfg.Core),
	}, nil
}

// Observe takes the newest state of the ring.
func (d *Device) Observe(v engine.ArbiterView) {
	d.mu.Lock()
	d.view = v
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx is done.
func (d *Device) Run(ctx context.Context, poll engine.Poll) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.poll = poll
	// The disk may hang for ever: who stops does not wait for it.
	go d.work(ctx)
	d.wg.Go(func() { d.check(ctx) })
	defer d.wg.Wait()
	due := d.cfg.Clock.NewTimer(time.Hour)
	defer due.Stop()
	again := d.cfg.Clock.NewTimer(d.cfg.Timeout / 2)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
			d.observed(ctx)
		case <-due.C():
			d.step(ctx, &disk.Ticked{})
		case <-again.C():
			again.Reset(d.cfg.Timeout / 2)
			if d.vote != nil {
				d.give(ctx, d.vote)
			}
		case ev := <-d.events:
			d.step(ctx, ev)
		}
		if at, ok := d.core.Deadline(); ok {
			due.Reset(max(at-d.cfg.Clock.Now(), 0))
		}
		d.mu.Lock()
		d.status = d.core.Status(d.cfg.Clock.Now())
		d.mu.Unlock()
	}
}

func (d *Device) observed(ctx context.Context) {
	d.mu.Lock()
	v := d.view
	d.mu.Unlock()
	if v.Ring.Seq == 0 || v.Ring == d.ring {
		return
	}
	d.ring, d.vote = v.Ring, nil
	ev := &disk.Ring{Rep: uint32(v.Ring.Rep), Seq: v.Ring.Seq}
	for _, id := range v.Members {
		ev.Members = append(ev.Members, uint32(id))
	}
	d.step(ctx, ev)
}

func (d *Device) step(ctx context.Context, ev disk.Event) {
	var writes []*disk.Write
	for _, a := range d.core.Step(d.cfg.Clock.Now(), ev) {
		switch a := a.(type) {
		case *disk.Write:
			writes = append(writes, a)
		case *disk.Vote:
			d.vote = a
			d.give(ctx, a)
		case *disk.Notice:
			level := slog.LevelInfo
			if a.Warn {
				level = slog.LevelWarn
			}
			d.cfg.Log.Log(ctx, level, "arbitration", append([]any{"event", a.Text, "disk", d.cfg.Path}, a.Args...)...)
		}
	}
	switch ev.(type) {
	case *disk.Read:
		d.orders <- writes // its worker waits for them
	}
}

// give tells the engine and waits until it has heard.
func (d *Device) give(ctx context.Context, v *disk.Vote) {
	ctx, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	if err := d.poll(ctx, messaging.RingID{Rep: messaging.NodeID(v.Rep), Seq: v.Seq}, v.Cast); err != nil && !errors.Is(err, messaging.ErrClosed) {
		d.cfg.Log.Error("vote not handed over", "error", err)
	}
	d.mu.Lock()
	d.polled = d.cfg.Clock.Wall()
	d.mu.Unlock()
}

// work reads and writes the disk, in turn.
func (d *Device) work(ctx context.Context) {
	for ctx.Err() == nil {
		err := d.session(ctx)
		if ctx.Err() != nil {
			return
		}
		d.post(ctx, &disk.Read{Start: d.cfg.Clock.Now(), Err: err})
		select {
		case <-d.orders:
		case <-ctx.Done():
			return
		}
		d.pause(ctx, d.cfg.Timeout/4)
	}
}

func (d *Device) post(ctx context.Context, ev disk.Event) {
	select {
	case d.events <- ev:
	case <-ctx.Done():
	}
}

func (d *Device) pause(ctx context.Context, t time.Duration) {
	timer := d.cfg.Clock.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-ctx.Done():
	}
}

// session uses the disk until that fails.
func (d *Device) session(ctx context.Context) error {
	s, err := d.cfg.Open()
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	buf := make([]byte, disk.BlockSize)
	if err := s.Read(buf); err != nil {
		return err
	}
	blank, err := disk.CheckHeader(buf, d.cfg.Core.Cluster)
	if err != nil {
		return err
	}
	if blank {
		if err := s.Write(0, disk.Header(d.cfg.Core.Cluster)); err != nil {
			return err
		}
	}
	blocks := make([]byte, disk.Used(len(d.cfg.Core.Nodes))*disk.BlockSize)
	for ctx.Err() == nil {
		start := d.cfg.Clock.Now()
		if err := s.Read(blocks); err != nil {
			return err
		}
		d.post(ctx, &disk.Read{Start: start, Blocks: blocks})
		var writes []*disk.Write
		select {
		case writes = <-d.orders:
		case <-ctx.Done():
			return nil
		}
		for _, w := range writes {
			start := d.cfg.Clock.Now()
			err := s.Write(w.Block, w.Data)
			d.post(ctx, &disk.Wrote{Write: w, Start: start, Err: err})
			if err != nil {
				return err
			}
		}
		d.pause(ctx, d.cfg.Core.Interval)
	}
	return nil
}

// check runs the heuristics from time to time.
func (d *Device) check(ctx context.Context) {
	if len(d.cfg.Checks.Checks) == 0 {
		return
	}
	for ctx.Err() == nil {
		pass := d.cfg.Checks.Run(ctx, d.cfg.CheckLimit)
		d.post(ctx, &disk.Checked{Pass: pass})
		d.pause(ctx, d.cfg.CheckEvery)
	}
}

// Entries describe the device below runtime.qdevice, for the status tool.
func (d *Device) Entries() []messaging.CmapEntry {
	d.mu.Lock()
	s, v, polled := d.status, d.view, d.polled
	d.mu.Unlock()
	last := "Never"
	if !polled.IsZero() {
		last = polled.Format("2006-01-02T15:04:05")
		if s.Cast {
			last += " (cast vote)"
		}
	}
	members, mode := "", "Disabled"
	for i, id := range v.Members {
		if i > 0 {
			members += ", "
		}
		members += fmt.Sprint(uint32(id))
	}
	if len(d.cfg.Checks.Checks) > 0 {
		mode = "Enabled"
	}
	yes := map[bool]string{true: "Yes", false: "No"}
	text := "Qdevice-disk information\n-----------------------\n"
	line := func(label, value string) { text += fmt.Sprintf("%-24s%s\n", label, value) }
	line("Path:", d.cfg.Path)
	line("Interval:", fmt.Sprintf("%dms", d.cfg.Core.Interval.Milliseconds()))
	line("Lease:", fmt.Sprintf("%dms", (d.cfg.Core.Interval*time.Duration(d.cfg.Core.Misses)).Milliseconds()))
	line("Failover:", fmt.Sprintf("at most %dms", d.cfg.Core.Failover().Milliseconds()))
	line("State:", map[bool]string{true: "Failing", false: "Working"}[s.Failing])
	line("Leader:", fmt.Sprint(s.Leader))
	line("Vote:", yes[s.Cast])
	line("Evicted:", yes[s.Evicted])
	var out []messaging.CmapEntry
	for _, e := range [][2]string{
		{"model", "Disk"},
		{"last_poll", last},
		{"members", members},
		{"heuristics", mode},
		{"hb_interval", fmt.Sprintf("%dms", d.cfg.Timeout.Milliseconds())},
		{"disk.text", text},
		{"disk.leader", fmt.Sprint(s.Leader)},
		{"disk.vote", yes[s.Cast]},
	} {
		out = append(out, cmap.Str("runtime.qdevice."+e[0], e[1]))
	}
	return out
}
