// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibsource

import (
	"github.com/quorate/quorate/cib"
	cibclient "github.com/quorate/quorate/cib/client"
	"github.com/quorate/quorate/crmd"
	crmdclient "github.com/quorate/quorate/crmd/client"
	"github.com/quorate/quorate/internal/cli"
)

// dial connects to the node's CIB daemon.
func dial(io *cli.IO) (cib.Store, error) {
	return cibclient.Dial(io.Socket("cibd"))
}

// Controller connects to the node's controller.
func Controller(io *cli.IO) (crmd.Controller, error) {
	return crmdclient.Dial(io.Socket("crmd"))
}
