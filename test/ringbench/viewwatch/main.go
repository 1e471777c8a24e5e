// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Viewwatch prints one line for each view of the quorum that a client is told of:
// the time in nanoseconds since 1970, whether it is quorate, the ring, the members.
// It waits for the daemon, and starts anew when that goes.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
)

// retry is the time between two attempts to reach the daemon.
const retry = time.Millisecond

func main() {
	for {
		_ = watch(context.Background()) // until the daemon is there again
		<-time.After(retry)
	}
}

func watch(ctx context.Context) error {
	socket := daemon.Paths{}.Socket("messagingd")
	if _, err := os.Stat(socket); err != nil {
		return err
	}
	bus, err := client.Dial(socket)
	if err != nil {
		return err
	}
	defer func() { _ = bus.Close() }()
	w, err := bus.WatchQuorum(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	for {
		v, err := w.Next(ctx)
		if err != nil {
			return err
		}
		show(time.Now(), v)
	}
}

func show(at time.Time, v messaging.QuorumView) {
	var members []string
	for _, n := range v.Nodes {
		if n.Member {
			members = append(members, fmt.Sprint(n.ID))
		}
	}
	quorate := 0
	if v.Quorate {
		quorate = 1
	}
	fmt.Println(at.UnixNano(), quorate, v.Ring, strings.Join(members, ","))
}
