// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/messaging/link"
)

// Names stand for addresses of the version that ip_version prefers and all nodes
// have; link-local ones are never taken.
func TestNamesStandForAddressesOfOneVersion(t *testing.T) {
	hosts := map[string]string{
		"both1": "fe80::1 2001:db8::1 192.0.2.1", "both2": "192.0.2.2 2001:db8::2", "four": "192.0.2.3", "six": "2001:db8::3", "local": "fe80::4 169.254.0.4",
	}
	for _, tc := range []struct{ version, transport, first, second, want string }{
		{"", "udpu", "both1", "both2", "2001:db8::1 2001:db8::2"},
		{"ipv6-4", "udpu", "both1", "four", "192.0.2.1 192.0.2.3"},
		{"ipv4-6", "udpu", "both1", "both2", "192.0.2.1 192.0.2.2"},
		{"ipv4-6", "udpu", "six", "both2", "2001:db8::3 2001:db8::2"},
		{"ipv4", "udpu", "both1", "both2", "192.0.2.1 192.0.2.2"},
		{"ipv6", "udpu", "both1", "both2", "2001:db8::1 2001:db8::2"},
		{"", "udp", "both1", "both2", "192.0.2.1 192.0.2.2"},
		{"ipv6", "udp", "both1", "both2", "2001:db8::1 2001:db8::2"},
		{"ipv6", "udpu", "four", "both2", `"four" has no IPv6 address`},
		{"", "udpu", "four", "six", `"four" has no IPv6 address, "six" has no IPv4 address`},
		{"", "udpu", "local", "both2", `"local" has no IPv6 address`},
	} {
		text := "totem {\n version: 2\n transport: " + tc.transport + "\n"
		if tc.version != "" {
			text += " ip_version: " + tc.version + "\n"
		}
		text += fmt.Sprintf("}\nnodelist {\n node {\n ring0_addr: %s\n nodeid: 1\n name: node1\n }\n node {\n ring0_addr: %s\n nodeid: 2\n name: node2\n }\n}\n", tc.first, tc.second)
		s := source(t, t.TempDir(), "node1", text, 1)
		s.Machine.Resolve = func(name string) (out []netip.Addr, err error) {
			for a := range strings.FieldsSeq(hosts[name]) {
				out = append(out, netip.MustParseAddr(a))
			}
			if out == nil {
				err = errors.New("no such name")
			}
			return out, err
		}
		c, err := Load(s)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := Build(s, c)
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(cfg.Nodes[0].Addrs[0], " ", cfg.Nodes[1].Addrs[0])
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s %s, %s and %s: %s, want %s", tc.transport, tc.version, tc.first, tc.second, got, tc.want)
		}
	}
}

func TestBuildAppliesWhatTheFileSaysOfLinks(t *testing.T) {
	text := confText(9, 2, " link_mode: active\n netmtu: 9000\n knet_pmtud_interval: 7\n ip_dscp: ef\n interface {\n linknumber: 0\n knet_link_priority: 0\n }\n interface {\n linknumber: 3\n knet_link_priority: 200\n }\n")
	s := source(t, t.TempDir(), "node1", text, 1)
	c, err := Load(s)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Build(s, c)
	if err != nil {
		t.Fatal(err)
	}
	l := cfg.Link
	if l.Mode != link.Active || l.Priority[0] != 0 || l.Priority[1] != link.DefaultPriority || l.Priority[3] != 200 || l.MTU != 9000 || l.ProbeEvery != 7*time.Second {
		t.Errorf("links %+v", l)
	}
	if w := wireLinks(c, &cfg); len(w) != 1 || w[0].DSCP != 46 {
		t.Errorf("sockets %+v", w)
	}
	// A size that is set is not searched for.
	s = source(t, t.TempDir(), "node1", confText(9, 2, " knet_mtu: 1400\n"), 1)
	if c, err = Load(s); err != nil {
		t.Fatal(err)
	}
	if cfg, err = Build(s, c); err != nil || cfg.Link.MTU != 0 || cfg.Totem.MTU != 1400-ipUDPHeaders-60 {
		t.Errorf("links %+v, packets of %d bytes, %v", cfg.Link, cfg.Totem.MTU, err)
	}
}

func TestGroupsAreOfTheAddressesVersion(t *testing.T) {
	text := "totem {\n version: 2\n transport: udp\n interface {\n bindnetaddr: 192.0.2.0\n mcastaddr: ff15::7\n }\n}\n"
	s := source(t, t.TempDir(), "node1", text, 1)
	s.Machine.Prefixes = []netip.Prefix{netip.MustParsePrefix("192.0.2.9/24")}
	c, err := Load(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Build(s, c); err == nil || !strings.Contains(err.Error(), "different IP versions") {
		t.Errorf("an IPv6 group at an IPv4 address: %v", err)
	}
}
