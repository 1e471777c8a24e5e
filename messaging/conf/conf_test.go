// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/hammer"
	"github.com/quorate/quorate/messaging/cmap"
)

// TestConfig runs the files of testdata. Commands: "cmap" prints the entries,
// "config" the typed values, "local" the own node; all print warnings first.
func TestConfig(t *testing.T) {
	datadriven.Walk(t, "testdata/text", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			cfg, err := Read("corosync.conf", []byte(d.Input+"\n"))
			if err != nil {
				return err.Error() + "\n"
			}
			var b strings.Builder
			for _, w := range cfg.Warnings {
				fmt.Fprintf(&b, "warning: %s\n", w)
			}
			switch d.Cmd {
			case "cmap":
				for _, e := range cfg.Entries {
					fmt.Fprintf(&b, "%s (%s) = %s\n", e.Key, e.Type, e.Value)
				}
			case "config":
				printConfig(&b, cfg)
			case "local":
				printLocal(t, &b, cfg, d)
			default:
				t.Fatalf("unknown command %q", d.Cmd)
			}
			return b.String()
		})
	})
}

func printConfig(b *strings.Builder, c *Config) {
	fmt.Fprintf(b, "cluster=%s transport=%s token=%s links=%v votes=%d\n", c.ClusterName, c.Transport, c.Token(), c.Links(), c.ExpectedVotes())
	for _, l := range c.Links() {
		fmt.Fprintf(b, "link %d: port=%d mcast=%s\n", l, c.Port(l), c.MulticastAddr(l, false))
	}
	for _, n := range c.Nodes {
		fmt.Fprintf(b, "node %d: id=%d name=%q votes=%d addrs=%v\n", n.Pos, n.ID, n.Name, n.Votes, n.Addrs)
	}
}

func printLocal(t *testing.T, b *strings.Builder, c *Config, d *datadriven.TestData) {
	m := Machine{}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "host":
			m.Hostname = a.Vals[0]
		case "node":
			m.NodeName = a.Vals[0]
		case "addr":
			p, err := netip.ParsePrefix(a.Vals[0])
			if err != nil {
				t.Fatal(err)
			}
			m.Prefixes = append(m.Prefixes, p)
		}
	}
	n, err := c.FindLocal(m)
	if err != nil {
		fmt.Fprintln(b, err)
		return
	}
	fmt.Fprintf(b, "id=%d name=%q\n", n.ID, n.Name)
}

func TestBindAddrTakesExactAddressBeforeNet(t *testing.T) {
	ps := []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("198.51.100.9/25")}
	for in, want := range map[string]string{"192.0.2.0": "192.0.2.7", "198.51.100.9": "198.51.100.9", "198.51.100.0": "198.51.100.9"} {
		got, err := BindAddr(in, ps)
		if err != nil || got.String() != want {
			t.Errorf("BindAddr(%s) = %v, %v; want %s", in, got, err, want)
		}
	}
	if a, err := BindAddr("203.0.113.0", ps); err == nil {
		t.Errorf("BindAddr found %s in a net that this machine is not in", a)
	}
}

func TestLongLineIsRefusedWithItsNumber(t *testing.T) {
	_, err := Read("f", []byte("totem {\n"+strings.Repeat("x", 512)+"\n}\n"))
	if err == nil || err.Error() != "parser error: f:2: Line too long" {
		t.Errorf("got %v", err)
	}
}

// located finds file and line in each line of an error.
var located = regexp.MustCompile(`^parser error: f:\d+: .`)

// FuzzRead: no input panics; every fault and remark has its line; whatever loads
// gives entries that cmap takes, and means the same after it was written down
// anew.
// seeds has files that are right and one that is not.
func seeds() [][]byte {
	return [][]byte{
		[]byte("totem {\n version: 2\n interface {\n ringnumber: 0\n bindnetaddr: 192.0.2.0\n }\n}\n"),
		[]byte("nodelist {\n node {\n ring0_addr: ::1\n nodeid: 1\n }\n}\nquorum {\n provider: corosync_votequorum\n}\n"),
		[]byte("totem {\n token: 1\n consensus: 30\n join: 40\n transport: udp\n}\nuidgid {\n x {\n }\n}\nquorum {\n device {\n model: net\n }\n}\n"),
	}
}

func FuzzRead(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text []byte) { reads(t, text) })
}

func reads(t testing.TB, text []byte) {
	t.Helper()
	lines := 1 + bytes.Count(text, []byte("\n"))
	cfg, err := Read("f", text)
	if err != nil {
		for fault := range strings.SplitSeq(err.Error(), "\n") {
			var line int
			if !located.MatchString(fault) {
				t.Fatalf("fault without a line: %q", fault)
			}
			if _, err := fmt.Sscanf(fault, "parser error: f:%d:", &line); err != nil || line < 1 || line > lines {
				t.Fatalf("line %d of %d: %q", line, lines, fault)
			}
		}
		return
	}
	for _, w := range cfg.Warnings {
		if w.Line < 1 || w.Line > lines {
			t.Fatalf("line %d of %d: %s", w.Line, lines, w)
		}
	}
	if err := cmap.New().SetAll(cfg.Entries); err != nil {
		t.Fatal(err)
	}
	if cfg.Token() <= 0 || len(cfg.Nodes) > MaxNodes {
		t.Fatalf("token %s, %d nodes", cfg.Token(), len(cfg.Nodes))
	}
	var b strings.Builder
	write(&b, cfg.root)
	again, err := Read("f", []byte(b.String()))
	if err != nil {
		t.Fatalf("%v of\n%s", err, b.String())
	}
	if d := cmp.Diff(cfg.Entries, again.Entries); d != "" {
		t.Fatalf("another meaning of\n%s%s", b.String(), d)
	}
	if merged, kept, err := cfg.Amend(again); err != nil || len(kept)+len(Changes(cfg, merged)) > 0 {
		t.Fatalf("a reload of the same changes %v, keeps %v, %v", Changes(cfg, merged), kept, err)
	}
}

func TestReadHammered(t *testing.T) {
	hammer.Run(t, "FuzzRead", func(b []byte) { reads(t, b) }, seeds()...)
}

// write writes a section's content down.
func write(b *strings.Builder, s *Section) {
	for _, k := range s.Keys {
		fmt.Fprintf(b, "%s: %s\n", k.Name, k.Value)
	}
	for _, sub := range s.Subs {
		fmt.Fprintf(b, "%s {\n", sub.Name)
		write(b, sub)
		b.WriteString("}\n")
	}
}
