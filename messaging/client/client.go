// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/server/wire"
	pb "github.com/quorate/quorate/proto/messaging/v1"
)

var (
	_ messaging.Bus   = (*Bus)(nil)
	_ messaging.Admin = (*Bus)(nil)
)

// A Bus is a connection to a node's messaging daemon.
type Bus struct {
	conn Conn
	rpc  pb.BusClient
	errs ipc.ErrorTable

	mu     sync.Mutex
	groups map[*group]bool // guarded by mu
	closed bool            // guarded by mu
}

// A Conn is a connection to the daemon: [ipc.DirectConn], or plain gRPC.
type Conn interface {
	grpc.ClientConnInterface
	io.Closer
}

// Dial returns a bus over the socket at path. It does not wait for the daemon:
// calls fail with ipc.ErrUnavailable while that is away.
func Dial(path string) (*Bus, error) {
	conn, err := ipc.DialDirect(path)
	if err != nil {
		return nil, err
	}
	return New(conn), nil
}

// New makes a bus of a connection, which it owns from here on.
func New(conn Conn) *Bus {
	return &Bus{conn: conn, rpc: pb.NewBusClient(conn), errs: wire.Errors(), groups: map[*group]bool{}}
}

func (b *Bus) err(err error) error {
	if err == nil {
		return nil
	}
	return b.errs.FromStatus(err)
}

// Status describes the node.
func (b *Bus) Status(ctx context.Context) (messaging.Status, error) {
	r, err := b.rpc.Status(ctx, &pb.StatusRequest{})
	return wire.ToStatus(r), b.err(err)
}

// Cmap reads keys by prefix.
func (b *Bus) Cmap(ctx context.Context, prefix string) ([]messaging.CmapEntry, error) {
	r, err := b.rpc.Cmap(ctx, &pb.CmapRequest{Prefix: prefix})
	var out []messaging.CmapEntry
	for _, e := range r.GetEntries() {
		out = append(out, wire.ToEntry(e))
	}
	return out, b.err(err)
}

// SetCmap sets one key.
func (b *Bus) SetCmap(ctx context.Context, e messaging.CmapEntry) error {
	_, err := b.rpc.SetCmap(ctx, &pb.SetCmapRequest{Entry: wire.FromEntry(e)})
	return b.err(err)
}

// SetExpectedVotes changes the expected votes.
func (b *Bus) SetExpectedVotes(ctx context.Context, votes uint32) error {
	_, err := b.rpc.SetExpectedVotes(ctx, &pb.SetExpectedVotesRequest{Votes: votes})
	return b.err(err)
}

// SetVotes changes one node's votes.
func (b *Bus) SetVotes(ctx context.Context, node messaging.NodeID, votes uint32) error {
	_, err := b.rpc.SetVotes(ctx, &pb.SetVotesRequest{Node: uint32(node), Votes: votes})
	return b.err(err)
}

// Groups lists the groups.
func (b *Bus) Groups(ctx context.Context) ([]messaging.GroupInfo, error) {
	r, err := b.rpc.Groups(ctx, &pb.GroupsRequest{})
	return wire.ToGroups(r), b.err(err)
}

// Reload makes all nodes change to what their files say, or none.
func (b *Bus) Reload(ctx context.Context) (messaging.ReloadReport, error) {
	r, err := b.rpc.Reload(ctx, &pb.ReloadRequest{})
	return messaging.ReloadReport{Changed: r.GetChanged(), Kept: r.GetKept()}, b.err(err)
}

// ClearStats begins counters anew.
func (b *Bus) ClearStats(ctx context.Context, part string) error {
	_, err := b.rpc.ClearStats(ctx, &pb.ClearStatsRequest{Part: part})
	return b.err(err)
}

// KillNode makes another node's daemon end.
func (b *Bus) KillNode(ctx context.Context, node messaging.NodeID) error {
	_, err := b.rpc.KillNode(ctx, &pb.KillNodeRequest{Node: uint32(node)})
	return b.err(err)
}

// ReopenLogs opens log files anew.
func (b *Bus) ReopenLogs(ctx context.Context) error {
	_, err := b.rpc.ReopenLogs(ctx, &pb.ReopenLogsRequest{})
	return b.err(err)
}

// Dump writes what the daemon recorded and tells where.
func (b *Bus) Dump(ctx context.Context) (string, error) {
	r, err := b.rpc.Dump(ctx, &pb.DumpRequest{})
	return r.GetPath(), b.err(err)
}

// WatchCmap gives keys and their changes. The stream itself is the queue: a
// reader that does not read is cut off by the daemon.
func (b *Bus) WatchCmap(ctx context.Context, prefix string) (messaging.CmapWatch, error) {
	wctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stream, err := b.rpc.WatchCmap(wctx, &pb.WatchCmapRequest{Prefix: prefix})
	if err != nil {
		cancel()
		return nil, b.err(err)
	}
	w := &cmapWatch{cancel: cancel, changes: make(chan []messaging.CmapChange), ended: make(chan struct{})}
	go w.run(wctx, b, stream)
	return w, nil
}

type cmapWatch struct {
	cancel  context.CancelFunc
	changes chan []messaging.CmapChange
	ended   chan struct{}
	err     error // set before ended is closed
}

func (w *cmapWatch) run(ctx context.Context, b *Bus, stream grpc.ServerStreamingClient[pb.WatchCmapResponse]) {
	defer close(w.ended)
	for {
		r, err := stream.Recv()
		if err != nil {
			w.err = closedBy(b.err(err))
			return
		}
		var out []messaging.CmapChange
		for _, c := range r.GetChanges() {
			out = append(out, wire.ToChange(c))
		}
		select {
		case w.changes <- out:
		case <-ctx.Done():
			w.err = messaging.ErrClosed
			return
		}
	}
}

// Next returns the changes that came, waiting for some.
func (w *cmapWatch) Next(ctx context.Context) ([]messaging.CmapChange, error) {
	select {
	case cs := <-w.changes:
		return cs, nil
	case <-w.ended:
		return nil, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close ends the watch.
func (w *cmapWatch) Close() error {
	w.cancel()
	<-w.ended
	return nil
}

// Shutdown ends the daemon.
func (b *Bus) Shutdown(ctx context.Context) error {
	_, err := b.rpc.Shutdown(ctx, &pb.ShutdownRequest{})
	return b.err(err)
}

// WatchQuorum gives the view and its changes.
func (b *Bus) WatchQuorum(ctx context.Context) (messaging.QuorumWatch, error) {
	wctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stream, err := b.rpc.WatchQuorum(wctx, &pb.WatchQuorumRequest{})
	if err != nil {
		cancel()
		return nil, b.err(err)
	}
	w := &watch{cancel: cancel, views: make(chan messaging.QuorumView, 1), ended: make(chan struct{})}
	go w.run(b, stream)
	return w, nil
}

type watch struct {
	cancel context.CancelFunc
	views  chan messaging.QuorumView // the newest one that was not read
	ended  chan struct{}
	err    error // set before ended is closed
}

// run keeps the newest view: one that nobody read makes room for the next.
func (w *watch) run(b *Bus, stream grpc.ServerStreamingClient[pb.WatchQuorumResponse]) {
	defer close(w.ended)
	for {
		r, err := stream.Recv()
		if err != nil {
			w.err = closedBy(b.err(err))
			return
		}
		select {
		case <-w.views:
		default:
		}
		w.views <- wire.ToView(r.GetView())
	}
}

// Next returns the newest view that was not returned yet, waiting for one.
func (w *watch) Next(ctx context.Context) (messaging.QuorumView, error) {
	select {
	case v := <-w.views:
		return v, nil
	default:
	}
	select {
	case v := <-w.views:
		return v, nil
	case <-w.ended:
		return messaging.QuorumView{}, w.err
	case <-ctx.Done():
		return messaging.QuorumView{}, ctx.Err()
	}
}

// Close ends the watch.
func (w *watch) Close() error {
	w.cancel()
	<-w.ended
	return nil
}

// Close ends all groups and the connection.
func (b *Bus) Close() error {
	b.mu.Lock()
	b.closed = true
	for g := range b.groups {
		g.cancel()
	}
	b.mu.Unlock()
	return b.conn.Close()
}
