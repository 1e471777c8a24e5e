// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package hub

import (
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	maxFrame   = 64 << 10
	maxPending = 1 << 16 // frames that wait for their time; what comes then is lost
	maxKept    = 1 << 15 // frames kept as evidence
	priority   = -20     // a switch has no scheduler that others could fill
)

// A Hub is a switch with faults.
type Hub struct {
	began time.Time
	wake  chan struct{}
	quit  int // an event: readers end when it is readable
	done  sync.WaitGroup

	mu      sync.Mutex
	closed  bool         // guarded by mu
	model   *Model       // guarded by mu
	sockets []*socket    // by port; guarded by mu
	pending deliveries   // guarded by mu
	count   uint64       // frames put into pending; guarded by mu
	kept    []Frame      // a ring; guarded by mu
	next    int          // where the next one goes; guarded by mu
	stats   map[Fate]int // guarded by mu
}

type socket struct {
	fd    int
	macs  []net.HardwareAddr
	group int
}

// A Frame is one that was sent, with what became of it in one direction.
type Frame struct {
	At   time.Duration
	Pair Pair
	Fate Fate
	Data []byte
}

// New makes a hub whose faults follow from a seed.
func New(seed uint64) (*Hub, error) {
	quit, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	h := &Hub{began: time.Now(), model: NewModel(seed), wake: make(chan struct{}, 1), quit: quit, stats: map[Fate]int{}}
	h.done.Go(h.deliverDue)
	return h, nil
}

// Now is the time of the model.
func (h *Hub) Now() time.Duration { return time.Since(h.began) }

// Plug makes a TAP device in a network namespace and puts it into a socket of the
// switch. Only ports of one group reach each other. The address is the device's;
// frames to it go to this port.
func (h *Hub) Plug(ns netns.NsHandle, name string, group int, mac net.HardwareAddr) (Port, error) {
	fd, err := openTAP(ns, name)
	if err != nil {
		return 0, fmt.Errorf("hub: device %s: %w", name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := Port(len(h.sockets))
	h.sockets = append(h.sockets, &socket{fd: fd, macs: []net.HardwareAddr{mac}, group: group})
	h.done.Go(func() { h.read(p, fd) })
	return p, nil
}

// Alias lets frames to an address go to a port too, as to a machine that has
// another's address.
func (h *Hub) Alias(p Port, mac net.HardwareAddr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sockets[p].macs = append(h.sockets[p].macs, mac)
}

// openTAP works on a thread of its own, which ends: a device belongs to the
// namespace of the thread that opens it.
func openTAP(ns netns.NsHandle, name string) (int, error) {
	type result struct {
		fd  int
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		fd, err := tapHere(ns, name)
		done <- result{fd, err}
	}()
	r := <-done
	return r.fd, r.err
}

func tapHere(ns netns.NsHandle, name string) (int, error) {
	if err := netns.Set(ns); err != nil {
		return 0, err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// Set gives a direction its faults from now on.
func (h *Hub) Set(p Pair, f Faults) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.model.Set(p, f)
}

// Change changes the faults of a direction.
func (h *Hub) Change(p Pair, change func(*Faults)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.model.Faults(p)
	change(&f)
	h.model.Set(p, f)
}

// Close ends the hub; its devices go away.
func (h *Hub) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	h.mu.Unlock()
	_, err := unix.Write(h.quit, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	h.kick()
	h.done.Wait()
	for _, s := range h.sockets {
		err = errors.Join(err, unix.Close(s.fd))
	}
	return errors.Join(err, unix.Close(h.quit))
}

// read takes what a device sends, on a thread of its own with a priority of its
// own.
func (h *Hub) read(p Port, fd int) {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), priority)
	buf := make([]byte, maxFrame)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(h.quit), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if fds[1].Revents != 0 || fds[0].Revents&(unix.POLLERR|unix.POLLNVAL) != 0 {
			return
		}
		for {
			n, err := unix.Read(fd, buf)
			if err != nil || n < etherHeader {
				break
			}
			h.forward(p, slices.Clone(buf[:n]))
		}
	}
}

// Inject sends a frame as if it came from a port.
func (h *Hub) Inject(from Port, frame []byte) { h.forward(from, slices.Clone(frame)) }

// Deliver hands a frame to a port's device, past all faults and without a trace:
// for floods, which are not to hold up the switch.
func (h *Hub) Deliver(to Port, frame []byte) error {
	h.mu.Lock()
	fd := h.sockets[to].fd
	h.mu.Unlock()
	if _, err := unix.Write(fd, frame); err != nil {
		return fmt.Errorf("hub: deliver: %w", err)
	}
	return nil
}

func (h *Hub) forward(from Port, frame []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Now()
	for i, s := range h.sockets {
		to := Port(i)
		if to == from || s.group != h.sockets[from].group || !s.takes(frame) {
			continue
		}
		out, fate := h.model.Step(now, Pair{from, to}, frame)
		h.keep(Frame{At: now, Pair: Pair{from, to}, Fate: fate, Data: frame})
		for _, d := range out {
			h.pass(now, d)
		}
	}
}

func (s *socket) takes(frame []byte) bool {
	if frame[0]&1 != 0 { // to all, or to a group
		return true
	}
	return slices.ContainsFunc(s.macs, func(m net.HardwareAddr) bool { return bytes.Equal(m, frame[:6]) })
}

func (h *Hub) pass(now time.Duration, d Delivery) {
	if d.At <= now {
		_, _ = unix.Write(h.sockets[d.To].fd, d.Frame) // a device that is down loses it, as a cable would
		return
	}
	if len(h.pending) >= maxPending {
		h.stats[QueueFull]++
		return
	}
	h.count++
	heap.Push(&h.pending, due{d, h.count})
	if h.pending[0].order == h.count {
		h.kick()
	}
}

func (h *Hub) kick() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// deliverDue hands over what was held back.
func (h *Hub) deliverDue() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), priority)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait, closed := h.flush()
		if closed {
			return
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-h.wake:
		}
	}
}

func (h *Hub) flush() (wait time.Duration, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Now()
	for len(h.pending) > 0 && h.pending[0].At <= now {
		d := heap.Pop(&h.pending).(due)
		_, _ = unix.Write(h.sockets[d.To].fd, d.Frame)
	}
	if len(h.pending) == 0 {
		return time.Hour, h.closed
	}
	return h.pending[0].At - now, h.closed
}

type due struct {
	Delivery
	order uint64
}

// deliveries is a heap by time, then by the order in which they came.
type deliveries []due

func (q deliveries) Len() int { return len(q) }
func (q deliveries) Less(i, j int) bool {
	return q[i].At < q[j].At || q[i].At == q[j].At && q[i].order < q[j].order
}
func (q deliveries) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for package heap.
func (q *deliveries) Push(x any) { *q = append(*q, x.(due)) }

// Pop is for package heap.
func (q *deliveries) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
