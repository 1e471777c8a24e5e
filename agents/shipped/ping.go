// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"context"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/quorate/quorate/agents"
)

// ping tells the cluster how many of some hosts this node reaches.
func pingActions() map[string]action {
	return map[string]action{
		"start": pingStart, "stop": pingStop, "monitor": pingMonitor, "status": pingMonitor,
		"validate-all": pingValidate, "reload-agent": pingStart,
	}
}

type pinger struct {
	hosts      []string
	multiplier int
	attempts   int
	timeout    time.Duration
	name       string
	dampen     string
	minimum    int // failure_score
}

func (c *Call) pinger() (pinger, error) {
	p := pinger{
		hosts: strings.FieldsFunc(c.param("host_list", ""), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' }),
		name:  c.param("name", "pingd"), dampen: c.param("dampen", "5s"),
	}
	if len(p.hosts) == 0 {
		return p, fmt.Errorf("parameter host_list is not set: give the addresses to ping, separated by blanks")
	}
	var ok [4]bool
	p.multiplier, ok[0] = c.number("multiplier", 1)
	p.attempts, ok[1] = c.number("attempts", 3)
	p.timeout, ok[2] = c.seconds("timeout", 2*time.Second)
	p.minimum, ok[3] = c.number("failure_score", 0)
	for i, n := range []string{"multiplier", "attempts", "timeout", "failure_score"} {
		if !ok[i] {
			return p, fmt.Errorf("parameter %s: %q is not a number", n, c.param(n, ""))
		}
	}
	p.attempts = max(1, p.attempts)
	return p, nil
}

func pingValidate(_ context.Context, c *Call) agents.ExitCode {
	if _, err := c.pinger(); err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	return agents.OK
}

func pingStart(ctx context.Context, c *Call) agents.ExitCode {
	p, err := c.pinger()
	if err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	state, rc := c.dummyState()
	if rc != agents.OK {
		return rc
	}
	if err := os.WriteFile(state, nil, 0o644); err != nil {
		return c.fail(agents.GenericError, "state file: %v", err)
	}
	return c.pingUpdate(ctx, p)
}

func pingStop(ctx context.Context, c *Call) agents.ExitCode {
	state, rc := c.dummyState()
	if rc != agents.OK {
		return rc
	}
	if err := os.Remove(state); err != nil && !os.IsNotExist(err) {
		return c.fail(agents.GenericError, "state file: %v", err)
	}
	c.attrd(ctx, "-D", "-n", c.param("name", "pingd"), "-d", c.param("dampen", "5s"))
	return agents.OK
}

func pingMonitor(ctx context.Context, c *Call) agents.ExitCode {
	state, rc := c.dummyState()
	if rc != agents.OK {
		return rc
	}
	if _, err := os.Stat(state); err != nil {
		return agents.NotRunning
	}
	p, err := c.pinger()
	if err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	return c.pingUpdate(ctx, p)
}

// pingUpdate pings all hosts at once and sets the attribute.
func (c *Call) pingUpdate(ctx context.Context, p pinger) agents.ExitCode {
	alive := make([]bool, len(p.hosts))
	var all sync.WaitGroup
	for i, h := range p.hosts {
		all.Go(func() {
			err := p.reach(ctx, h)
			if alive[i] = err == nil; err != nil {
				c.log("%s: %v", h, err)
			}
		})
	}
	all.Wait()
	n := 0
	for _, a := range alive {
		if a {
			n++
		}
	}
	score := n * p.multiplier
	c.attrd(ctx, "-n", p.name, "-v", strconv.Itoa(score), "-d", p.dampen)
	if score < p.minimum {
		return c.fail(agents.GenericError, "%s is %d, less than failure_score %d", p.name, score, p.minimum)
	}
	return agents.OK
}

// attrd sets a transient attribute. The node is as well without, so that a
// failure is only told.
func (c *Call) attrd(ctx context.Context, args ...string) {
	if out, err := osexec.CommandContext(ctx, "attrd_updater", args...).CombinedOutput(); err != nil {
		c.log("attrd_updater: %v: %s", err, strings.TrimSpace(string(out)))
	}
}

// reach sends echo requests until one is answered.
func (p pinger) reach(ctx context.Context, host string) error {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return err
	}
	ip := addrs[0].Unmap()
	proto, network, any, request := 1, "ip4:icmp", "0.0.0.0", icmp.Type(ipv4.ICMPTypeEcho)
	var reply icmp.Type = ipv4.ICMPTypeEchoReply
	if ip.Is6() {
		proto, network, any = 58, "ip6:ipv6-icmp", "::"
		request, reply = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	conn, err := icmp.ListenPacket(network, any)
	var to net.Addr = &net.IPAddr{IP: ip.AsSlice(), Zone: ip.Zone()}
	if err != nil { // without the right to raw sockets
		network = map[int]string{1: "udp4", 58: "udp6"}[proto]
		if conn, err = icmp.ListenPacket(network, any); err != nil {
			return err
		}
		to = &net.UDPAddr{IP: ip.AsSlice(), Zone: ip.Zone()}
	}
	defer func() { _ = conn.Close() }()
	buf := make([]byte, 1500)
	payload := strconv.Itoa(os.Getpid()) + " " + host
	for seq := 1; seq <= p.attempts && ctx.Err() == nil; seq++ {
		msg := icmp.Message{Type: request, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: seq, Data: []byte(payload)}}
		b, err := msg.Marshal(nil)
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo(b, to); err != nil {
			continue // unreachable now, perhaps not at the next attempt
		}
		if err := conn.SetReadDeadline(time.Now().Add(p.timeout)); err != nil {
			return err
		}
		if awaitReply(conn, buf, proto, reply, payload) {
			return nil
		}
	}
	return fmt.Errorf("no answer to %d requests", p.attempts)
}

// awaitReply reads until the answer is there or the deadline has passed. An echo
// is known by its payload: the kernel may change the id.
func awaitReply(conn *icmp.PacketConn, buf []byte, proto int, want icmp.Type, payload string) bool {
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return false
		}
		m, err := icmp.ParseMessage(proto, buf[:n])
		if err != nil || m.Type != want {
			continue
		}
		if e, ok := m.Body.(*icmp.Echo); ok && string(e.Data) == payload {
			return true
		}
	}
}
