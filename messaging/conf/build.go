// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
)

// Load reads, parses and builds the file at path.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("conf: read the configuration: %w (copy it from another node, or write one)", err)
	}
	c, err := Read(path, text)
	if err != nil {
		return nil, err
	}
	more, err := readAccess(filepath.Join(filepath.Dir(path), accessDir))
	if err != nil {
		return nil, err
	}
	c.Access = append(c.Access, more...)
	return c, nil
}

// Read parses and builds text; file is the name used in messages.
func Read(file string, text []byte) (*Config, error) {
	root, err := Parse(file, text)
	if err != nil {
		return nil, err
	}
	return Build(file, root)
}

// Build gives a parsed file its meaning. The error joins all faults found.
func Build(file string, root *Section) (*Config, error) {
	b := builder{
		lines: map[string]int{},
		cfg: &Config{
			root: root, File: file, Transport: Knet, LinkMode: "passive", BlockUnlisted: true, NetMTU: DefaultMTU,
			Interfaces: map[int]Interface{}, SchedRR: true,
			Logging: Logging{ToStderr: true, ToSyslog: true, Timestamp: "hires", Blackbox: true},
		},
	}
	b.section(root, "", "")
	b.checkWhole()
	if len(b.errs) > 0 {
		slices.SortStableFunc(b.errs, func(x, y *SyntaxError) int { return cmp.Compare(x.Line, y.Line) })
		var all []error
		for _, e := range b.errs {
			all = append(all, e)
		}
		return nil, errors.Join(all...)
	}
	return b.cfg, nil
}

type builder struct {
	cfg     *Config
	errs    []*SyntaxError
	ifaces  int            // interface sections seen
	subsys  int            // unnamed logger_subsys sections seen
	members int            // member sections seen
	lines   map[string]int // of keys and sections, by their path in the schema
}

// at is the line of the first of the keys or sections that the file has, or its
// first line.
func (b *builder) at(paths ...string) int {
	for _, p := range paths {
		if l, ok := b.lines[p]; ok {
			return l
		}
	}
	return 1
}

func (b *builder) fault(line int, format string, args ...any) {
	b.errs = append(b.errs, &SyntaxError{b.cfg.File, line, fmt.Sprintf(format, args...)})
}

func (b *builder) warn(line int, format string, args ...any) {
	b.cfg.Warnings = append(b.cfg.Warnings, Warning{b.cfg.File, line, fmt.Sprintf(format, args...)})
}

// section builds one section; path is its path in the schema, prefix that in
// cmap (they differ where sections are numbered).
func (b *builder) section(s *Section, path, prefix string) {
	seen := map[string]string{}
	for _, k := range s.Keys {
		b.key(k, path, prefix)
		seen[k.Name] = k.Value
	}
	switch path {
	case "totem.interface":
		b.iface(s)
	case "nodelist.node":
		b.node(s)
	case "logging.logger_subsys":
		b.subsystem(s)
	}
	for _, sub := range s.Subs {
		subPath := join(path, sub.Name)
		switch path {
		case "uidgid", "totem.interface.member":
			b.fault(sub.Line, "%s: Subsections are not allowed within %s section", subPath, s.Name)
			continue
		}
		if _, ok := b.lines[subPath]; !ok {
			b.lines[subPath] = sub.Line
		}
		if _, ok := schema()[subPath]; !ok && !strings.HasPrefix(subPath, "resources.") {
			b.warn(sub.Line, "unknown section %q%s is stored and otherwise ignored", subPath, meant(sub.Name, subsections(path)))
		}
		b.section(sub, subPath, b.cmapPrefix(sub, subPath, prefix))
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// cmapPrefix is the place of a section in cmap; repeated sections are numbered.
func (b *builder) cmapPrefix(s *Section, path, prefix string) string {
	base := join(prefix, s.Name)
	switch path {
	case "totem.interface":
		return fmt.Sprintf("%s.%d", base, b.linkNumber(s))
	case "totem.interface.member":
		b.members++
		return fmt.Sprintf("%s.%d", base, b.members-1)
	case "nodelist.node":
		return fmt.Sprintf("%s.%d", base, len(b.cfg.Nodes))
	case "logging.logger_subsys":
		if name := value(s, "subsys"); name != "" {
			return base + "." + name
		}
		b.subsys++
		return fmt.Sprintf("%s.%d", base, b.subsys-1)
	}
	return base
}

// linkNumber is what the section says, or its place among its like.
func (b *builder) linkNumber(s *Section) int { return linkNumber(s, b.ifaces) }

func linkNumber(s *Section, place int) int {
	for _, name := range []string{"linknumber", "ringnumber"} {
		if n, err := strconv.Atoi(value(s, name)); err == nil && n >= 0 && n < MaxLinks {
			return n
		}
	}
	return place
}

func value(s *Section, key string) string {
	for _, k := range slices.Backward(s.Keys) {
		if k.Name == key {
			return k.Value
		}
	}
	return ""
}

func (b *builder) key(k Key, path, prefix string) {
	r, known := lookup(path, k.Name)
	b.lines[join(path, k.Name)] = k.Line
	typ := "str"
	switch {
	case path == "uidgid" && !known:
		b.fault(k.Line, "uidgid: Only uid and gid are allowed items")
		return
	case path == "totem.interface.member" && !known:
		b.fault(k.Line, "Only memberaddr is allowed in member section")
		return
	case !known:
		b.warn(k.Line, "unknown key %q%s is stored and otherwise ignored", join(path, k.Name), meant(k.Name, keysOf(path)))
	default:
		if fault := r.check(join(path, k.Name), k.Value); fault != "" {
			b.fault(k.Line, "%s", fault)
			return
		}
		typ = r.typ
	}
	if path == "uidgid" {
		b.cfg.Access = append(b.cfg.Access, Principal{Group: k.Name == "gid", Name: k.Value, File: b.cfg.File, Line: k.Line})
		return // the map has the numbers
	}
	e := messaging.CmapEntry{Key: join(prefix, k.Name), Type: typ, Value: k.Value}
	if err := cmap.CheckKey(e.Key); err != nil {
		if len(e.Key) >= cmap.MinKeyLen {
			b.warn(k.Line, "key %q cannot be shown in the map: it holds characters that keys may not have", k.Name)
		}
	} else if err := cmap.CheckValue(e.Type, e.Value); err == nil {
		b.cfg.Entries = append(b.cfg.Entries, e)
	}
	b.assign(k, path)
}

// assign puts a value that passed its rule into the typed configuration.
func (b *builder) assign(k Key, path string) {
	c := b.cfg
	if path == "totem" {
		b.assignTotem(k)
		return
	}
	if path == "quorum" || strings.HasPrefix(path, "quorum.") {
		b.assignQuorum(k, path)
		return
	}
	switch path + "." + k.Name {
	case "logging.to_stderr":
		c.Logging.ToStderr = yes(k.Value)
	case "logging.to_syslog":
		c.Logging.ToSyslog = yes(k.Value)
	case "logging.to_logfile", "logging.to_file":
		c.Logging.ToLogfile = yes(k.Value)
	case "logging.logfile":
		c.Logging.Logfile = k.Value
	case "logging.logfile_priority":
		c.Logging.LogfilePriority = k.Value
	case "logging.debug":
		c.Logging.Debug = yes(k.Value) || k.Value == "trace"
	case "logging.timestamp":
		c.Logging.Timestamp = k.Value
	case "system.state_dir":
		c.StateDir = k.Value
	case "logging.blackbox":
		c.Logging.Blackbox = yes(k.Value)
	case "system.sched_rr":
		c.SchedRR = yes(k.Value)
	case "system.priority":
		c.Priority = k.Value
	}
}

func (b *builder) assignTotem(k Key) {
	c := b.cfg
	if n := timerField(&c.Timers, k.Name); n != nil {
		*n = num(k.Value)
		return
	}
	switch k.Name {
	case "version":
		if k.Value != "2" {
			b.fault(k.Line, "This totem parser can only parse version 2 configurations.")
		}
	case "cluster_name":
		c.ClusterName = k.Value
	case "config_version":
		c.ConfigVersion = num(k.Value).Value
	case "transport":
		c.Transport = Transport(k.Value)
		if k.Value == "iba" {
			b.fault(k.Line, "transport iba is not supported: use knet, udpu or udp")
		}
	case "link_mode":
		c.LinkMode = k.Value
	case "rrp_mode":
		b.warn(k.Line, "rrp_mode is historical: links are used as link_mode says")
	case "keyfile":
		c.Keyfile = k.Value
	case "key":
		c.Key = k.Value
	case "nodeid":
		c.NodeID = messaging.NodeID(num(k.Value).Value)
	case "block_unlisted_ips":
		c.BlockUnlisted = yes(k.Value)
	case "cancel_token_hold_on_retransmit":
		c.Timers.CancelHoldOnRetransmit = Number{Set: true}
		if yes(k.Value) {
			c.Timers.CancelHoldOnRetransmit.Value = 1
		}
	case "clear_node_high_bit":
		c.ClearHighBit = yes(k.Value)
	case "netmtu":
		c.NetMTU = int(num(k.Value).Value)
	case "knet_mtu":
		c.KnetMTU = int(num(k.Value).Value)
		if c.KnetMTU != 0 && (c.KnetMTU < MinMTU || c.KnetMTU > MaxMTU) {
			b.fault(k.Line, "knet_mtu is %d: give 0, which finds the size out, or %d to %d", c.KnetMTU, MinMTU, MaxMTU)
		}
	case "knet_pmtud_interval":
		c.ProbeEvery = num(k.Value)
	case "ip_version":
		c.IPVersion = k.Value
	case "ip_dscp":
		c.DSCP = dscpValue(k.Value)
	case "secauth":
		if !yes(k.Value) {
			b.warn(k.Line, "secauth: %s has no effect: packets are always sealed", k.Value)
		}
	case "crypto_cipher", "crypto_hash":
		if k.Value == "none" {
			b.warn(k.Line, "%s: none has no effect: packets are always sealed by AES-256-GCM", k.Name)
		}
	}
}

// timerField finds the field of a numeric key of totem, or nil.
func timerField(t *Timers, name string) *Number {
	return map[string]*Number{
		"token": &t.Token, "token_coefficient": &t.TokenCoefficient, "token_warning": &t.TokenWarning,
		"token_retransmit": &t.TokenRetransmit, "token_retransmits_before_loss_const": &t.Retransmits,
		"hold": &t.Hold, "join": &t.Join, "send_join": &t.SendJoin, "consensus": &t.Consensus, "merge": &t.Merge,
		"downcheck": &t.Downcheck, "fail_recv_const": &t.FailRecv, "seqno_unchanged_const": &t.SeqnoUnchanged,
		"window_size": &t.WindowSize, "max_messages": &t.MaxMessages, "miss_count_const": &t.MissCount,
		"link_down_timeout": &t.LinkDown, "node_down_timeout": &t.NodeDown, "heartbeat_interval": &t.HeartbeatInterval,
	}[name]
}

func num(s string) Number {
	n, err := strconv.ParseUint(s, 10, 64)
	return Number{Value: n, Set: err == nil}
}

func yes(s string) bool { return s == "yes" || s == "on" || s == "1" }

func (b *builder) iface(s *Section) {
	f := Interface{Link: b.linkNumber(s), TTL: 1}
	b.ifaces++
	if f.Link >= MaxLinks {
		b.fault(s.Line, "interface section %d exceeds the %d links that are possible", f.Link, MaxLinks)
		return
	}
	for _, k := range s.Keys {
		switch k.Name {
		case "bindnetaddr":
			f.BindNet = k.Value
		case "mcastaddr":
			a, err := netip.ParseAddr(k.Value)
			if err != nil || !a.IsMulticast() {
				b.fault(k.Line, "mcastaddr %q is not a multicast address", k.Value)
			}
			f.McastAddr = a
		case "broadcast":
			f.Broadcast = yes(k.Value)
		case "mcastport":
			f.Port = int(num(k.Value).Value)
		case "ttl":
			f.TTL = int(num(k.Value).Value)
		case "knet_link_priority":
			f.Priority = num(k.Value)
		case "knet_transport":
			if k.Value != "udp" {
				b.fault(k.Line, "knet_transport %s is not supported: links are carried by udp", k.Value)
			}
		}
	}
	for _, sub := range s.Subs {
		if a := value(sub, "memberaddr"); sub.Name == "member" && a != "" {
			f.Members = append(f.Members, a)
		}
	}
	b.cfg.Interfaces[f.Link] = f
}

func (b *builder) node(s *Section) {
	n := NodeConf{Pos: len(b.cfg.Nodes), Addrs: map[int]string{}, Votes: 1, Line: s.Line}
	for _, k := range s.Keys {
		switch {
		case isRingAddr(k.Name):
			n.Addrs[int(k.Name[4]-'0')] = k.Value
		case k.Name == "nodeid":
			n.ID = messaging.NodeID(num(k.Value).Value)
		case k.Name == "name":
			n.Name = k.Value
		case k.Name == "quorum_votes":
			if v := num(k.Value); v.Set {
				n.Votes = uint32(v.Value)
			}
		}
	}
	b.cfg.Nodes = append(b.cfg.Nodes, n)
}
