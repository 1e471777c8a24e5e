// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manFlag asks a tool for its manual page; it is for the build.
const manFlag = "--help-man"

// printMan writes the tool's manual page as man(7) source, but for the
// sections that are written by hand.
func printMan(w io.Writer, cmd *cobra.Command) {
	name := cmd.Name()
	fmt.Fprintf(w, ".TH %s 8 \"\" \"Quorate %s\" \"Quorate\"\n", strings.ToUpper(roff(name)), Release)
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B %s\n[\\fIOPTION\\fR]...%s\n", roff(name), roff(operands(cmd)))
	if cmd.Long != "" {
		fmt.Fprintf(w, ".SH DESCRIPTION\n%s\n", roff(cmd.Long))
	}
	fmt.Fprint(w, ".SH OPTIONS\n")
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		fmt.Fprint(w, ".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(w, "\\fB\\-%s\\fR, ", roff(f.Shorthand))
		}
		fmt.Fprintf(w, "\\fB\\-\\-%s\\fR", roff(f.Name))
		switch {
		case value == "":
		case f.NoOptDefVal != "":
			fmt.Fprintf(w, "[=\\fI%s\\fR]", roff(value))
		default:
			fmt.Fprintf(w, "=\\fI%s\\fR", roff(value))
		}
		fmt.Fprintf(w, "\n%s\n", roff(usage))
	})
}

// roff escapes what man(7) would take for its own.
func roff(s string) string {
	s = strings.ReplaceAll(s, "\\", "\\e")
	s = strings.ReplaceAll(s, "-", "\\-")
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = "\\&" + l
		}
	}
	return strings.Join(lines, "\n")
}
