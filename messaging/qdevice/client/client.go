// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/qdevice"
	"github.com/quorate/quorate/messaging/qdevice/heuristics"
	"github.com/quorate/quorate/messaging/qnet"
)

// Bounds.
const (
	eventQueue = 64
	writeLimit = time.Second
	pollLimit  = 5 * time.Second
)

// Config is what a client needs.
type Config struct {
	Core qdevice.Config
	Addr string // host and port of the server
	// Network is tcp, tcp4 or tcp6.
	Network string
	// TLS gives keys and certificates; it is asked at each connection.
	TLS func() (*tls.Config, error)
	// Timeout is the engine's for the device: polls come twice in it.
	Timeout time.Duration
	Checks  *heuristics.Runner
	// CheckLimit and SyncCheckLimit bound a run of the heuristics, in between and
	// at a change of the membership.
	CheckLimit, SyncCheckLimit time.Duration
	Clock                      clock.Clock
	Log                        *slog.Logger
}

// A Client is one node's arbitration client; it is an [engine.Arbiter].
type Client struct {
	cfg    Config
	events chan any
	wake   chan struct{}
	wg     sync.WaitGroup

	mu      sync.Mutex
	view    engine.ArbiterView // guarded by mu; the newest
	status  qdevice.Status     // guarded by mu
	changed time.Time          // guarded by mu; of the status' state
	polled  time.Time          // guarded by mu

	// What follows belongs to the goroutine of Run.
	core *qdevice.Core
	poll engine.Poll
	conn net.Conn
	gen  uint64 // of the connection
	vote *qdevice.Vote
	seen engine.ArbiterView
	stop context.CancelFunc // of a run of heuristics
	tls  bool               // a handshake was begun in this step
}

var _ engine.Arbiter = (*Client)(nil)

// New makes a client.
func New(cfg Config) (*Client, error) {
	if cfg.Clock == nil || cfg.Log == nil || cfg.Checks == nil || cfg.Timeout <= 0 {
		return nil, errors.New("client: clock, log, checks or timeout is missing")
	}
	if cfg.Core.TLS != qnet.TLSUnsupported && cfg.TLS == nil {
		return nil, errors.New("client: TLS is on and there is no certificate")
	}
	return &Client{cfg: cfg, events: make(chan any, eventQueue), wake: make(chan struct{}, 1), core: qdevice.New(cfg.Core)}, nil
}

// Observe takes the newest state of the ring.
func (c *Client) Observe(v engine.ArbiterView) {
	c.mu.Lock()
	c.view = v
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// The events of Run besides the core's own, each of one connection.
type (
	dialed struct {
		gen  uint64
		conn net.Conn
		err  error
	}
	secured struct {
		gen  uint64
		conn net.Conn
		err  error
	}
	read struct {
		gen       uint64
		message   *qnet.Message
		malformed bool
		err       error
	}
)

// Run works until ctx is done.
func (c *Client) Run(ctx context.Context, poll engine.Poll) error {
	defer c.wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.hangUp()
	c.poll = poll
	due := c.cfg.Clock.NewTimer(0)
	defer due.Stop()
	again := c.cfg.Clock.NewTimer(c.cfg.Timeout / 2)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
			c.observed(ctx)
		case <-due.C():
			c.step(ctx, &qdevice.Ticked{})
		case <-again.C():
			again.Reset(c.cfg.Timeout / 2)
			if c.vote != nil {
				c.give(ctx, c.vote)
			}
		case ev := <-c.events:
			c.handle(ctx, ev)
		}
		if at, ok := c.core.Deadline(); ok {
			due.Reset(max(at-c.cfg.Clock.Now(), 0))
		}
		c.note()
	}
}

// observed tells the core what is new in the ring.
func (c *Client) observed(ctx context.Context) {
	c.mu.Lock()
	v := c.view
	c.mu.Unlock()
	if v.Ring.Seq == 0 {
		return // not in a ring yet
	}
	if v.Ring != c.seen.Ring {
		c.vote = nil
		ring := &qdevice.Ring{ID: qnet.RingID{Node: uint32(v.Ring.Rep), Seq: v.Ring.Seq}}
		for _, id := range v.Members {
			ring.Members = append(ring.Members, uint32(id))
		}
		c.step(ctx, ring)
	}
	if v.Quorate != c.seen.Quorate || v.Ring != c.seen.Ring || v.WaitForAll != c.seen.WaitForAll {
		q := &qdevice.Quorum{Quorate: v.Quorate, WaitForAll: v.WaitForAll}
		for _, id := range v.Members {
			q.Members = append(q.Members, uint32(id))
		}
		c.step(ctx, q)
	}
	c.seen = v
}

// post hands an event over, or drops it where nobody waits any more.
func (c *Client) post(ctx context.Context, ev any) bool {
	select {
	case c.events <- ev:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Client) handle(ctx context.Context, ev any) {
	switch ev := ev.(type) {
	case *qdevice.Checked:
		c.step(ctx, ev)
	case dialed:
		switch {
		case ev.gen != c.gen:
			if ev.conn != nil {
				_ = ev.conn.Close()
			}
		case ev.err != nil:
			c.step(ctx, &qdevice.Disconnected{Reason: ev.err.Error()})
		default:
			c.conn = ev.conn
			c.listen(ctx)
			c.step(ctx, &qdevice.Connected{})
		}
	case secured:
		switch {
		case ev.gen != c.gen:
		case ev.err != nil:
			c.hangUp()
			c.step(ctx, &qdevice.Disconnected{Reason: ev.err.Error()})
		default:
			c.conn = ev.conn
			c.listen(ctx)
			c.step(ctx, &qdevice.Secured{})
		}
	case read:
		c.received(ctx, ev)
	}
}

func (c *Client) received(ctx context.Context, ev read) {
	switch {
	case ev.gen != c.gen || c.conn == nil:
	case ev.err != nil:
		c.hangUp()
		c.step(ctx, &qdevice.Disconnected{Reason: ev.err.Error()})
	default:
		c.tls = false
		c.step(ctx, &qdevice.Received{Message: ev.message, Malformed: ev.malformed})
		// The reader stops after this message: TLS may begin behind it.
		if ev.message.Type == qnet.PreinitReply && !c.tls && c.conn != nil {
			c.listen(ctx)
		}
	}
}

func (c *Client) step(ctx context.Context, ev qdevice.Event) {
	for _, a := range c.core.Step(c.cfg.Clock.Now(), ev) {
		switch a := a.(type) {
		case *qdevice.Vote:
			c.vote = a
			c.give(ctx, a)
		case *qdevice.Dial:
			c.dial(ctx)
		case *qdevice.StartTLS:
			c.tls = true
			c.handshake(ctx)
		case *qdevice.Send:
			c.send(ctx, a.Message)
		case *qdevice.HangUp:
			c.hangUp()
		case *qdevice.Check:
			c.check(ctx, a)
		case *qdevice.Notice:
			level := slog.LevelInfo
			if a.Warn {
				level = slog.LevelWarn
			}
			c.cfg.Log.Log(ctx, level, "arbitration", append([]any{"event", a.Text, "server", c.cfg.Addr}, a.Args...)...)
		}
	}
}

// give tells the engine and waits until it has heard.
func (c *Client) give(ctx context.Context, v *qdevice.Vote) {
	ctx, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	ring := messaging.RingID{Rep: messaging.NodeID(v.Ring.Node), Seq: v.Ring.Seq}
	if err := c.poll(ctx, ring, v.Cast); err != nil && !errors.Is(err, messaging.ErrClosed) {
		c.cfg.Log.Error("vote not handed over", "error", err)
	}
	c.mu.Lock()
	c.polled = c.cfg.Clock.Wall()
	c.mu.Unlock()
}

func (c *Client) dial(ctx context.Context) {
	c.gen++
	gen := c.gen
	c.wg.Go(func() {
		d := net.Dialer{Timeout: c.cfg.Core.Connect, KeepAlive: -1}
		conn, err := d.DialContext(ctx, c.cfg.Network, c.cfg.Addr)
		if !c.post(ctx, dialed{gen, conn, err}) && conn != nil {
			_ = conn.Close()
		}
	})
}

func (c *Client) handshake(ctx context.Context) {
	gen, raw := c.gen, c.conn
	if raw == nil {
		return
	}
	c.wg.Go(func() {
		conn, err := c.secure(ctx, raw)
		c.post(ctx, secured{gen, conn, err})
	})
}

func (c *Client) secure(ctx context.Context, raw net.Conn) (net.Conn, error) {
	cfg, err := c.cfg.TLS()
	if err != nil {
		return nil, err
	}
	t := tls.Client(raw, cfg)
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Core.Connect)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("client: TLS: %w", err)
	}
	return t, nil
}

// listen reads messages of the connection.
func (c *Client) listen(ctx context.Context) {
	gen, conn := c.gen, c.conn
	c.wg.Go(func() {
		for {
			m, err := qnet.Read(conn)
			r := read{gen: gen, message: m, err: err}
			if errors.Is(err, qnet.ErrMalformed) {
				r.malformed, r.err = true, nil
			}
			if !c.post(ctx, r) || r.err != nil || m.Type == qnet.PreinitReply {
				return
			}
		}
	})
}

func (c *Client) send(ctx context.Context, m *qnet.Message) {
	if c.conn == nil {
		return
	}
	b, err := m.Encode()
	if err == nil {
		_ = c.conn.SetWriteDeadline(time.Now().Add(writeLimit))
		_, err = c.conn.Write(b)
	}
	if err != nil {
		gen := c.gen
		c.wg.Go(func() { c.post(ctx, read{gen: gen, err: err}) })
	}
}

// hangUp ends the connection and any attempt at one.
func (c *Client) hangUp() {
	c.gen++
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *Client) check(ctx context.Context, a *qdevice.Check) {
	if c.stop != nil {
		c.stop()
	}
	run, cancel := context.WithCancel(ctx)
	c.stop = cancel
	limit := c.cfg.CheckLimit
	if a.Sync {
		limit = c.cfg.SyncCheckLimit
	}
	c.wg.Go(func() {
		defer cancel()
		pass := c.cfg.Checks.Run(run, limit)
		c.post(ctx, &qdevice.Checked{Run: a.Run, Pass: pass})
	})
}
