// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/quorate/quorate/messaging/qnet"
	"github.com/quorate/quorate/messaging/qnetd"
)

// maxAnswer bounds what the status tool reads.
const maxAnswer = 16 << 20

func readAll(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, maxAnswer)) }

// A conn is one client's connection.
type conn struct {
	s       *Server
	id      qnetd.Client
	raw     net.Conn
	out     chan *qnet.Message
	verdict chan bool // whether a request for TLS was granted
	gone    chan struct{}
	once    sync.Once

	mu     sync.Mutex
	stream net.Conn // guarded by mu: raw, or TLS over it
}

func newConn(s *Server, id qnetd.Client, raw net.Conn) *conn {
	return &conn{
		s: s, id: id, raw: raw, stream: raw, out: make(chan *qnet.Message, sendQueue),
		verdict: make(chan bool, 1), gone: make(chan struct{}),
	}
}

func (c *conn) close() {
	c.once.Do(func() {
		close(c.gone)
		_ = c.raw.Close()
	})
}

// send queues a message; a client that does not read loses its connection.
func (c *conn) send(m *qnet.Message) {
	select {
	case c.out <- m:
	default:
		c.s.cfg.Log.Warn("client does not read", "addr", c.raw.RemoteAddr().String())
		_ = c.raw.Close() // the reader tells
	}
}

func (c *conn) current() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stream
}

func (c *conn) write() {
	for {
		select {
		case <-c.gone:
			return
		case m := <-c.out:
			b, err := m.Encode()
			if err == nil {
				w := c.current()
				_ = w.SetWriteDeadline(time.Now().Add(writeLimit))
				_, err = w.Write(b)
			}
			if err != nil {
				_ = c.raw.Close()
				return
			}
		}
	}
}

// read hands over messages until the connection ends.
func (c *conn) read() {
	err := c.readMessages()
	c.s.post(&qnetd.Closed{Client: c.id, Orderly: errors.Is(err, io.EOF)})
}

func (c *conn) readMessages() error {
	for {
		m, err := qnet.Read(c.current())
		malformed := errors.Is(err, qnet.ErrMalformed)
		if err != nil && !malformed {
			return err
		}
		if !c.s.post(&qnetd.Received{Client: c.id, Message: m, Malformed: malformed}) {
			return net.ErrClosed
		}
		if m.Type != qnet.StartTLS {
			continue
		}
		if err := c.maybeSecure(); err != nil {
			return err
		}
	}
}

// maybeSecure makes the handshake if the core grants it.
func (c *conn) maybeSecure() error {
	select {
	case granted := <-c.verdict:
		if !granted {
			return nil
		}
	case <-c.gone:
		return net.ErrClosed
	}
	t := tls.Server(c.raw, c.s.cfg.TLS)
	ctx, cancel := context.WithTimeout(context.Background(), qnetd.InitPatience)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		c.s.cfg.Log.Warn("TLS refused", "addr", c.raw.RemoteAddr().String(), "error", err)
		return err
	}
	c.mu.Lock()
	c.stream = t
	c.mu.Unlock()
	if !c.s.post(&qnetd.Secured{Client: c.id, Names: c.s.cfg.Names(t.ConnectionState())}) {
		return net.ErrClosed
	}
	return nil
}
