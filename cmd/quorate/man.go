// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
)

const manHead = ".\\\" SPDX-FileCopyrightText: The Quorate authors\n.\\\" SPDX-License-Identifier: GPL-2.0-or-later\n" +
	".\\\" Made by make generate from the tool's own options and docs/man/src; change those.\n"

// manual writes the manual pages of the tools: quorate man SOURCES TARGET. A page
// has the tool's own options, what is written by hand in SOURCES/NAME.man, and
// the sections that all have in common (SOURCES/common.man).
func manual(ctx context.Context, args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "quorate: usage: quorate man SOURCES TARGET")
		return int(exit.Usage)
	}
	if err := writeManual(ctx, args[0], args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "quorate:", err)
		return int(exit.Error)
	}
	return int(exit.OK)
}

func writeManual(ctx context.Context, src, dst string) error {
	common, err := os.ReadFile(filepath.Join(src, "common.man"))
	if err != nil {
		return err
	}
	for _, t := range tools() {
		options := page(ctx, t)
		if options == nil {
			continue // its page is written by hand as a whole
		}
		name := t.Name
		if t.Dir == cli.NoLink {
			name = "quorate-" + name
		}
		own, err := os.ReadFile(filepath.Join(src, name+".man"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		text := bytes.Join([][]byte{[]byte(manHead), options, own, common}, nil)
		if err := os.WriteFile(filepath.Join(dst, name+".8"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// page asks a tool for its own part; nil where it has none.
func page(ctx context.Context, t cli.Tool) []byte {
	var out bytes.Buffer
	io := &cli.IO{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &bytes.Buffer{}, Tool: t.Name,
		Env: func(string) string { return "" },
	}
	if t.Run(ctx, io, []string{"--help-man"}) != 0 || !bytes.HasPrefix(out.Bytes(), []byte(".TH")) {
		return nil
	}
	return out.Bytes()
}
