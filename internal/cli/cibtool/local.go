// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtool

import (
	"context"
	"os"
	"time"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/messaging/client"
)

// localNode gives the name of the node that a tool means where none is given:
// the one on whose behalf a resource agent runs, else this one, by its name in
// the cluster, else by its host name.
func localNode(ctx context.Context, io *cli.IO) string {
	if host := io.Env("OCF_RESKEY_CRM_meta_on_node"); host != "" {
		return host
	}
	if cibsource.File(io) == "" {
		if bus, err := client.Dial(io.Socket("messagingd")); err == nil {
			defer func() { _ = bus.Close() }()
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			if st, err := bus.Status(ctx); err == nil && st.Name != "" {
				return st.Name
			}
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}
