// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package serve

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
	"github.com/quorate/quorate/messaging/qnet"
	"github.com/quorate/quorate/messaging/qnetd"
)

// Bounds.
const (
	eventQueue   = 1024
	sendQueue    = 32 // messages that wait for one client
	writeLimit   = 10 * time.Second
	acceptPause  = 100 * time.Millisecond
	statusTime   = 5 * time.Second
	maxStatusLen = 1024 // bytes of a status request
)

// Config is what a server needs.
type Config struct {
	Core  qnetd.Config
	TLS   *tls.Config // nil with qnet.TLSUnsupported
	Names func(tls.ConnectionState) []string
	Clock clock.Clock
	Log   *slog.Logger
}

// A Server is one running arbitration server.
type Server struct {
	cfg    Config
	events chan any
	done   chan struct{}
	wg     sync.WaitGroup

	// What follows belongs to the goroutine of Run.
	core  *qnetd.Core
	conns map[qnetd.Client]*conn
	next  qnetd.Client
	addr  string
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	if cfg.Core.TLS != qnet.TLSUnsupported && (cfg.TLS == nil || cfg.Names == nil) {
		return nil, errors.New("serve: TLS is to be offered but there is no certificate")
	}
	if cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("serve: clock or log is missing")
	}
	return &Server{cfg: cfg, events: make(chan any, eventQueue), done: make(chan struct{}), conns: map[qnetd.Client]*conn{}}, nil
}

// Run serves on both listeners until ctx is done. status may be nil.
func (s *Server) Run(ctx context.Context, lis, status net.Listener) error {
	defer s.wg.Wait()
	defer close(s.done)
	s.addr = lis.Addr().String()
	if a, ok := lis.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		s.addr = fmt.Sprintf("*:%d", a.Port)
	}
	s.core = qnetd.New(s.cfg.Core, s.cfg.Clock.Now())
	s.wg.Go(func() { s.accept(lis) })
	defer func() { _ = lis.Close() }()
	if status != nil {
		s.wg.Go(func() { s.acceptStatus(status) })
		defer func() { _ = status.Close() }()
	}
	defer func() {
		for _, c := range s.conns {
			c.close()
		}
	}()
	timer := s.cfg.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if at, ok := s.core.Deadline(); ok {
			timer.Reset(max(at-s.cfg.Clock.Now(), 0))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C():
			s.step(&qnetd.Ticked{})
		case ev := <-s.events:
			s.handle(ev)
		}
	}
}

// Healthy comes back once the server's goroutine has run.
func (s *Server) Healthy(ctx context.Context) error {
	ran := make(chan struct{})
	select {
	case s.events <- func() { close(ran) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return net.ErrClosed
	}
	select {
	case <-ran:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return net.ErrClosed
	}
}

func (s *Server) post(ev any) bool {
	select {
	case s.events <- ev:
		return true
	case <-s.done:
		return false
	}
}

func (s *Server) accept(lis net.Listener) {
	for {
		raw, err := lis.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, say
			s.cfg.Log.Warn("connection not accepted", "error", err)
			pause := s.cfg.Clock.NewTimer(acceptPause)
			select {
			case <-pause.C():
			case <-s.done:
				return
			}
			continue
		}
		if !s.post(raw) {
			_ = raw.Close()
			return
		}
	}
}

func (s *Server) handle(ev any) {
	switch ev := ev.(type) {
	case net.Conn:
		s.next++
		c := newConn(s, s.next, ev)
		s.conns[c.id] = c
		s.wg.Go(c.read)
		s.wg.Go(c.write)
		s.step(&qnetd.Opened{Client: c.id, Addr: ev.RemoteAddr().String()})
	case qnetd.Event:
		s.step(ev)
	case func():
		ev()
	}
}

func (s *Server) step(ev qnetd.Event) {
	if closed, ok := ev.(*qnetd.Closed); ok {
		if c := s.conns[closed.Client]; c != nil {
			c.close()
			delete(s.conns, closed.Client)
		}
	}
	started := false
	for _, a := range s.core.Step(s.cfg.Clock.Now(), ev) {
		switch a := a.(type) {
		case *qnetd.Send:
			if c := s.conns[a.Client]; c != nil {
				c.send(a.Message)
			}
		case *qnetd.StartTLS:
			started = true
			s.conns[a.Client].verdict <- true
		case *qnetd.Close:
			if c := s.conns[a.Client]; c != nil {
				c.close()
				delete(s.conns, a.Client)
			}
		case *qnetd.Notice:
			s.notice(a)
		}
	}
	if r, ok := ev.(*qnetd.Received); ok && r.Message.Type == qnet.StartTLS && !started {
		if c := s.conns[r.Client]; c != nil {
			c.verdict <- false
		}
	}
}

func (s *Server) notice(n *qnetd.Notice) {
	level := slog.LevelInfo
	if n.Warn {
		level = slog.LevelWarn
	}
	s.cfg.Log.Log(context.Background(), level, "arbitration", "event", n.Text, "cluster", n.Cluster, "node", n.Node, "detail", n.Detail)
}

// acceptStatus answers the status tool: a line with a request, a text back.
func (s *Server) acceptStatus(lis net.Listener) {
	for {
		c, err := lis.Accept()
		if err != nil {
			return
		}
		s.answer(c)
	}
}

func (s *Server) answer(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(statusTime))
	buf := make([]byte, maxStatusLen)
	n, err := c.Read(buf)
	if err != nil {
		return
	}
	text := make(chan string, 1)
	if !s.post(func() { text <- s.describe(string(buf[:n])) }) {
		return
	}
	select {
	case t := <-text:
		_, _ = c.Write([]byte(t))
	case <-s.done:
	}
}

func (s *Server) describe(request string) string {
	var what, verbose, cluster string
	_, _ = fmt.Sscanf(request, "%s %s %q", &what, &verbose, &cluster)
	switch what {
	case "status":
		return s.core.Status(s.addr, verbose == "verbose")
	case "list":
		return s.core.List(cluster, verbose == "verbose")
	}
	return "unknown request\n"
}

// Ask puts a request to the status socket of a server: status or list, of one
// cluster if that is not empty.
func Ask(ctx context.Context, path, what string, verbose bool, cluster string) (string, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return "", fmt.Errorf("serve: reach the server: %w", err)
	}
	defer func() { _ = c.Close() }()
	if at, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(at)
	}
	word := "brief"
	if verbose {
		word = "verbose"
	}
	if _, err := fmt.Fprintf(c, "%s %s %q\n", what, word, cluster); err != nil {
		return "", fmt.Errorf("serve: ask the server: %w", err)
	}
	b, err := readAll(c)
	if err != nil {
		return "", fmt.Errorf("serve: hear the server: %w", err)
	}
	return string(b), nil
}
