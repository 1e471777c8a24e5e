// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/messaging"
)

// Quorum is the quorum section.
type Quorum struct {
	Provider         string
	ExpectedVotes    Number
	Votes            Number
	TwoNode          bool
	WaitForAll       Number
	LastManStanding  bool
	LastManWindow    Number
	AutoTieBreaker   bool
	TieBreakerNodes  string
	AllowDownscale   bool
	ExpectedTracking bool
	// Lease is quorum.lease: the longest time that a node may take itself for
	// quorate after the last token, 0 for no bound.
	Lease  Number
	Device Device

	lines map[string]int // of the keys that the file gives, below "quorum."
}

// The models of arbitration devices.
const (
	ModelNet  = "net"
	ModelDisk = "disk"
)

// A Device is the quorum.device section. Its model is "" where there is none.
type Device struct {
	Model       string
	Votes       Number
	Timeout     Number
	SyncTimeout Number
	MasterWins  bool
	Net         DeviceNet
	Disk        DeviceDisk
	Heuristics  Heuristics
}

// DeviceNet is the arbitration server of model net.
type DeviceNet struct {
	Host           string
	Port           Number
	TLS            string // on, off, required; "" is on
	Algorithm      string // ffsplit, lms, 2nodelms, test; "" is ffsplit
	TieBreaker     string // lowest, highest, a node id; "" is lowest
	ConnectTimeout Number
	Heartbeat      Number
	ForceIP        string // 0, 4, 6
	KeepActive     string // on, off; "" is on
}

// DeviceDisk is the shared file or block device of model disk.
type DeviceDisk struct {
	Path string
	// Interval is the time between two writes of a node's slot, Misses how many
	// of the others' may fail to come before a node counts as gone.
	Interval Number
	Misses   Number
}

// Heuristics are the checks that tell how well a node is placed.
type Heuristics struct {
	Mode        string // off, sync, on; "" is off
	Timeout     Number
	SyncTimeout Number
	Interval    Number
	Execs       []Heuristic // exec_NAME: command lines
	Pings       []Heuristic // ping_NAME: addresses, one of which must answer
}

// A Heuristic is one check with its name.
type Heuristic struct{ Name, Value string }

// MaxHeuristics bounds the checks of one node.
const MaxHeuristics = 32

// Defaults of the device's timers.
const (
	DefaultDeviceTimeout     = 10 * time.Second
	DefaultDeviceSyncTimeout = 30 * time.Second
)

// assignQuorum takes a key of the quorum section or of one within it.
func (b *builder) assignQuorum(k Key, path string) {
	q := &b.cfg.Quorum
	name, _ := strings.CutPrefix(join(path, k.Name), "quorum.")
	if q.lines == nil {
		q.lines = map[string]int{}
	}
	q.lines[name] = k.Line
	if b.assignHeuristic(k, path) || assignDevice(&q.Device, name, k.Value) {
		return
	}
	on := k.Value == "1"
	switch name {
	case "provider":
		q.Provider = k.Value
	case "expected_votes":
		q.ExpectedVotes = num(k.Value)
	case "votes":
		q.Votes = num(k.Value)
	case "two_node":
		q.TwoNode = on
	case "wait_for_all":
		q.WaitForAll = num(k.Value)
	case "last_man_standing":
		q.LastManStanding = on
	case "last_man_standing_window":
		q.LastManWindow = num(k.Value)
	case "auto_tie_breaker":
		q.AutoTieBreaker = on
	case "auto_tie_breaker_node":
		q.TieBreakerNodes = k.Value
	case "allow_downscale":
		q.AllowDownscale = on
	case "expected_votes_tracking":
		q.ExpectedTracking = on
	case "lease":
		q.Lease = num(k.Value)
	}
}

// assignDevice takes a key of the device; ok is false for others.
func assignDevice(d *Device, name, value string) (ok bool) {
	texts := map[string]*string{
		"device.model": &d.Model, "device.net.host": &d.Net.Host, "device.net.tls": &d.Net.TLS, "device.net.algorithm": &d.Net.Algorithm,
		"device.net.tie_breaker": &d.Net.TieBreaker, "device.net.force_ip_version": &d.Net.ForceIP,
		"device.net.keep_active_partition_tie_breaker": &d.Net.KeepActive, "device.disk.path": &d.Disk.Path, "device.heuristics.mode": &d.Heuristics.Mode,
	}
	numbers := map[string]*Number{
		"device.votes": &d.Votes, "device.timeout": &d.Timeout, "device.sync_timeout": &d.SyncTimeout, "device.net.port": &d.Net.Port,
		"device.net.connect_timeout": &d.Net.ConnectTimeout, "device.net.heartbeat_interval": &d.Net.Heartbeat,
		"device.disk.interval": &d.Disk.Interval, "device.disk.misses": &d.Disk.Misses,
		"device.heuristics.timeout": &d.Heuristics.Timeout, "device.heuristics.sync_timeout": &d.Heuristics.SyncTimeout,
		"device.heuristics.interval": &d.Heuristics.Interval,
	}
	if name == "device.master_wins" {
		d.MasterWins = value == "1"
		return true
	}
	if t := texts[name]; t != nil {
		*t = value
		return true
	}
	if n := numbers[name]; n != nil {
		*n = num(value)
		return true
	}
	return false
}

func (b *builder) assignHeuristic(k Key, path string) (ok bool) {
	if path != "quorum.device.heuristics" {
		return false
	}
	h := &b.cfg.Quorum.Device.Heuristics
	list := &h.Execs
	name, ok := strings.CutPrefix(k.Name, "exec_")
	if !ok {
		list = &h.Pings
		if name, ok = strings.CutPrefix(k.Name, "ping_"); !ok {
			return false
		}
		for w := range strings.FieldsSeq(k.Value) {
			if _, err := netip.ParseAddr(w); err != nil {
				b.fault(k.Line, "%s: %q is no IP address: give the addresses of the ping nodes, separated by blanks", k.Name, w)
			}
		}
	}
	if strings.TrimSpace(k.Value) == "" || name == "" {
		b.fault(k.Line, "%s: a check needs a name and a value", k.Name)
		return true
	}
	if len(h.Execs)+len(h.Pings) >= MaxHeuristics {
		b.fault(k.Line, "%s: at most %d heuristics are possible", k.Name, MaxHeuristics)
		return true
	}
	*list = append(*list, Heuristic{Name: name, Value: k.Value})
	return true
}

// votes gives number and sum of the nodelist's votes.
func (c *Config) votes() (nodes, sum uint32) {
	for _, n := range c.Nodes {
		sum += n.Votes
	}
	return uint32(len(c.Nodes)), sum
}

// DeviceVotes is what the device votes: as the file says, or one less than the
// nodes, so that one node and the device suffice.
func (c *Config) DeviceVotes() uint32 {
	d := c.Quorum.Device
	nodes, _ := c.votes()
	switch {
	case d.Model == "":
		return 0
	case d.Votes.Set:
		return uint32(d.Votes.Value)
	}
	return max(nodes, 1) - 1
}

// ExpectedVotes is the number of votes that the file lets one expect, those of
// the device among them. (corosync leaves an explicit device.votes out of the
// sum until all nodes were seen once; until then two halves can both reach its
// quorum.)
func (c *Config) ExpectedVotes() uint32 {
	if c.Quorum.ExpectedVotes.Set && c.Quorum.ExpectedVotes.Value > 0 {
		return uint32(c.Quorum.ExpectedVotes.Value)
	}
	_, sum := c.votes()
	return sum + c.DeviceVotes()
}

// quorumFault reports a fault at the line of the first of the keys that the
// file has.
func (b *builder) quorumFault(format string, keys ...string) {
	line := 1
	for _, k := range keys {
		if l, ok := b.cfg.Quorum.lines[k]; ok {
			line = l
			break
		}
	}
	b.fault(line, "%s", format)
}

func (b *builder) checkQuorum() {
	c := b.cfg
	q := &c.Quorum
	switch q.Provider {
	case "":
		return
	case "corosync_votequorum":
	default:
		b.quorumFault(fmt.Sprintf("quorum.provider %q is unknown: use corosync_votequorum", q.Provider), "provider")
		return
	}
	if len(c.Nodes) == 0 && c.ExpectedVotes() == 0 {
		b.fault(b.at("quorum.provider"), "configuration error: nodelist or quorum.expected_votes must be configured!")
		return
	}
	b.checkVotes()
	b.checkTieBreaker()
	if q.Device.Model != "" {
		b.checkDevice()
	}
}

// checkVotes finds options of the votes that cannot work together.
func (b *builder) checkVotes() {
	c, q := b.cfg, &b.cfg.Quorum
	nodes, sum := c.votes()
	if q.LastManStanding && sum != nodes {
		b.warn(cmp.Or(q.lines["last_man_standing"], 1), "last_man_standing works only where all nodes have one vote: it will be off")
	}
	if q.TwoNode && nodes > 2 {
		b.warn(cmp.Or(q.lines["two_node"], 1), "two_node has an effect only while there are at most two nodes, the nodelist has %d", nodes)
	}
	if q.TwoNode && q.AutoTieBreaker {
		b.warn(cmp.Or(q.lines["two_node"], 1), "two_node and auto_tie_breaker are both specified but are not compatible: two_node is off")
	}
	if q.TieBreakerNodes != "" && !q.AutoTieBreaker {
		b.warn(cmp.Or(q.lines["auto_tie_breaker_node"], 1), "auto_tie_breaker_node is meaningless if auto_tie_breaker is set to 0")
	}
	if q.Votes.Set && nodes > 0 {
		b.warn(cmp.Or(q.lines["votes"], 1), "quorum.votes has no effect where there is a nodelist: give quorum_votes to the nodes")
	}
	waits := q.WaitForAll.Or(0) == 1 || !q.WaitForAll.Set && q.TwoNode
	if q.AutoTieBreaker && c.ExpectedVotes()%2 == 1 && !waits && q.LastManStanding {
		b.quorumFault("configuration error: auto_tie_breaker & last_man_standing not available in odd sized cluster (add wait_for_all: 1, or take last_man_standing out)", "last_man_standing")
	}
}

// checkTieBreaker reads auto_tie_breaker_node.
func (b *builder) checkTieBreaker() {
	q := &b.cfg.Quorum
	if !q.AutoTieBreaker {
		return
	}
	switch q.TieBreakerNodes {
	case "", "lowest", "highest":
		return
	}
	for w := range strings.FieldsSeq(q.TieBreakerNodes) {
		id, err := strconv.ParseUint(w, 10, 32)
		if err != nil || id == 0 {
			b.quorumFault(fmt.Sprintf("auto_tie_breaker_node is not valid: %q is no node id. It must be 'lowest', 'highest' or a space-separated list of node IDs", w), "auto_tie_breaker_node")
			return
		}
		if len(b.cfg.Nodes) > 0 && !slices.ContainsFunc(b.cfg.Nodes, func(n NodeConf) bool { return n.ID == messaging.NodeID(id) }) {
			b.quorumFault(fmt.Sprintf("auto_tie_breaker_node: node %d is not in the nodelist", id), "auto_tie_breaker_node")
		}
	}
}

// checkDevice finds what a device cannot be combined with.
func (b *builder) checkDevice() {
	c, q := b.cfg, &b.cfg.Quorum
	nodes, sum := c.votes()
	d := &q.Device
	for _, x := range []struct {
		on   bool
		key  string
		text string
	}{
		{q.TwoNode, "two_node", "configuration error: two_node and quorum device cannot be configured at the same time!"},
		{q.LastManStanding, "last_man_standing", "configuration error: quorum.device is not compatible with last_man_standing"},
		{q.AutoTieBreaker, "auto_tie_breaker", "configuration error: quorum.device is not compatible with auto_tie_breaker"},
		{q.AllowDownscale, "allow_downscale", "configuration error: quorum.device is not compatible with allow_downscale"},
		{q.ExpectedVotes.Value > 0 && !d.Votes.Set, "expected_votes", "configuration error: quorum.device.votes must be specified when quorum.expected_votes is set"},
		{nodes != sum && !d.Votes.Set, "device.model", "configuration error: quorum.device.votes must be specified when not all nodes votes 1"},
		{d.Votes.Value > 0 && q.ExpectedVotes.Value > 0 && q.ExpectedVotes.Value < d.Votes.Value+2, "device.votes", "configuration error: quorum.device.votes is too high or expected_votes is too low"},
	} {
		if x.on {
			b.quorumFault(x.text, x.key)
		}
	}
	switch d.Model {
	case ModelNet:
		b.checkNet()
	case ModelDisk:
		if d.Disk.Path == "" {
			b.quorumFault("quorum.device.disk.path is missing: name the shared file or block device", "device.model")
		}
	default:
		b.quorumFault(fmt.Sprintf("quorum.device.model %q is unknown: use net or disk", d.Model), "device.model")
	}
	b.checkHeuristics()
}

func (b *builder) checkNet() {
	c, d := b.cfg, &b.cfg.Quorum.Device
	if d.Net.Host == "" {
		b.quorumFault("quorum.device.net.host is missing: name the machine of the arbitration server", "device.model")
	}
	if c.ClusterName == "" {
		b.quorumFault("totem.cluster_name is missing: the arbitration server knows clusters by it", "device.model")
	}
	b.word("device.net.tls", d.Net.TLS, "on", "off", "required")
	b.word("device.net.algorithm", d.Net.Algorithm, "ffsplit", "lms", "2nodelms", "test")
	b.word("device.net.force_ip_version", d.Net.ForceIP, "0", "4", "6")
	b.word("device.net.keep_active_partition_tie_breaker", d.Net.KeepActive, "on", "off", "yes", "no", "1", "0")
	if t := d.Net.TieBreaker; t != "" && t != "lowest" && t != "highest" {
		if id, err := strconv.ParseUint(t, 10, 32); err != nil || id == 0 {
			b.quorumFault(fmt.Sprintf("device.net.tie_breaker is %q: use lowest, highest or a node id", t), "device.net.tie_breaker")
		}
	}
	if alg := d.Net.Algorithm; alg == "" || alg == "ffsplit" {
		nodes, sum := c.votes()
		if c.DeviceVotes() != 1 {
			b.quorumFault(fmt.Sprintf("device.net.algorithm ffsplit works only if quorum.device.votes is 1, it is %d", c.DeviceVotes()), "device.votes", "device.model")
		}
		if nodes != sum {
			b.quorumFault("device.net.algorithm ffsplit works only if all nodes have exactly 1 vote", "device.net.algorithm", "device.model")
		}
	}
	if d.Net.Algorithm == "2nodelms" && len(c.Nodes) != 2 {
		b.quorumFault(fmt.Sprintf("device.net.algorithm 2nodelms works only with two nodes, the nodelist has %d", len(c.Nodes)), "device.net.algorithm")
	}
}

// word checks that a value, where given, is one of a list.
func (b *builder) word(key, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		b.quorumFault(fmt.Sprintf("quorum.%s is %q: use one of %s", key, value, strings.Join(allowed, ", ")), key)
	}
}

// leastTimer is the least value of the device's timers, in milliseconds.
const leastTimer = 1000

func (b *builder) checkHeuristics() {
	d := &b.cfg.Quorum.Device
	b.word("device.heuristics.mode", d.Heuristics.Mode, "on", "off", "sync", "yes", "no", "1", "0")
	for _, t := range []struct {
		key string
		n   Number
	}{
		{"device.timeout", d.Timeout},
		{"device.sync_timeout", d.SyncTimeout},
		{"device.net.connect_timeout", d.Net.ConnectTimeout},
		{"device.net.heartbeat_interval", d.Net.Heartbeat},
		{"device.heuristics.timeout", d.Heuristics.Timeout},
		{"device.heuristics.sync_timeout", d.Heuristics.SyncTimeout},
		{"device.heuristics.interval", d.Heuristics.Interval},
	} {
		if t.n.Set && t.n.Value < leastTimer {
			b.quorumFault(fmt.Sprintf("quorum.%s is %d ms: at least %d ms are needed", t.key, t.n.Value, leastTimer), t.key)
		}
	}
	if m := d.Heuristics.Mode; (m == "on" || m == "sync") && len(d.Heuristics.Execs)+len(d.Heuristics.Pings) == 0 {
		b.quorumFault("heuristics are on but there is no exec_NAME or ping_NAME", "device.heuristics.mode")
	}
}
