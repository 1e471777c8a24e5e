// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
)

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{
		{Name: "corosync", Short: "show the version of, or test the configuration for, the messaging daemon", Run: runCorosync},
		{Name: "corosync-blackbox", Short: "show what the messaging daemon recorded of the last minutes", Run: runBlackbox},
		{Name: "corosync-cfgtool", Short: "show links and nodes of the ring, reload, shut down", Run: runCfgtool},
		{Name: "corosync-cmapctl", Short: "show and set keys of the configuration map", Run: runCmapctl},
		{Name: "corosync-cpgtool", Short: "list process groups", Run: runCpgtool},
		{Name: "corosync-keygen", Short: "make the secret that the nodes of a ring share", Run: runKeygen},
		{Name: "corosync-qdevice-net-certutil", Short: "make and take the certificates of a cluster for its arbitration server", Run: runDeviceCertutil},
		{Name: "corosync-qdevice-tool", Short: "show the arbitration device of this node", Run: runQdeviceTool},
		{Name: "corosync-qnetd-certutil", Short: "make the certificates of an arbitration server, sign those of clusters", Dir: "bin", Run: runQnetdCertutil},
		{Name: "corosync-qnetd-tool", Short: "show the clusters that an arbitration server serves", Dir: "bin", Run: runQnetdTool},
		{Name: "corosync-quorumtool", Short: "show and set votes and quorum", Run: runQuorumtool},
	}
}

// patience bounds one call to the daemon.
const patience = 10 * time.Second

// The exit codes that these tools share.
const (
	exitOK         = 0
	exitError      = 1
	exitNotQuorate = 2
)

// dial connects to the daemon and asks for its status, which shows whether it is
// there.
func dial(ctx context.Context, io *cli.IO) (*client.Bus, messaging.Status, error) {
	bus, err := client.Dial(io.Socket("messagingd"))
	if err != nil {
		return nil, messaging.Status{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := bus.Status(ctx)
	if err != nil {
		_ = bus.Close()
		return nil, s, err
	}
	return bus, s, nil
}

// positive reads a number from 1 to limit, as the tools' options take it.
func positive(s string, limit uint64) (uint64, bool) {
	n, err := strconv.ParseUint(s, 0, 64)
	return n, err == nil && n >= 1 && n <= limit
}

// csError names an error as corosync's library does.
func csError(err error) string {
	switch {
	case err == nil:
		return "CS_OK"
	case errors.Is(err, messaging.ErrReadOnly), errors.Is(err, ipc.ErrDenied):
		return "CS_ERR_ACCESS"
	case errors.Is(err, messaging.ErrNoKey), errors.Is(err, messaging.ErrNoNode):
		return "CS_ERR_NOT_EXIST"
	case errors.Is(err, messaging.ErrAgain):
		return "CS_ERR_TRY_AGAIN"
	case errors.Is(err, messaging.ErrInvalid):
		return "CS_ERR_INVALID_PARAM"
	case errors.Is(err, ipc.ErrUnavailable), errors.Is(err, messaging.ErrClosed):
		return "CS_ERR_LIBRARY"
	case errors.Is(err, context.DeadlineExceeded):
		return "CS_ERR_TIMEOUT"
	}
	return err.Error()
}

// addresses lists those of a node, in the order of the links: a member's as the
// daemon uses them, another's as the nodelist has them.
func addresses(ctx context.Context, bus *client.Bus, v messaging.QuorumView, id messaging.NodeID) []string {
	var out []string
	if es, err := bus.Cmap(ctx, fmt.Sprintf("runtime.members.%d.ip", id)); err == nil && len(es) == 1 {
		for part := range strings.FieldsSeq(es[0].Value) {
			if a, ok := strings.CutPrefix(part, "ip("); ok {
				out = append(out, strings.TrimSuffix(a, ")"))
			}
		}
	}
	for _, n := range v.Nodes {
		if n.ID == id && len(out) == 0 && n.Addr != "" {
			out = append(out, n.Addr)
		}
	}
	return out
}
