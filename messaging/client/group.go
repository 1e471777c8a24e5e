// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/server/wire"
	pb "github.com/quorate/quorate/proto/messaging/v1"
)

// eventsAhead bounds the events read ahead of the caller; what is behind waits in
// the daemon, which cuts off a reader that does not read.
const eventsAhead = 256

type joinStream = grpc.BidiStreamingClient[pb.JoinRequest, pb.JoinResponse]

// A group is one membership over a stream. One goroutine receives; where the
// stream is not direct, another sends.
type group struct {
	bus     *Bus
	stream  joinStream
	direct  *ipc.DirectStream // nil over gRPC
	sending chan struct{}     // has room for the one whose parts go out on a direct stream
	cancel  context.CancelFunc
	self    messaging.MemberID
	out     chan request
	events  chan messaging.Event
	ended   chan struct{}
	err     error // set before ended is closed
}

// A request is a message to send, or the wish to leave.
type request struct {
	body  []byte
	leave bool
}

// Join makes the caller a member of a group.
func (b *Bus) Join(ctx context.Context, name string) (messaging.Group, error) {
	sctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel) // until the first answer
	g := &group{bus: b, cancel: cancel, out: make(chan request), sending: make(chan struct{}, 1), events: make(chan messaging.Event, eventsAhead), ended: make(chan struct{})}
	err := g.open(sctx, name)
	if err == nil && !stop() {
		err = ctx.Err()
	}
	if err == nil && !b.remember(g) {
		err = messaging.ErrClosed
	}
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("join group %q: %w", name, b.err(err))
	}
	go g.receive()
	if g.direct == nil {
		go g.send()
	}
	return g, nil
}

func (g *group) open(ctx context.Context, name string) (err error) {
	if g.stream, err = g.bus.rpc.Join(ctx); err != nil {
		return err
	}
	if s, ok := g.stream.(*grpc.GenericClientStream[pb.JoinRequest, pb.JoinResponse]); ok {
		g.direct, _ = s.ClientStream.(*ipc.DirectStream)
	}
	if err := g.stream.Send(&pb.JoinRequest{Step: &pb.JoinRequest_Join{Join: &pb.Join{Group: name}}}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	first, err := g.stream.Recv()
	if err != nil {
		return err
	}
	g.self = wire.ToMember(first.GetSelf())
	return nil
}

func (b *Bus) remember(g *group) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.groups[g] = true
	}
	return !b.closed
}

func (b *Bus) forget(g *group) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.groups, g)
}

// receive hands events on and puts the parts of large messages together.
func (g *group) receive() {
	defer g.cancel()
	defer g.bus.forget(g)
	defer close(g.ended)
	var parts []byte
	for {
		r, err := g.stream.Recv()
		if err != nil {
			g.err = closedBy(g.bus.err(err))
			return
		}
		for _, ev := range r.GetEvents() {
			var out messaging.Event
			switch k := ev.GetKind().(type) {
			case *pb.Event_ConfigChange:
				out = wire.ToConfigChange(k.ConfigChange)
			case *pb.Event_Message:
				body := k.Message.GetBody()
				if k.Message.GetMore() || len(parts) > 0 {
					if len(parts)+len(body) > messaging.MaxMessage {
						g.err = messaging.ErrTooBig
						return
					}
					parts = append(parts, body...)
					body = parts
				}
				if k.Message.GetMore() {
					continue
				}
				parts = nil
				out = &messaging.Message{From: wire.ToMember(k.Message.GetFrom()), Body: body}
			default:
				continue
			}
			select {
			case g.events <- out:
			case <-g.stream.Context().Done():
				g.err = messaging.ErrClosed
				return
			}
		}
	}
}

// closedBy says that a group or watch is over, and why.
func closedBy(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return messaging.ErrClosed
	}
	if errors.Is(err, messaging.ErrCutOff) || errors.Is(err, messaging.ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", messaging.ErrClosed, err)
}

// send transmits what Multicast handed over, in parts.
func (g *group) send() {
	for {
		select {
		case <-g.ended:
			return
		case r := <-g.out:
			if r.leave {
				_ = g.stream.Send(&pb.JoinRequest{Step: &pb.JoinRequest_Leave{Leave: &pb.Leave{}}})
				continue
			}
			for body := r.body; ; {
				req, rest := nextPart(body)
				if err := g.stream.Send(req); err != nil {
					return // the receiver learns why
				}
				if body = rest; len(body) == 0 {
					break
				}
			}
		}
	}
}

// nextPart gives the request for the first part of a body, and what is left.
func nextPart(body []byte) (req *pb.JoinRequest, rest []byte) {
	part := body[:min(len(body), wire.MaxPart)]
	rest = body[len(part):]
	return &pb.JoinRequest{Step: &pb.JoinRequest_Multicast{Multicast: &pb.Multicast{Body: part, More: len(rest) > 0}}}, rest
}

// sendDirect sends a message in the caller's goroutine. Once its first part is
// sent the others follow, whatever becomes of ctx.
func (g *group) sendDirect(ctx context.Context, body []byte) error {
	select {
	case g.sending <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.sending }()
	for {
		req, rest := nextPart(body)
		err := g.direct.SendContext(ctx, req)
		if errors.Is(err, io.EOF) {
			<-g.ended // the receiver learns why
			return g.err
		}
		if body = rest; err != nil || len(body) == 0 {
			return err
		}
		ctx = g.direct.Context()
	}
}

// Self is the id of this membership.
func (g *group) Self() messaging.MemberID { return g.self }

// Multicast hands body to the daemon; it waits while the stream is full.
func (g *group) Multicast(ctx context.Context, body []byte) error {
	if len(body) > messaging.MaxMessage {
		return fmt.Errorf("%w: %d bytes", messaging.ErrTooBig, len(body))
	}
	if g.direct == nil {
		return g.hand(ctx, request{body: bytes.Clone(body)})
	}
	if err := g.over(); err != nil {
		return err
	}
	return g.sendDirect(ctx, body)
}

// over tells why the membership has ended, or nil.
func (g *group) over() error {
	select {
	case <-g.ended:
		return g.err
	default:
		return nil
	}
}

func (g *group) hand(ctx context.Context, r request) error {
	if err := g.over(); err != nil { // rather than a sender that has not noticed
		return err
	}
	select {
	case g.out <- r:
		return nil
	case <-g.ended:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Next waits for the next event.
func (g *group) Next(ctx context.Context) (messaging.Event, error) {
	select {
	case ev := <-g.events:
		return ev, nil
	default:
	}
	select {
	case ev := <-g.events:
		return ev, nil
	case <-g.ended:
		// What was received before the end is still to be read.
		select {
		case ev := <-g.events:
			return ev, nil
		default:
			return nil, g.err
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Leave ends the membership.
func (g *group) Leave(ctx context.Context) error {
	defer g.cancel()
	if err := g.wish(ctx); err != nil {
		if errors.Is(err, messaging.ErrClosed) {
			return nil
		}
		return err
	}
	for {
		select {
		case <-g.ended:
			return nil
		case <-g.events: // nobody reads them any more
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wish tells the daemon that this member leaves.
func (g *group) wish(ctx context.Context) error {
	if g.direct == nil {
		return g.hand(ctx, request{leave: true})
	}
	err := g.direct.SendContext(ctx, &pb.JoinRequest{Step: &pb.JoinRequest_Leave{Leave: &pb.Leave{}}})
	if errors.Is(err, io.EOF) {
		return messaging.ErrClosed
	}
	return err
}
