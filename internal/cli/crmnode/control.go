// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmnode

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/ipc"
)

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{
		{Name: "crm_node", Short: "show what membership knows of the nodes", Run: RunNode},
		{Name: "crmadmin", Short: "ask the controllers", Run: RunAdmin},
	}
}

const defaultTimeout = 30 * time.Second

// withController runs f with the node's controller and words what goes wrong.
func withController(ctx context.Context, io *cli.IO, timeout time.Duration, f func(context.Context, crmd.Controller) error) error {
	c, err := cibsource.Controller(io)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = f(ctx, c)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ipc.ErrUnavailable):
		return &exit.ErrorCode{Code: exit.Disconnect, Err: err, Msg: "error: Could not connect to controller: Connection refused"}
	case errors.Is(err, ipc.ErrDenied):
		return &exit.ErrorCode{Code: exit.InsufficientPriv, Err: err, Msg: "error: Could not connect to controller: Permission denied"}
	}
	return err
}
