// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/quorum"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/transport"
)

// Version is the release of corosync whose behaviour the tools show.
const Version = "3.1.7"

// A Source is where a node's configuration comes from.
type Source struct {
	ConfPath string
	KeyPath  string              // default path of the key
	StateDir string              // default path of the state
	Abs      func(string) string // relocates paths that the file names
	Machine  conf.Machine
	Clock    clock.Clock
	Log      *slog.Logger
	Announce func(engine.Announcement)
	// Refresh describes the machine anew at a reload: it may have other addresses
	// by then. Nil keeps Machine.
	Refresh func(context.Context) (conf.Machine, error)
	// Logging takes the logging section at the start and after each reload. Nil
	// ignores it.
	Logging func(conf.Logging)
}

// Load reads the file and warns about its lines.
func Load(s Source) (*conf.Config, error) {
	c, err := conf.Load(s.ConfPath)
	if err != nil {
		return nil, err
	}
	for _, w := range c.Warnings {
		s.Log.Warn("configuration remark", "at", fmt.Sprintf("%s:%d", w.File, w.Line), "remark", w.Text)
	}
	return c, nil
}

// Build makes the engine's configuration.
func Build(s Source, c *conf.Config) (engine.Config, error) {
	cfg := engine.Config{
		ClusterName: c.ClusterName, Transport: string(c.Transport), Version: Version, ConfVersion: c.ConfigVersion,
		Rand: rand.Reader, StrictSource: c.BlockUnlisted, Clock: s.Clock, Log: s.Log, Announce: s.Announce, Cmap: cmap.New(),
	}
	if c.Transport == conf.Knet {
		s.Log.Info("transport knet is carried by unicast UDP with our own sealing and link detection")
	}
	if err := place(s, c, &cfg); err != nil {
		return cfg, err
	}
	cfg.Totem = totemConfig(c, cfg.Self)
	cfg.Link = linkConfig(c, cfg.Totem)
	cfg.Quorum = quorumConfig(s, c, cfg.Self)
	if err := key(s, c, &cfg); err != nil {
		return cfg, err
	}
	dir := s.StateDir
	if c.StateDir != "" {
		dir = s.Abs(c.StateDir)
	}
	if err := arbitration(s, c, &cfg, dir); err != nil {
		return cfg, err
	}
	cfg.DumpDir = dir
	if !c.Logging.Blackbox {
		cfg.Recorder = -1
	}
	cfg.Ring = engine.NewRingFile(dir, cfg.Self, s.Clock.Wall)
	if err := Publish(c, &cfg, cfg.Cmap); err != nil {
		return cfg, err
	}
	cfg.Digest = conf.Digest(shared(c, cfg.Key))
	links := wireLinks(c, &cfg)
	cfg.Wire = func(h transport.Handler) (transport.Wire, error) { return transport.Open(links, h, s.Log) }
	return cfg, nil
}

func key(s Source, c *conf.Config, cfg *engine.Config) (err error) {
	if c.Key != "" {
		cfg.Key, err = auth.NewKey([]byte(c.Key), c.ClusterName)
		return err
	}
	path := s.KeyPath
	if c.Keyfile != "" {
		path = s.Abs(c.Keyfile)
	}
	cfg.Key, err = auth.LoadKey(path, c.ClusterName)
	return err
}

// place finds this node, its links and the others.
func place(s Source, c *conf.Config, cfg *engine.Config) error {
	if len(c.Nodes) == 0 {
		return placeByNet(s, c, cfg)
	}
	local, err := c.FindLocal(s.Machine)
	if err != nil {
		return err
	}
	addrs, err := resolve(s, c, local)
	if err != nil {
		return err
	}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		name := n.Name
		if name == "" {
			// A nodelist of addresses alone: the name is the address if that is a
			// name, else only the machine itself knows.
			if _, err := netip.ParseAddr(n.Addrs[0]); err != nil {
				name = n.Addrs[0]
			} else if n == local {
				name = s.Machine.Hostname
			}
		}
		cfg.Nodes = append(cfg.Nodes, engine.Node{ID: n.ID, Name: name, Votes: n.Votes, Addrs: addrs[i]})
		if n == local {
			cfg.Self, cfg.Name = n.ID, name
		}
	}
	for _, l := range c.Links() {
		if a, ok := addrs[local.Pos][l]; ok {
			cfg.Links = append(cfg.Links, engine.Link{Number: l, Local: a, Port: uint16(c.Port(l)), Group: c.Transport == conf.UDP})
		}
	}
	return checkGroups(c, cfg.Links)
}

// checkGroups finds multicast groups that the addresses of their links cannot
// send to.
func checkGroups(c *conf.Config, links []engine.Link) error {
	for _, l := range links {
		if g := c.MulticastAddr(l.Number, l.Local.Is6()); l.Group && g.Is6() != l.Local.Is6() {
			return fmt.Errorf("conf: mcastaddr %s of link %d and the address %s of this node are of different IP versions", g, l.Number, l.Local)
		}
	}
	return nil
}

func placeByNet(s Source, c *conf.Config, cfg *engine.Config) error {
	for _, l := range c.Links() {
		a, err := conf.BindAddr(c.Interfaces[l].BindNet, s.Machine.Prefixes)
		if err != nil {
			return err
		}
		if a.IsLinkLocalUnicast() {
			return fmt.Errorf("conf: bindnetaddr %s is link-local: give a global or unique local address (fd00::/8)", a)
		}
		cfg.Links = append(cfg.Links, engine.Link{Number: l, Local: a, Port: uint16(c.Port(l)), Group: true})
	}
	if err := checkGroups(c, cfg.Links); err != nil {
		return err
	}
	cfg.Self, cfg.Name = c.LocalID(cfg.Links[0].Local), s.Machine.Hostname
	if cfg.Self == 0 {
		return errors.New("conf: totem.nodeid is needed: the id cannot be made from an IPv6 address")
	}
	return nil
}

// resolve turns the nodelist's addresses into IP addresses, all of one family
// for each link.
func resolve(s Source, c *conf.Config, local *conf.NodeConf) ([]map[int]netip.Addr, error) {
	out := make([]map[int]netip.Addr, len(c.Nodes))
	for i := range out {
		out[i] = map[int]netip.Addr{}
	}
	for l := range conf.MaxLinks {
		all := map[int][]netip.Addr{}
		for i, n := range c.Nodes {
			if n.Addrs[l] == "" {
				continue
			}
			as, err := s.Machine.Addresses(n.Addrs[l])
			if err != nil || len(as) == 0 {
				return nil, fmt.Errorf("conf: ring%d_addr %q of node %d: %w (give an IP address, or mend /etc/hosts)", l, n.Addrs[l], n.ID, err)
			}
			all[i] = as
		}
		family, err := commonFamily(c, l, all)
		if err != nil {
			return nil, err
		}
		loops := 0
		for i, as := range all {
			a, _ := pick(as, family)
			out[i][l] = a
			if a.IsLoopback() {
				loops++
			}
		}
		if a := out[local.Pos][l]; a.IsLoopback() && loops < len(all) {
			return nil, fmt.Errorf("conf: ring%d_addr %q of this node is %s here, which the other nodes cannot reach: give an IP address, or take the name off that line of /etc/hosts", l, local.Addrs[l], a)
		}
	}
	return out, nil
}

// commonFamily is the version of IP that a link's addresses have in common, the
// preferred one if there are two.
func commonFamily(c *conf.Config, l int, all map[int][]netip.Addr) (int, error) {
	var lacks []string
	for _, family := range c.Families() {
		without := ""
		for _, i := range slices.Sorted(maps.Keys(all)) {
			if _, ok := pick(all[i], family); !ok {
				without = c.Nodes[i].Addrs[l]
				break
			}
		}
		if without == "" {
			return family, nil
		}
		lacks = append(lacks, fmt.Sprintf("%q has no IPv%d address", without, family))
	}
	return 0, fmt.Errorf("conf: ring%d_addr of the nodes: %s (all addresses of a link are of one version, and of totem.ip_version)", l, strings.Join(lacks, ", "))
}

// pick gives the first address of a version that can be a node's.
func pick(as []netip.Addr, family int) (netip.Addr, bool) {
	for _, a := range as {
		if a = a.Unmap(); a.Is6() == (family == 6) && !a.IsLinkLocalUnicast() {
			return a, true
		}
	}
	return netip.Addr{}, false
}

func wireLinks(c *conf.Config, cfg *engine.Config) []transport.LinkConfig {
	var out []transport.LinkConfig
	for _, l := range cfg.Links {
		w := transport.LinkConfig{Link: l.Number, Bind: netip.AddrPortFrom(l.Local, l.Port), TTL: max(c.Interfaces[l.Number].TTL, 1), DSCP: c.DSCP}
		if l.Group {
			w.Group = netip.AddrPortFrom(c.MulticastAddr(l.Number, l.Local.Is6()), l.Port)
		}
		out = append(out, w)
	}
	return out
}

// Sizes of headers below the ring's packets, for the larger address family.
const ipUDPHeaders = 48

// maxPacket is the largest packet of the ring that the receive buffers take.
const maxPacket = 8192

func totemConfig(c *conf.Config, self messaging.NodeID) totem.Config {
	t, f := totem.DefaultConfig(self, max(len(c.Nodes), 1)), c.Timers
	t.HoldForSync = true
	t.Token = c.Token()
	t.TokenRetransmit = f.TokenRetransmit.Millis(0)
	t.Hold = f.Hold.Millis(0)
	t.Join = f.Join.Millis(t.Join)
	t.SendJoin = f.SendJoin.Millis(t.SendJoin)
	t.Consensus = f.Consensus.Millis(0)
	t.Merge = f.Merge.Millis(t.Merge)
	if f.CancelHoldOnRetransmit.Set {
		t.NoHoldOnRetransmit = f.CancelHoldOnRetransmit.Value == 1
	}
	for _, n := range []struct {
		to   *int
		from conf.Number
	}{
		{&t.TokenRetransmitsBeforeLoss, f.Retransmits},
		{&t.FailToReceive, f.FailRecv},
		{&t.SeqnoUnchanged, f.SeqnoUnchanged},
		{&t.Window, f.WindowSize},
		{&t.MaxMessages, f.MaxMessages},
		{&t.MissCount, f.MissCount},
	} {
		if n.from.Set {
			*n.to = int(n.from.Value)
		}
	}
	if size := cmp.Or(c.KnetMTU, c.NetMTU); size != conf.DefaultMTU {
		t.MTU = min(size-ipUDPHeaders-auth.Overhead, maxPacket)
	}
	if c.Transport == conf.Knet {
		usual := totem.DefaultConfig(self, 1)
		t.Window = min(t.Window*knetFrame/t.MTU, usual.Window)
		t.MaxMessages = min(t.MaxMessages*knetFrame/t.MTU, usual.MaxMessages)
	}
	return t
}

// knetFrame is the size of the frames that a file for knet counts in window_size
// and max_messages, in bytes. Our packets are what the network takes, so that as
// many frames are more packets; but no more than are good for any network.
const knetFrame = 64 << 10

func linkConfig(c *conf.Config, t totem.Config) link.Config {
	l := link.DefaultConfig(t.Token)
	l.Interval = c.Timers.HeartbeatInterval.Millis(l.Interval)
	l.Limit = max(c.Timers.LinkDown.Millis(l.Limit), link.MinIntervals*l.Interval)
	l.NodeLimit = max(c.Timers.NodeDown.Millis(link.NodeLimit(t.Token, l)), l.Limit)
	l.Mode = map[string]link.Mode{"passive": link.Passive, "active": link.Active, "rr": link.RoundRobin}[c.LinkMode]
	for n, f := range c.Interfaces {
		l.Priority[n] = uint8(f.Priority.Or(link.DefaultPriority))
	}
	if c.KnetMTU == 0 {
		l.MTU = min(c.NetMTU, link.MaxMTU)
		l.ProbeEvery = time.Duration(c.ProbeEvery.Or(uint64(link.DefaultProbeEvery/time.Second))) * time.Second
	}
	return l
}

func quorumConfig(s Source, c *conf.Config, self messaging.NodeID) quorum.Config {
	q := c.Quorum
	out := quorum.Config{
		Self: self, Votes: uint32(q.Votes.Or(1)), ExpectedVotes: c.ExpectedVotes(), TwoNode: q.TwoNode, AutoTieBreaker: q.AutoTieBreaker,
		LastManStanding: q.LastManStanding, Window: q.LastManWindow.Millis(quorum.DefaultWindow), AllowDownscale: q.AllowDownscale,
		WaitForAll: q.TwoNode, Tracking: q.ExpectedTracking,
	}
	if q.WaitForAll.Set {
		out.WaitForAll = q.WaitForAll.Value == 1
	}
	for _, n := range c.Nodes {
		if n.ID == self {
			out.Votes = n.Votes
		}
	}
	switch q.TieBreakerNodes {
	case "", "lowest":
	case "highest":
		out.TieHighest = true
	default:
		for w := range strings.FieldsSeq(q.TieBreakerNodes) {
			var id messaging.NodeID
			if _, err := fmt.Sscan(w, &id); err == nil {
				out.TieBreakers = append(out.TieBreakers, id)
			}
		}
	}
	if q.Provider == "" && len(c.Nodes) == 0 {
		out.Off = true
		s.Log.Warn("no quorum provider and no nodelist: every partition counts as quorate")
	} else if q.Provider == "" {
		s.Log.Warn("no quorum provider is set: corosync_votequorum is used, with the nodelist's votes")
	}
	return out
}
