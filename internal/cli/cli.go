// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/daemon"
)

// What the tools say of themselves. Clients parse the version to learn which
// flags and output they may expect: those of this release of Pacemaker.
const (
	PacemakerVersion = "2.1.5"
	CorosyncVersion  = "3.1.7"
	FeatureSet       = "3.16.1"
	// Release is our own version.
	Release = "0.1.0"
)

// A Tool is one name that the program answers to.
type Tool struct {
	Name  string
	Short string // one line, for the list of tools
	// Dir is where make install puts the tool's link: "" is the folder of the
	// operator tools, NoLink none, else a folder under /usr.
	Dir string
	// Computes tells that the tool looks at nothing but its computation, so that
	// a signal is to end it at once.
	Computes bool
	// Run carries the tool out; args are without the name. It returns the exit
	// code.
	Run func(ctx context.Context, io *IO, args []string) int
}

// NoLink is the Dir of a tool that is called through quorate only.
const NoLink = "-"

// An IO is all that a tool may touch of its process.
type IO struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Env            func(string) string
	Paths          daemon.Paths
	// Tool is the name that the tool was called by.
	Tool string
}

// OS returns the IO of this process.
func OS(tool string) *IO {
	return &IO{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv,
		Paths: daemon.Paths{Root: os.Getenv(daemon.RootVariable)}, Tool: tool,
	}
}

// Socket is the socket of a daemon of the node that the tool works on.
func (i *IO) Socket(name string) string { return i.Paths.Socket(name) }

// Printf writes to standard output.
func (i *IO) Printf(format string, args ...any) { fmt.Fprintf(i.Stdout, format, args...) }

// Errorf writes to standard error.
func (i *IO) Errorf(format string, args ...any) { fmt.Fprintf(i.Stderr, format, args...) }

// Execute parses args with the command and runs it. The command gets --help
// (-?) and --version (-$) where it has none; its RunE decides the exit code by
// the error that it returns ([exit.ErrorCode]), whose text goes to standard
// error.
func Execute(ctx context.Context, io *IO, cmd *cobra.Command, args []string) int {
	prepare(io, cmd)
	if args == nil {
		args = []string{} // cobra would take the process's own
	}
	if len(args) == 1 && args[0] == manFlag {
		printMan(io.Stdout, cmd)
		return int(exit.OK)
	}
	cmd.SetArgs(optionalValues(cmd.Flags(), args))
	err := cmd.ExecuteContext(ctx)
	return Report(io, err)
}

// Report prints the text of an error and returns its code.
func Report(io *IO, err error) int {
	if err == nil {
		return int(exit.OK)
	}
	if msg := err.Error(); msg != "" {
		io.Errorf("%s\n", msg)
	}
	return int(exit.Of(err))
}

// optionalValues lets a short option whose value is optional take the rest of
// its cluster as the value, as getopt does: -1m3 becomes -1m=3.
func optionalValues(fs *pflag.FlagSet, args []string) []string {
	out := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...)
		}
		if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' {
			arg = optionalInCluster(fs, arg)
		}
		out = append(out, arg)
	}
	return out
}

func optionalInCluster(fs *pflag.FlagSet, arg string) string {
	for i := 1; i < len(arg)-1; i++ {
		f := fs.ShorthandLookup(arg[i : i+1])
		if f == nil || f.NoOptDefVal == "" {
			return arg
		}
		if t := f.Value.Type(); t != "bool" && t != "count" {
			if arg[i+1] == '=' {
				return arg
			}
			return arg[:i+1] + "=" + arg[i+1:]
		}
	}
	return arg
}

func prepare(io *IO, cmd *cobra.Command) {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.DisableSuggestions = true
	cmd.SetIn(io.Stdin)
	cmd.SetOut(io.Stdout)
	cmd.SetErr(io.Stderr)
	fs := cmd.Flags()
	fs.SortFlags = false
	if fs.Lookup("help") == nil {
		fs.BoolP("help", free(fs, "?", "h"), false, "Show help options")
	}
	fs.Bool("help-all", false, "Show all help options")
	_ = fs.MarkHidden("help-all")
	if fs.Lookup("version") == nil {
		fs.BoolP("version", free(fs, "$"), false, "Display software version and exit")
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return exit.Errorf(exit.Usage, "%s: %s", cmd.Name(), complaint(err))
	})
	cmd.SetHelpFunc(func(*cobra.Command, []string) { printHelp(io, cmd) })
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			if on, _ := fs.GetBool("help-all"); on {
				printHelp(io, cmd)
				return nil
			}
			if on, _ := fs.GetBool("version"); on {
				PrintVersion(io)
				return nil
			}
			return run(c, args)
		}
	}
}

// free returns the first of the letters that no flag uses, or none.
func free(fs *pflag.FlagSet, letters ...string) string {
	for _, l := range letters {
		if fs.ShorthandLookup(l) == nil {
			return l
		}
	}
	return ""
}

// PrintVersion prints the version block of the tools.
func PrintVersion(io *IO) {
	io.Printf("Pacemaker %s\nWritten by the Quorate authors (Quorate %s)\n", PacemakerVersion, Release)
}

// complaint words an error of the flag parser as the classic tools do.
func complaint(err error) string {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return "Unknown option " + spelling(unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames())
	case errors.As(err, &missing):
		return "Missing argument for " + spelling(missing.GetSpecifiedName(), missing.GetSpecifiedShortnames())
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "int":
		f := invalid.GetFlag()
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand
		}
		return fmt.Sprintf("Cannot parse integer value “%s” for %s", invalid.GetValue(), name)
	}
	return err.Error()
}

func spelling(name, shorts string) string {
	if shorts == "" {
		return "--" + name
	}
	return "-" + name
}

func printHelp(io *IO, cmd *cobra.Command) {
	io.Printf("Usage:\n  %s [OPTION…]%s\n\n", cmd.Name(), operands(cmd))
	if cmd.Short != "" {
		io.Printf("%s - %s\n\n", cmd.Name(), cmd.Short)
	}
	if cmd.Long != "" {
		io.Printf("%s\n\n", cmd.Long)
	}
	io.Printf("Options:\n%s", cmd.Flags().FlagUsages())
}

func operands(cmd *cobra.Command) string {
	if len(cmd.Use) > len(cmd.Name()) {
		return cmd.Use[len(cmd.Name()):]
	}
	return ""
}
