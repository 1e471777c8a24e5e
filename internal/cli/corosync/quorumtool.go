// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
)

const quorumtoolUsage = `usage: 
corosync-quorumtool <options>

  options:

  -s             show quorum status
  -m             constantly monitor quorum status
  -l             list nodes
  -a             show all names or addresses for each node
  -p             when used with -s or -l, generates machine parsable output
  -v <votes>     change the number of votes for a node (*)
  -n <nodeid>    optional nodeid of node for -v
  -e <expected>  change expected votes for the cluster (*)
  -H             show nodeids in hexadecimal rather than decimal
  -i             show node IP addresses instead of the resolved name
  -o <a|n|i>     order by [a] IP address (default), [n] name, [i] nodeid
  -f             forcefully unregister a quorum device *DANGEROUS* (*)
  -h             show this help text
  -V             show version and exit

  (*) Starred items only work if votequorum is the quorum provider for corosync

`

// A quorumtool is one run of corosync-quorumtool.
type quorumtool struct {
	io       *cli.IO
	bus      *client.Bus
	mode     string // the last of s, l, m, v, e, f, W
	machine  bool
	hex      bool
	addrs    bool
	all      bool // addresses or names of all links
	off      bool // votes are not counted
	order    string
	votes    uint32
	expected uint32
	node     uint32
}

func runQuorumtool(ctx context.Context, io *cli.IO, args []string) int {
	q := &quorumtool{io: io, mode: "s", order: "a"}
	opts, _, err := getopt("corosync-quorumtool", args, "aVhspmlHie:v:n:o:fW:", nil)
	if err != nil {
		io.Errorf("%s\n", err)
		io.Printf("%s", quorumtoolUsage)
		return exitError
	}
	for _, o := range opts {
		if done, code := q.option(o); done {
			return code
		}
	}
	bus, status, err := dial(ctx, io)
	if err != nil {
		io.Errorf("Cannot initialize CMAP service\n")
		return exitError
	}
	defer func() { _ = bus.Close() }()
	q.bus = bus
	return q.run(ctx, status.View)
}

// option takes one option; done tells that the run ends with it.
func (q *quorumtool) option(o option) (done bool, code int) {
	number := func(what string, least, most uint64) (uint32, bool) {
		n, err := strconv.ParseUint(o.arg, 0, 64)
		ok := err == nil && n >= least && n <= most
		if !ok {
			q.io.Errorf("%s\n", what)
		}
		return uint32(n), ok
	}
	ok := true
	switch o.name {
	case "s", "l", "m", "f":
		q.mode = o.name
	case "a":
		q.all = true
	case "v":
		q.mode = "v"
		q.votes, ok = number("New votes value was not valid, try a positive number or zero", 0, math.MaxInt32)
	case "e":
		q.mode = "e"
		q.expected, ok = number("New expected votes value was not valid, try a positive number", 1, math.MaxInt32)
	case "n":
		q.node, ok = number("The nodeid was not valid, try a positive number", 1, math.MaxUint32)
	case "W":
		q.mode = "W"
		if !strings.Contains(o.arg, "q") {
			q.io.Errorf("Invalid watch option. valid watch options are q(quorum)\n")
			return true, exitError
		}
	case "p":
		q.machine = true
	case "H":
		q.hex = true
	case "i":
		q.addrs = true
	case "o":
		if o.arg != "a" && o.arg != "n" && o.arg != "i" {
			q.io.Errorf("Invalid ordering option. valid orders are a(address), i(node ID) or n(name)\n")
			return true, exitError
		}
		q.order = o.arg
	case "V":
		q.io.Printf("corosync-quorumtool version: %s\n", cli.CorosyncVersion)
		return true, exitOK
	case "h":
		q.io.Printf("%s", quorumtoolUsage)
		return true, exitOK
	}
	return !ok, exitError
}

func (q *quorumtool) run(ctx context.Context, v messaging.QuorumView) int {
	q.off = !q.counts(ctx)
	if q.off && strings.Contains("vef", q.mode) {
		q.io.Errorf("You cannot %s, corosync is not using votequorum\n", map[string]string{
			"v": "change node votes", "e": "change expected votes", "f": "unregister quorum device",
		}[q.mode])
		return exitError
	}
	switch q.mode {
	case "l":
		q.members(ctx, v)
		return exitOK
	case "m", "W":
		return q.monitor(ctx)
	case "e":
		if err := q.bus.SetExpectedVotes(ctx, q.expected); err != nil {
			q.io.Errorf("Unable to set expected votes: %s\n", csError(err))
			return exitError
		}
		return exitOK
	case "v":
		if q.node == 0 {
			q.node = uint32(v.Self)
		}
		return q.setVotes(ctx)
	case "f":
		return q.unregister(ctx)
	}
	q.status(ctx, v)
	if !v.Quorate {
		return exitNotQuorate
	}
	return exitOK
}

// counts tells whether votes are counted: they are not where the file has
// neither a provider of quorum nor a nodelist.
func (q *quorumtool) counts(ctx context.Context) bool {
	for _, prefix := range []string{"quorum.provider", "nodelist.node."} {
		if es, err := q.bus.Cmap(ctx, prefix); err != nil || len(es) > 0 {
			return true
		}
	}
	return false
}

func (q *quorumtool) setVotes(ctx context.Context) int {
	err := q.bus.SetVotes(ctx, messaging.NodeID(q.node), q.votes)
	if err == nil {
		return exitOK
	}
	why := csError(err)
	if errors.Is(err, messaging.ErrNoNode) {
		why = "CS_ERR_NAME_NOT_FOUND"
	}
	q.io.Errorf("Unable to set votes %d for nodeid: %d: %s\n", q.votes, q.node, why)
	return exitError
}

// monitor shows each change of the view, and not the view as it is.
func (q *quorumtool) monitor(ctx context.Context) int {
	w, err := q.bus.WatchQuorum(ctx)
	if err == nil {
		defer func() { _ = w.Close() }()
		_, err = w.Next(ctx)
	}
	if err != nil {
		q.io.Errorf("Unable to start quorum status tracking: %s\n", csError(err))
		return exitError
	}
	if q.mode == "W" {
		q.io.Printf("Watching for updates:\n")
	}
	for {
		v, err := w.Next(ctx)
		switch {
		case err != nil:
			q.io.Errorf("Unable to dispatch quorum status: %s\n", csError(err))
			return exitError
		case q.mode == "m":
			q.status(ctx, v)
			q.io.Printf("\n")
		case v.Quorate:
			q.io.Printf("Quorate\n")
		default:
			q.io.Printf("Not quorate\n")
		}
	}
}

// status prints the three blocks.
func (q *quorumtool) status(ctx context.Context, v messaging.QuorumView) {
	members := 0
	for _, n := range v.Nodes {
		if n.Member {
			members++
		}
	}
	quorate, blocked := "Yes", " "
	if !v.Quorate {
		quorate, blocked = "No", "Activity blocked"
	}
	p := q.io.Printf
	p("Quorum information\n------------------\n")
	p("Date:             %s\n", time.Now().Format("Mon Jan _2 15:04:05 2006"))
	provider := "corosync_votequorum"
	if q.off {
		provider = "Not configured"
	}
	p("Quorum provider:  %s\n", provider)
	p("Nodes:            %d\n", members)
	p("Node ID:          %s\n", q.id(v.Self))
	if q.off {
		p("Ring ID:          %x\nQuorate:          %s\n", v.Ring.Seq, quorate)
		return
	}
	p("Ring ID:          %x.%x\n", uint32(v.Ring.Rep), v.Ring.Seq)
	p("Quorate:          %s\n\n", quorate)
	p("Votequorum information\n----------------------\n")
	p("Expected votes:   %d\n", v.ExpectedVotes)
	p("Highest expected: %s\n", cmp.Or(keys(ctx, q.bus, votequorum)["highest_expected"], fmt.Sprint(v.ExpectedVotes)))
	p("Total votes:      %d\n", v.TotalVotes)
	p("Quorum:           %d %s\n", v.Quorum, blocked)
	p("Flags:            ")
	for _, f := range v.Flags {
		p("%s ", f)
	}
	p("\n")
	q.members(ctx, v)
}

func (q *quorumtool) id(id messaging.NodeID) string {
	if q.hex {
		return fmt.Sprintf("0x%08x", uint32(id))
	}
	return strconv.FormatUint(uint64(id), 10)
}

// votequorum is where the map has what the votes came to.
const votequorum = "runtime.votequorum."

// device prints the row of the arbitration device.
func (q *quorumtool) device(votes map[string]string) {
	id, cast := fmt.Sprintf("%10d ", 0), votes["qdevice.votes"]
	if q.hex {
		id = fmt.Sprintf("0x%08x ", 0)
	}
	note := ""
	if votes["qdevice.cast"] != "1" {
		note, cast = fmt.Sprintf(" (votes %s)", cast), "0"
	}
	q.io.Printf("%s%10s %11s%s%s\n", id, cast, "", votes["qdevice.name"], note)
}

// unregister takes the device's vote away.
func (q *quorumtool) unregister(ctx context.Context) int {
	if keys(ctx, q.bus, votequorum)["qdevice.name"] == "" {
		return exitOK // no device is registered
	}
	err := q.bus.SetCmap(ctx, messaging.CmapEntry{Key: "quorum.unregister_device", Type: "u8", Value: "1"})
	if err != nil {
		q.io.Errorf("Unable to unregister quorum device: %s\n", err)
		return exitError
	}
	return exitOK
}

// members prints the table of those in the ring.
func (q *quorumtool) members(ctx context.Context, v messaging.QuorumView) {
	p := q.io.Printf
	p("\nMembership information\n----------------------\n")
	device := ""
	votes := keys(ctx, q.bus, votequorum)
	shown := q.machine || votes["qdevice.name"] != "" && slices.Contains(v.Flags, "Qdevice")
	if shown {
		device = "   Qdevice "
	}
	p("    Nodeid      Votes %sName\n", device)
	nodes := slices.DeleteFunc(slices.Clone(v.Nodes), func(n messaging.Node) bool { return !n.Member })
	q.sort(nodes)
	for _, n := range nodes {
		if q.hex {
			p("0x%08x ", uint32(n.ID))
		} else {
			p("%10d ", uint32(n.ID))
		}
		p("%10d ", n.Votes)
		if shown {
			p("%10s ", cmp.Or(keys(ctx, q.bus, fmt.Sprintf("runtime.members.%d.", n.ID))["qdevice"], "NR"))
		}
		p("%s", q.names(ctx, v, n))
		if n.ID == v.Self {
			p(" (local)")
		}
		p("\n")
	}
	if shown && votes["qdevice.name"] != "" && slices.Contains(v.Flags, "Qdevice") {
		q.device(votes)
	}
}

func (q *quorumtool) name(n messaging.Node) string {
	if q.addrs || n.Name == "" {
		return n.Addr
	}
	return n.Name
}

// names gives the name, and with -a what stands for the other links as well.
func (q *quorumtool) names(ctx context.Context, v messaging.QuorumView, n messaging.Node) string {
	out := []string{q.name(n)}
	if all := addresses(ctx, q.bus, v, n.ID); q.all && len(all) > 1 {
		out = append(out, all[1:]...)
	}
	return strings.Join(out, ", ")
}

func (q *quorumtool) sort(nodes []messaging.Node) {
	slices.SortStableFunc(nodes, func(a, b messaging.Node) int {
		switch q.order {
		case "n":
			return cmp.Compare(q.name(a), q.name(b))
		case "i":
			return cmp.Compare(a.ID, b.ID)
		}
		x, errX := netip.ParseAddr(a.Addr)
		y, errY := netip.ParseAddr(b.Addr)
		if errX != nil || errY != nil {
			return cmp.Compare(a.Addr, b.Addr)
		}
		return x.Compare(y)
	})
}
