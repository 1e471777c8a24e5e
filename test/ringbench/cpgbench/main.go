// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Cpgbench measures totally ordered multicast between the nodes of a ring: one
// process a node, all in one group.
//
//	cpgbench send|recv|lat SIZE SECONDS MEMBERS
//
// send multicasts messages of SIZE bytes as fast as the ring takes them, recv only
// delivers, lat sends one, waits for its own delivery, and repeats. A run ends
// when the last message of every sender is delivered. It prints one line of JSON:
// messages and megabytes (10⁶ bytes) per second as delivered here, times from
// sending to delivery in µs over all senders (the nodes must share one clock), and
// a hash of (sender, number) of all deliveries: equal hashes, equal order.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cpgbench:", err)
		os.Exit(1)
	}
}

// limit bounds a run that does not end by itself.
const limit = 2 * time.Minute

func run(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: cpgbench send|recv|lat SIZE SECONDS MEMBERS")
	}
	size, err1 := strconv.Atoi(args[1])
	seconds, err2 := strconv.ParseFloat(args[2], 64)
	members, err3 := strconv.Atoi(args[3])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	bus, err := client.Dial(daemon.Paths{Root: os.Getenv(daemon.RootVariable)}.Socket("messagingd"))
	if err != nil {
		return err
	}
	defer func() { _ = bus.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	g, err := bus.Join(ctx, "cpgbench")
	if err != nil {
		return err
	}
	b := &bench{g: g, mode: args[0], size: max(size, headSize), want: members, own: make(chan struct{}, 1)}
	r, err := b.run(ctx, time.Duration(seconds*float64(time.Second)))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// The kinds of messages.
const (
	hello = iota
	data
	end
)

// head is at the beginning of each message: sender, number, kind, time sent.
const headSize = 24

type head struct {
	node, seq, kind uint32
	sent            time.Duration
}

type bench struct {
	g          messaging.Group
	mode       string
	size, want int
	own        chan struct{}

	hellos, senders, ends int
	first, last           time.Duration
	delivered             int
	hash                  uint64
	times                 []time.Duration
}

type result struct {
	Node      uint32             `json:"node"`
	Mode      string             `json:"mode"`
	Size      int                `json:"size"`
	Delivered int                `json:"delivered"`
	Secs      float64            `json:"secs"`
	Msgs      float64            `json:"msgs"`
	MB        float64            `json:"MB"`
	LatUS     map[string]float64 `json:"lat_us"`
	Order     string             `json:"order"`
}

func (b *bench) run(ctx context.Context, d time.Duration) (*result, error) {
	for members := 0; members < b.want; {
		ev, err := b.g.Next(ctx)
		if err != nil {
			return nil, err
		}
		if cc, ok := ev.(*messaging.ConfigChange); ok {
			members = len(cc.Members)
		}
	}
	started, sent := make(chan struct{}), make(chan error, 1)
	if b.mode == "recv" {
		sent <- nil
	} else {
		go func() {
			<-started
			sent <- b.send(ctx, d)
		}()
	}
	var sender uint32
	if b.mode != "recv" {
		sender = 1
	}
	b.hash = 1469598103934665603
	if err := b.multicast(ctx, headSize, hello, sender); err != nil {
		return nil, err
	}
	for b.hellos < b.want || b.ends < b.senders {
		ev, err := b.g.Next(ctx)
		if err != nil {
			return nil, err
		}
		if m, ok := ev.(*messaging.Message); ok {
			b.deliver(m.Body)
			if b.hellos == b.want && started != nil {
				close(started)
				started = nil
			}
		}
	}
	if err := <-sent; err != nil {
		return nil, err
	}
	return b.result(), nil
}

func (b *bench) send(ctx context.Context, d time.Duration) error {
	for seq, stop := uint32(0), now()+d; now() < stop; seq++ {
		if err := b.multicast(ctx, b.size, data, seq); err != nil {
			return err
		}
		if b.mode == "lat" {
			select {
			case <-b.own:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return b.multicast(ctx, headSize, end, 0)
}

func (b *bench) multicast(ctx context.Context, size int, kind, seq uint32) error {
	body := make([]byte, size)
	binary.LittleEndian.PutUint32(body, uint32(b.g.Self().Node))
	binary.LittleEndian.PutUint32(body[4:], seq)
	binary.LittleEndian.PutUint32(body[8:], kind)
	binary.LittleEndian.PutUint64(body[16:], uint64(now()))
	return b.g.Multicast(ctx, body)
}

func (b *bench) deliver(body []byte) {
	h := head{
		node: binary.LittleEndian.Uint32(body), seq: binary.LittleEndian.Uint32(body[4:]),
		kind: binary.LittleEndian.Uint32(body[8:]), sent: time.Duration(binary.LittleEndian.Uint64(body[16:])),
	}
	if h.kind == hello {
		b.hellos++
		b.senders += int(h.seq)
		return
	}
	if b.first == 0 {
		b.first = h.sent
	}
	b.last = now()
	if h.kind == end {
		b.ends++
		return
	}
	b.delivered++
	for _, v := range []uint32{h.node, h.seq} {
		b.hash = (b.hash ^ uint64(v)) * 1099511628211
	}
	b.times = append(b.times, b.last-h.sent)
	if b.mode == "lat" && h.node == uint32(b.g.Self().Node) {
		b.own <- struct{}{}
	}
}

func (b *bench) result() *result {
	slices.Sort(b.times)
	at := func(q float64) float64 {
		if len(b.times) == 0 {
			return 0
		}
		return float64(b.times[int(float64(len(b.times)-1)*q)].Nanoseconds()) / 1e3
	}
	secs := (b.last - b.first).Seconds()
	return &result{
		Node: uint32(b.g.Self().Node), Mode: b.mode, Size: b.size, Delivered: b.delivered, Secs: secs,
		Msgs: float64(b.delivered) / secs, MB: float64(b.delivered) * float64(b.size) / secs / 1e6,
		LatUS: map[string]float64{"p50": at(.5), "p99": at(.99), "max": at(1)}, Order: strconv.FormatUint(b.hash, 16),
	}
}

// now is the machine's monotonic clock, which nodes in containers share.
func now() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	return time.Duration(ts.Nano())
}
