// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"slices"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/agenttool"
	"github.com/quorate/quorate/internal/cli/cibtool"
	"github.com/quorate/quorate/internal/cli/corosync"
	"github.com/quorate/quorate/internal/cli/crm"
	"github.com/quorate/quorate/internal/cli/crmmon"
	"github.com/quorate/quorate/internal/cli/crmnode"
	"github.com/quorate/quorate/internal/cli/crmresource"
	"github.com/quorate/quorate/internal/cli/legacy"
	"github.com/quorate/quorate/internal/cli/run"
	"github.com/quorate/quorate/internal/cli/simulate"
	"github.com/quorate/quorate/internal/cli/stonith"
)

// tools lists every tool that the program answers to: one line for each
// package under internal/cli.
func tools() []cli.Tool {
	return slices.Concat(
		run.Tools(),
		agenttool.Tools(),
		cibtool.Tools(cibtool.Options{Schedule: simulate.Verify}),
		corosync.Tools(),
		simulate.Tools(),
		crmmon.Tools(),
		crmresource.Tools(),
		stonith.Tools(),
		legacy.Tools(),
		crmnode.Tools(),
		crm.Tools(),
	)
}
