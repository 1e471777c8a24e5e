// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging"
	qnetdserve "github.com/quorate/quorate/messaging/qnetd/serve"
)

// keys are those of the map below a prefix, without it.
func keys(ctx context.Context, bus interface {
	Cmap(ctx context.Context, prefix string) ([]messaging.CmapEntry, error)
}, prefix string,
) map[string]string {
	out := map[string]string{}
	entries, err := bus.Cmap(ctx, prefix)
	if err != nil {
		return out
	}
	for _, e := range entries {
		out[strings.TrimPrefix(e.Key, prefix)] = e.Value
	}
	return out
}

const qdeviceToolUsage = `usage: corosync-qdevice-tool [-Hhsv] [-p qdevice_ipc_socket_path]
`

func runQdeviceTool(ctx context.Context, io *cli.IO, args []string) int {
	opts, _, err := getopt("corosync-qdevice-tool", args, "Hhsvp:", nil)
	verbose, what := false, ""
	for _, o := range opts {
		switch o.name {
		case "v":
			verbose = true
		case "s", "H", "h":
			what = o.name
		}
	}
	if err != nil || what == "" || what == "h" {
		if err != nil {
			io.Errorf("%s\n", err)
		}
		io.Printf("%s", qdeviceToolUsage)
		return exitError
	}
	if what == "H" {
		io.Errorf("Error: the device is part of messagingd: take quorum.device out of corosync.conf and run corosync-cfgtool -R\n")
		return exitError
	}
	bus, status, err := dial(ctx, io)
	if err != nil {
		io.Errorf("%s: Can't connect to QDevice socket (is QDevice running?): %s\n", io.Tool, reason(err))
		return exitNoDaemon
	}
	defer func() { _ = bus.Close() }()
	d := keys(ctx, bus, "runtime.qdevice.")
	if d["model"] == "" {
		io.Errorf("%s: Can't connect to QDevice socket (is QDevice running?): no quorum.device is configured\n", io.Tool)
		return exitNoDaemon
	}
	io.Printf("%s\n", deviceText(d, status, verbose))
	if d["model"] == "Net" {
		io.Printf("%s", netText(d, verbose))
	} else {
		io.Printf("%s", d["disk.text"])
	}
	return exitOK
}

// exitNoDaemon is the code of tools whose daemon is not there.
const exitNoDaemon = 3

// A layout writes lines whose values stand in columns made by tabs.
type layout struct {
	strings.Builder
	verbose bool
}

func (l *layout) line(always bool, label, value string) {
	if !always && !l.verbose || value == "" {
		return
	}
	const column = 24
	tabs := max((column-len(label)+7)/8, 1)
	fmt.Fprintf(l, "%s%s%s\n", label, strings.Repeat("\t", tabs), value)
}

func deviceText(d map[string]string, s messaging.Status, verbose bool) string {
	l := layout{verbose: verbose}
	l.WriteString("Qdevice information\n-------------------\n")
	l.line(true, "Model:", d["model"])
	l.line(true, "Node ID:", strconv.FormatUint(uint64(s.Self), 10))
	l.line(false, "HB interval:", d["hb_interval"])
	l.WriteString("Configured node list:\n")
	for i, n := range s.View.Nodes {
		fmt.Fprintf(&l, "    %d\tNode ID = %d\n", i, n.ID)
	}
	l.line(false, "Heuristics:", d["heuristics"])
	l.line(false, "Ring ID:", fmt.Sprintf("%x.%x", uint32(s.View.Ring.Rep), s.View.Ring.Seq))
	l.line(true, "Membership node list:", d["members"])
	quorate := "No"
	if s.View.Quorate {
		quorate = "Yes"
	}
	l.line(false, "Quorate:", quorate)
	if verbose {
		l.WriteString("Quorum node list:\n")
		for i, n := range s.View.Nodes {
			state := "dead"
			if n.Member {
				state = "member"
			}
			fmt.Fprintf(&l, "    %d\tNode ID = %d, State = %s\n", i, n.ID, state)
		}
	}
	l.line(false, "Expected votes:", strconv.FormatUint(uint64(s.View.ExpectedVotes), 10))
	l.line(false, "Last poll call:", d["last_poll"])
	return l.String()
}

func netText(d map[string]string, verbose bool) string {
	l := layout{verbose: verbose}
	l.WriteString("Qdevice-net information\n----------------------\n")
	cast := "Yes"
	if d["net.vote"] == "ACK" {
		cast += " (cast vote)"
	}
	connected := d["net.state"] == "Connected"
	l.line(true, "Cluster name:", d["net.cluster_name"])
	l.line(true, "QNetd host:", d["net.host"])
	l.line(false, "Connect timeout:", d["net.connect_timeout"])
	l.line(false, "HB interval:", d["net.hb_interval"])
	l.line(false, "VQ vote timer interval:", d["net.vote_interval"])
	l.line(false, "TLS:", d["net.tls"])
	l.line(true, "Algorithm:", d["net.algorithm"])
	l.line(true, "Tie-breaker:", d["net.tie_breaker"])
	l.line(false, "KAP Tie-breaker:", d["net.keep_active"])
	l.line(false, "Poll timer running:", cast)
	l.line(true, "State:", d["net.state"])
	if d["heuristics"] != "Disabled" {
		result, _, _ := strings.Cut(d["net.heuristics_result"], " (")
		if verbose {
			result = d["net.heuristics_result"]
		}
		l.line(true, "Heuristics result:", result)
	}
	if connected {
		active := d["net.tls_active"]
		if active == "Yes" {
			active += " (client certificate sent)"
		}
		l.line(false, "TLS active:", active)
		l.line(false, "Connected since:", d["net.connected_since"])
		l.line(false, "Echo reply received:", d["net.echo_received"])
	}
	return l.String()
}

const qnetdToolUsage = `usage: corosync-qnetd-tool [-Hhlsv] [-c cluster_name] [-p qnetd_ipc_socket_path]
`

func runQnetdTool(ctx context.Context, io *cli.IO, args []string) int {
	opts, _, err := getopt("corosync-qnetd-tool", args, "Hhlsvc:p:", nil)
	verbose, what, cluster, path := false, "", "", io.Socket("qnetd")
	for _, o := range opts {
		switch o.name {
		case "v":
			verbose = true
		case "c":
			cluster = o.arg
		case "p":
			path = o.arg
		case "s":
			what = "status"
		case "l":
			what = "list"
		case "H", "h":
			what = o.name
		}
	}
	if err != nil || what == "" || what == "h" {
		if err != nil {
			io.Errorf("%s\n", err)
		}
		io.Printf("%s", qnetdToolUsage)
		return exitError
	}
	if what == "H" {
		io.Errorf("Error: stop the server with: systemctl stop corosync-qnetd\n")
		return exitError
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := qnetdserve.Ask(ctx, path, what, verbose, cluster)
	if err != nil {
		io.Errorf("%s: Can't connect to qnetd socket (is QNetd running?): %s\n", io.Tool, reason(err))
		return exitNoDaemon
	}
	io.Printf("%s", text)
	return exitOK
}
