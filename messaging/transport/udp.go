// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// Sizes of buffers and batches.
const (
	batchSize   = 64      // messages of one sending call
	readSize    = 16      // messages of one receiving call, each of many packets
	bufferSize  = 1 << 16 // bytes of one received message
	socketBytes = 8 << 20 // kernel's queue per socket and direction
	// sendPatience bounds how long a full socket may hold up the sender.
	sendPatience = 200 * time.Millisecond
	// sendRetries bounds how often one batch is tried again after an error that
	// an earlier packet left on the socket.
	sendRetries = 4
	// rejoinEvery is how often the membership of a multicast group is renewed,
	// for interfaces that were deleted and made again.
	rejoinEvery = time.Second
)

// LinkConfig describes one link of this node.
type LinkConfig struct {
	Link int
	Bind netip.AddrPort
	// Group, where valid, is the multicast group for packets to all.
	Group netip.AddrPort
	TTL   int
	// DSCP marks what is sent, for the queues of the network.
	DSCP int
}

// batcher is what ipv4.PacketConn and ipv6.PacketConn have in common.
type batcher interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
}

// UDP is a wire over UDP sockets.
type UDP struct {
	log     *slog.Logger
	handler Handler
	socks   []*socket
	byLink  map[int]*socket // for sending
	closed  chan struct{}
	wg      sync.WaitGroup
	stats   struct{ txPackets, txBytes, txErrors, rxPackets, rxBytes, rxErrors atomic.Uint64 }
}

type socket struct {
	cfg     LinkConfig
	conn    *net.UDPConn
	batch   batcher
	out     []ipv4.Message
	trains  []train
	trainOf map[netip.AddrPort]int
	// lastTrain is the train of the last datagram.
	lastTrain int
	segment   bool // the kernel cuts a train into packets
	addrs     map[netip.AddrPort]*net.UDPAddr
	deadline  time.Time
	rejoin    func() error
	closed    chan struct{}
}

func (s *socket) close() error {
	close(s.closed)
	return s.conn.Close()
}

// Open binds the sockets of all links and begins to receive.
func Open(links []LinkConfig, handler Handler, log *slog.Logger) (*UDP, error) {
	u := &UDP{log: log, handler: handler, byLink: map[int]*socket{}, closed: make(chan struct{})}
	if err := u.Stage(links); err != nil {
		return nil, errors.Join(err, u.Close())
	}
	u.Switch(links)
	return u, nil
}

// openLink binds the sockets of one link: that to send on first.
func (u *UDP) openLink(l LinkConfig) ([]*socket, error) {
	s, err := listen(l, l.Bind, false)
	if err != nil {
		return nil, fmt.Errorf("transport: bind link %d to %s: %w", l.Link, l.Bind, err)
	}
	if !l.Group.IsValid() {
		return []*socket{s}, nil
	}
	if err := setMulticastSender(s); err != nil {
		return nil, errors.Join(fmt.Errorf("transport: link %d: send to group %s: %w", l.Link, l.Group, err), s.close())
	}
	g, err := listen(l, l.Group, true)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("transport: bind link %d to group %s: %w", l.Link, l.Group, err), s.close())
	}
	g.rejoin = joiner(g)
	if err := g.rejoin(); err != nil {
		u.log.Warn("multicast group not joined yet", "link", l.Link, "group", l.Group.Addr().String(), "error", err)
	}
	return []*socket{s, g}, nil
}

func listen(l LinkConfig, at netip.AddrPort, group bool) (*socket, error) {
	pc, err := bind(at, group, l.DSCP)
	if err != nil {
		return nil, err
	}
	conn, ok := pc.(*net.UDPConn)
	if !ok {
		return nil, errors.New("not a UDP socket")
	}
	enlarge(conn)
	s := &socket{
		cfg: l, conn: conn, batch: newBatcher(conn, at.Addr().Is4()), segment: !group && canSegment(conn),
		addrs: map[netip.AddrPort]*net.UDPAddr{}, trainOf: map[netip.AddrPort]int{}, closed: make(chan struct{}),
	}
	return s, nil
}

// A train is what goes to one destination in one call of Send.
type train struct {
	to   netip.AddrPort
	cars [][]byte
	last int // place of its last datagram in the call
}

// Send transmits datagrams as far as the sockets take them. Those to one
// destination keep their order and go together, which lets the kernel handle
// many as one; the destination of the last datagram (a token, if there is one)
// comes last.
func (u *UDP) Send(batch []Datagram) {
	for i, d := range batch {
		s := u.byLink[d.Link]
		if s == nil {
			continue
		}
		t := s.train(d.To)
		t.cars = append(t.cars, d.Data)
		t.last = i
	}
	for _, s := range u.byLink {
		if len(s.trains) > 0 {
			s.couple()
			u.flush(s)
		}
	}
}

// train finds the train to a place, or begins it.
func (s *socket) train(to netip.AddrPort) *train {
	// Packets to all go round the same places in the same order.
	if s.lastTrain++; s.lastTrain >= len(s.trains) {
		s.lastTrain = 0
	}
	if s.lastTrain < len(s.trains) && s.trains[s.lastTrain].to == to {
		return &s.trains[s.lastTrain]
	}
	n, ok := s.trainOf[to]
	if !ok {
		n = len(s.trains)
		s.trainOf[to] = n
		if n < cap(s.trains) {
			s.trains = s.trains[:n+1]
			s.trains[n].to, s.trains[n].cars = to, s.trains[n].cars[:0]
		} else {
			s.trains = append(s.trains, train{to: to})
		}
	}
	s.lastTrain = n
	return &s.trains[n]
}

// couple turns the trains into messages.
func (s *socket) couple() {
	slices.SortFunc(s.trains, func(a, b train) int { return a.last - b.last })
	for _, t := range s.trains {
		addr := s.addr(t.to)
		for cars := t.cars; len(cars) > 0; {
			n := 1
			if s.segment {
				n = trainLen(cars)
			}
			m := ipv4.Message{Buffers: cars[:n:n], Addr: addr}
			if n > 1 {
				m.OOB = segmentControl(len(cars[0]))
			}
			s.out = append(s.out, m)
			cars = cars[n:]
		}
	}
	clear(s.trainOf)
}

// Bounds of what the kernel takes as one message.
const (
	maxTrain      = 60
	maxTrainBytes = 60000
)

// trainLen tells how many packets may go as one message: all of one length,
// except the last, which may be shorter.
func trainLen(cars [][]byte) int {
	size, sum := len(cars[0]), 0
	for i, c := range cars {
		sum += len(c)
		if i == maxTrain || sum > maxTrainBytes || len(c) > size {
			return max(i, 1)
		}
		if len(c) < size {
			return i + 1
		}
	}
	return len(cars)
}

// maxAddrs bounds the remembered addresses of one socket.
const maxAddrs = 1024

func (s *socket) addr(to netip.AddrPort) *net.UDPAddr {
	if !to.IsValid() {
		to = s.cfg.Group
	}
	a := s.addrs[to]
	if a == nil {
		if len(s.addrs) >= maxAddrs {
			clear(s.addrs)
		}
		a = net.UDPAddrFromAddrPort(to)
		s.addrs[to] = a
	}
	return a
}

func (u *UDP) flush(s *socket) {
	if now := time.Now(); s.deadline.Sub(now) < sendPatience/2 {
		s.deadline = now.Add(sendPatience)
		_ = s.conn.SetWriteDeadline(s.deadline)
	}
	rest, retries := s.out, 0
	uncoupled, tooBig := false, false
	for len(rest) > 0 {
		n, err := s.batch.WriteBatch(rest[:min(len(rest), batchSize)], 0)
		if n > 0 {
			u.countSent(rest[:n])
			rest = rest[n:]
		}
		if err == nil || len(rest) == 0 {
			continue
		}
		u.stats.txErrors.Add(1)
		if len(rest[0].Buffers) > 1 && refusesTrains(err) {
			u.log.Debug("packets are sent one by one", "link", s.cfg.Link, "error", err)
			uncoupled = true
			rest = uncouple(rest)
			continue
		}
		large := errors.Is(err, unix.EMSGSIZE)
		tooBig = tooBig || large
		// The error may be an earlier packet's (an ICMP answer that waited on
		// the socket): the same packet deserves another try, but not for ever.
		if retries++; retries > sendRetries || large && retries > 1 || !isPending(err) {
			retries = 0
			rest = rest[1:]
		}
	}
	switch {
	case tooBig:
		// What the own kernel says of it waits on the socket, where it takes room
		// from what arrives, and wakes nobody.
		_ = s.conn.SetReadDeadline(longAgo)
	case uncoupled:
		s.segment = false // not the size of the packets: the device takes no trains
	}
	clear(s.out)
	s.out = s.out[:0]
	for i := range s.trains {
		clear(s.trains[i].cars)
	}
	s.trains = s.trains[:0]
}

func (u *UDP) countSent(ms []ipv4.Message) {
	for _, m := range ms {
		u.stats.txPackets.Add(uint64(len(m.Buffers)))
		for _, b := range m.Buffers {
			u.stats.txBytes.Add(uint64(len(b)))
		}
	}
}

// uncouple makes single packets of trains.
func uncouple(ms []ipv4.Message) []ipv4.Message {
	var out []ipv4.Message
	for _, m := range ms {
		for i := range m.Buffers {
			out = append(out, ipv4.Message{Buffers: m.Buffers[i : i+1], Addr: m.Addr})
		}
	}
	return out
}

// receive reads batches until the wire is closed.
func (u *UDP) receive(s *socket) {
	defer u.wg.Done()
	ms := make([]ipv4.Message, readSize)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, bufferSize)}
		ms[i].OOB = make([]byte, controlSize)
	}
	packets := make([]Packet, 0, batchSize)
	for {
		n, err := s.batch.ReadBatch(ms, 0)
		if err != nil {
			if !u.receiveFailed(s, err) {
				return
			}
			continue
		}
		packets = packets[:0]
		for _, m := range ms[:n] {
			src, ok := m.Addr.(*net.UDPAddr)
			if !ok {
				continue
			}
			ap := src.AddrPort()
			ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
			u.stats.rxBytes.Add(uint64(m.N))
			data := m.Buffers[0][:m.N]
			size := segmentSize(m.OOB[:m.NN], len(data))
			for {
				part := data[:min(size, len(data))]
				data = data[len(part):]
				packets = append(packets, Packet{Link: s.cfg.Link, Src: ap, Data: part})
				if len(data) == 0 {
					break
				}
			}
		}
		u.stats.rxPackets.Add(uint64(len(packets)))
		u.handler.Receive(packets)
	}
}

// receiveFailed handles an error of reading; it tells whether to go on.
func (u *UDP) receiveFailed(s *socket, err error) bool {
	select {
	case <-s.closed:
		return false
	default:
	}
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	woken := errors.Is(err, os.ErrDeadlineExceeded)
	if woken {
		_ = s.conn.SetReadDeadline(time.Time{}) // before what it is about is read
	} else {
		u.stats.rxErrors.Add(1)
	}
	if !u.answers(s) && !woken && !isPending(err) {
		u.log.Warn("receive error", "link", s.cfg.Link, "error", err)
		select { // an error that stays must not spin
		case <-s.closed:
			return false
		case <-time.After(sendPatience):
		}
	}
	return true
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// answers reports what kernels said of packets that were sent, each of it once;
// it tells whether there was any.
func (u *UDP) answers(s *socket) (found bool) {
	told := map[answer]bool{}
	for range maxDrains {
		as := drainErrors(s.conn)
		for _, a := range as {
			found = true
			if told[a] {
				continue
			}
			told[a] = true
			if a.size != 0 {
				u.handler.TooBig(s.cfg.Link, a.dst, a.size)
			} else {
				u.handler.Refused(s.cfg.Link, a.dst)
			}
		}
		if len(as) < maxErrors {
			break
		}
	}
	return found
}

// maxDrains bounds how often maxErrors answers are read in a row.
const maxDrains = 64

func (u *UDP) keepJoined(s *socket) {
	defer u.wg.Done()
	t := time.NewTicker(rejoinEvery)
	defer t.Stop()
	failing := false
	for {
		select {
		case <-s.closed:
			return
		case <-t.C:
		}
		err := s.rejoin()
		if (err != nil) != failing {
			failing = err != nil
			u.log.Warn("multicast membership changed", "link", s.cfg.Link, "joined", !failing, "error", err)
		}
	}
}

// Stats counts packets.
func (u *UDP) Stats() Stats {
	return Stats{
		TxPackets: u.stats.txPackets.Load(), TxBytes: u.stats.txBytes.Load(), TxErrors: u.stats.txErrors.Load(),
		RxPackets: u.stats.rxPackets.Load(), RxBytes: u.stats.rxBytes.Load(), RxErrors: u.stats.rxErrors.Load(),
	}
}

// Close stops receiving and waits for the readers.
func (u *UDP) Close() error {
	select {
	case <-u.closed:
		return nil
	default:
	}
	close(u.closed)
	var errs []error
	for _, s := range u.socks {
		errs = append(errs, s.close())
	}
	u.wg.Wait()
	return errors.Join(errs...)
}
