// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := dispatch(ctx, os.Args)
	stop()
	os.Exit(code)
}

// dispatch finds the tool by the name of the program, or by its first argument
// where the program goes by its own name.
func dispatch(ctx context.Context, argv []string) int {
	name, args := filepath.Base(argv[0]), argv[1:]
	if tool, ok := find(name); ok {
		return carryOut(ctx, tool, cli.OS(name), args)
	}
	if len(args) == 0 {
		list(os.Stderr)
		return int(exit.Usage)
	}
	switch args[0] {
	case "help", "--help", "-h":
		list(os.Stdout)
		return int(exit.OK)
	case "version", "--version":
		fmt.Printf("Quorate %s\n", cli.Release)
		return int(exit.OK)
	}
	switch args[0] {
	case "tools":
		links(os.Stdout)
		return int(exit.OK)
	case "man":
		return manual(ctx, args[1:])
	}
	tool, ok := find(args[0])
	if !ok {
		fmt.Fprintf(os.Stderr, "quorate: no tool is named %q; quorate help lists them\n", args[0])
		return int(exit.Usage)
	}
	return carryOut(ctx, tool, cli.OS(args[0]), args[1:])
}

func carryOut(ctx context.Context, tool cli.Tool, stdio *cli.IO, args []string) int {
	if tool.Computes {
		signal.Reset(syscall.SIGTERM, syscall.SIGINT)
	}
	return tool.Run(ctx, stdio, args)
}

func find(name string) (cli.Tool, bool) {
	for _, t := range tools() {
		if t.Name == name {
			return t, true
		}
	}
	return cli.Tool{}, false
}

func list(w io.Writer) {
	fmt.Fprintln(w, "Usage: quorate TOOL [ARGUMENT…]")
	for _, t := range tools() {
		fmt.Fprintf(w, "  %-22s %s\n", t.Name, t.Short)
	}
}

// links prints each tool with the folder of its link, for make install.
func links(w io.Writer) {
	for _, t := range tools() {
		dir := t.Dir
		if dir == "" {
			dir = "sbin"
		}
		fmt.Fprintln(w, dir, t.Name)
	}
}
