// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibsource

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/ipc"
)

// File gives the file that the environment names instead of the cluster, or "".
func File(io *cli.IO) string {
	if f := io.Env("CIB_file"); f != "" {
		return f
	}
	shadow := io.Env("CIB_shadow")
	if shadow == "" {
		return ""
	}
	dir := io.Env("CIB_shadow_dir")
	if dir == "" {
		dir = io.Paths.CIBDir()
	}
	return filepath.Join(dir, "shadow."+filepath.Base(shadow))
}

// Open returns the CIB to work on.
func Open(io *cli.IO) (cib.Store, error) {
	if path := File(io); path != "" {
		return openFile(path)
	}
	return dial(io)
}

// Read returns the whole document.
func Read(ctx context.Context, store cib.Store) (*etree.Element, error) {
	res, err := store.Do(ctx, cib.Request{Op: cib.OpQuery})
	if err != nil {
		return nil, err
	}
	return document.Parse(res.Output)
}

// Code gives the exit code for an error of the CIB.
func Code(err error) exit.Code {
	var refused *cib.Error
	switch {
	case err == nil:
		return exit.OK
	case errors.As(err, &refused):
		return exit.Code(refused.Code)
	case errors.Is(err, ipc.ErrUnavailable), errors.Is(err, cib.ErrClosed):
		return exit.Disconnect
	case errors.Is(err, ipc.ErrDenied):
		return exit.InsufficientPriv
	case errors.Is(err, context.DeadlineExceeded):
		return exit.Timeout
	}
	return exit.Of(err)
}
