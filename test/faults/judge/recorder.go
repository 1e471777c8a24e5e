// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package judge

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
)

const (
	groupName   = "judge"
	retryPeriod = 20 * time.Millisecond // until the daemon is there
	maxEvents   = 1 << 20               // of one recorder
)

// A Delivery is one event of the group, with the time it came. Message is valid
// where Change is nil.
type Delivery struct {
	At      time.Time
	Change  *messaging.ConfigChange
	Message Message
}

// A Message names a message of a recorder. Broken says what is wrong with its
// bytes, if anything is.
type Message struct {
	From   messaging.MemberID
	Seq    uint64
	Broken string
}

// A Membership is what one stay in the group saw, from the first change on.
type Membership struct {
	Self   messaging.MemberID
	Events []Delivery
	// Accepted is the number of messages that were accepted; they are numbered
	// from 1.
	Accepted uint64
	Ended    error
}

// A View is a view of the quorum with the time it came.
type View struct {
	At time.Time
	// Gone tells that the daemon's connection ended: there is no view since.
	Gone bool
	messaging.QuorumView
}

// A Recording is all that a recorder saw. The last membership may still go on.
type Recording struct {
	Node        messaging.NodeID
	Memberships []Membership
	Views       []View
}

// A Recorder is a client of a node's daemon, over all its lives.
type Recorder struct {
	node   messaging.NodeID
	socket string
	pace   atomic.Int64 // between two messages
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	stays []*Membership // guarded by mu
	views []View        // guarded by mu
	total int           // events of all stays; guarded by mu
}

// Record starts a recorder that sends a message each pace; 0 sends none.
func Record(node messaging.NodeID, socket string, pace time.Duration) *Recorder {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Recorder{node: node, socket: socket, cancel: cancel}
	r.pace.Store(int64(pace))
	r.done.Go(func() { r.again(ctx, r.stay) })
	r.done.Go(func() { r.again(ctx, r.watch) })
	return r
}

// Pace changes the time between two messages; 0 sends none.
func (r *Recorder) Pace(d time.Duration) { r.pace.Store(int64(d)) }

// Stop ends the recorder.
func (r *Recorder) Stop() {
	r.cancel()
	r.done.Wait()
}

// Recording returns what was seen so far.
func (r *Recorder) Recording() Recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Recording{Node: r.node, Views: slices.Clone(r.views)}
	for _, s := range r.stays {
		c := *s
		c.Events = slices.Clone(s.Events)
		out.Memberships = append(out.Memberships, c)
	}
	return out
}

// View is the latest view; Gone where there is none.
func (r *Recorder) View() View {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.views) == 0 {
		return View{Gone: true}
	}
	return r.views[len(r.views)-1]
}

// Delivered counts the messages of a sender that were delivered in the latest
// stay.
func (r *Recorder) Delivered(from messaging.NodeID) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.stays) == 0 {
		return 0
	}
	for _, e := range r.stays[len(r.stays)-1].Events {
		if e.Change == nil && e.Message.From.Node == from {
			n++
		}
	}
	return n
}

func (r *Recorder) again(ctx context.Context, do func(context.Context, *client.Bus)) {
	for ctx.Err() == nil {
		if b, err := client.Dial(r.socket); err == nil {
			do(ctx, b)
			_ = b.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryPeriod):
		}
	}
}

func (r *Recorder) watch(ctx context.Context, b *client.Bus) {
	w, err := b.WatchQuorum(ctx)
	if err != nil {
		return
	}
	defer w.Close()
	for {
		v, err := w.Next(ctx)
		if ctx.Err() != nil {
			return // the end of the recording is not the end of the daemon
		}
		r.mu.Lock()
		if err == nil || len(r.views) > 0 && !r.views[len(r.views)-1].Gone {
			r.views = append(r.views, View{At: time.Now(), Gone: err != nil, QuorumView: v})
		}
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (r *Recorder) stay(ctx context.Context, b *client.Bus) {
	jctx, cancel := context.WithTimeout(ctx, time.Minute)
	g, err := b.Join(jctx, groupName)
	cancel()
	if err != nil {
		return
	}
	s := &Membership{Self: g.Self()}
	r.mu.Lock()
	r.stays = append(r.stays, s)
	r.mu.Unlock()
	sctx, stop := context.WithCancel(ctx)
	var sender sync.WaitGroup
	sender.Go(func() { r.send(sctx, g, s) })
	for {
		ev, err := g.Next(ctx)
		if err != nil || !r.note(s, ev) {
			r.mu.Lock()
			if ctx.Err() == nil {
				s.Ended = err
			}
			r.mu.Unlock()
			break
		}
	}
	stop()
	sender.Wait()
}

func (r *Recorder) note(s *Membership, ev messaging.Event) bool {
	d := Delivery{At: time.Now()}
	switch ev := ev.(type) {
	case *messaging.ConfigChange:
		d.Change = ev
	case *messaging.Message:
		d.Message = parse(ev)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Events = append(s.Events, d)
	r.total++
	return r.total < maxEvents
}

// send sends numbered messages until it may not any more.
func (r *Recorder) send(ctx context.Context, g messaging.Group, s *Membership) {
	for seq := uint64(1); ; {
		pace := time.Duration(r.pace.Load())
		wait := pace
		if pace == 0 {
			wait = retryPeriod
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if pace == 0 {
			continue
		}
		if err := g.Multicast(ctx, compose(s.Self, seq)); err != nil {
			return
		}
		r.mu.Lock()
		s.Accepted = seq
		r.mu.Unlock()
		seq++
	}
}

// A body is sender, number, length and checksum, then filler. The sizes are of
// every kind: small ones, some that fill a packet to the byte, some cut in many.
const head = 4 + 8 + 8 + 4 + 4

var sizes = []int{head, 64, 200, 900, 1300, 1301, 1400, 1472, 2900, 9000, 33000}

func compose(from messaging.MemberID, seq uint64) []byte {
	b := make([]byte, sizes[(seq*7+uint64(from.Node))%uint64(len(sizes))])
	binary.BigEndian.PutUint32(b, uint32(from.Node))
	binary.BigEndian.PutUint64(b[4:], from.Client)
	binary.BigEndian.PutUint64(b[12:], seq)
	binary.BigEndian.PutUint32(b[20:], uint32(len(b)))
	for i := head; i < len(b); i++ {
		b[i] = byte(seq) + byte(i)
	}
	binary.BigEndian.PutUint32(b[24:], crc32.ChecksumIEEE(b[head:]))
	return b
}

func parse(m *messaging.Message) Message {
	out := Message{From: m.From}
	b := m.Body
	if len(b) < head {
		out.Broken = fmt.Sprintf("%d bytes", len(b))
		return out
	}
	out.Seq = binary.BigEndian.Uint64(b[12:])
	said := messaging.MemberID{Node: messaging.NodeID(binary.BigEndian.Uint32(b)), Client: binary.BigEndian.Uint64(b[4:])}
	var errs []error
	if said != m.From {
		errs = append(errs, fmt.Errorf("sent by %v", said))
	}
	if n := binary.BigEndian.Uint32(b[20:]); int(n) != len(b) {
		errs = append(errs, fmt.Errorf("%d bytes of %d", len(b), n))
	}
	if crc32.ChecksumIEEE(b[head:]) != binary.BigEndian.Uint32(b[24:]) {
		errs = append(errs, errors.New("wrong checksum"))
	}
	if err := errors.Join(errs...); err != nil {
		out.Broken = err.Error()
	}
	return out
}
