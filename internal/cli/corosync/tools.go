// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"context"
	"time"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
)

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{
		{Name: "corosync", Short: "show the version of, or test the configuration for, the messaging daemon", Run: runCorosync},
		{Name: "corosync-cfgtool", Short: "show links and nodes of the ring, reload, shut down", Run: runCfgtool},
		{Name: "corosync-cmapctl", Short: "show and set keys of the configuration map", Run: runCmapctl},
		{Name: "corosync-cpgtool", Short: "list process groups", Run: runCpgtool},
		{Name: "corosync-keygen", Short: "make the secret that the nodes of a ring share", Run: runKeygen},
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
