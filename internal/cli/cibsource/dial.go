// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibsource

import (
	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/ipc"
)

// dial connects to the node's CIB daemon.
func dial(*cli.IO) (cib.Store, error) {
	return nil, ipc.ErrUnavailable
}

// Controller connects to the node's controller.
func Controller(*cli.IO) (crmd.Controller, error) {
	return nil, ipc.ErrUnavailable
}
