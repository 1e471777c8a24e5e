// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/beevik/etree"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/output"
	"github.com/quorate/quorate/internal/iso8601"
	"github.com/quorate/quorate/pengine/simulate"
)

// apiVersion is that of the XML output: crm_simulate speaks like the scheduler
// that it is, Pacemaker's of July 2026.
const apiVersion = "2.42"

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{
		{Name: "crm_simulate", Short: "show what the cluster would do", Computes: true, Run: runSimulate},
	}
}

// flags are the command line of crm_simulate.
type flags struct {
	o               simulate.Options
	args            []string
	run, inPlace    bool
	allActions      bool
	live            bool   // the last source named is the running cluster
	file            string // else this file, "-" for standard input
	date            string
	dot, graph      string
	input, output   string // where to save
	profile         string
	repeat, verbose int
	as, to          string
	why             []string
}

func runSimulate(ctx context.Context, stdio *cli.IO, args []string) int {
	f := &flags{file: "-", args: append([]string{"crm_simulate"}, args...)}
	cmd := &cobra.Command{
		Use: "crm_simulate [options]", Short: "simulate a cluster's response to events", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.execute(cmd.Context(), stdio) },
	}
	fs := cmd.Flags()
	f.operations(fs)
	f.events(fs)
	f.artifacts(fs)
	f.sources(fs)
	f.questions(fs)
	fs.BoolVarP(&f.o.Quiet, "quiet", "Q", false, "Display only essential output")
	fs.StringVarP(&f.as, "output-as", "o", "text", "Specify output `FORMAT` as one of: text (default), xml")
	fs.StringVar(&f.to, "output-to", "", "Specify file name for output (or \"-\" for stdout) `DEST`")
	fs.CountVarP(&f.verbose, "verbose", "V", "Increase debug output (may be specified multiple times)")
	return cli.Execute(ctx, stdio, cmd, args)
}

func (f *flags) operations(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.run, "run", "R", false, "Process the supplied input and show what actions the cluster will take in response")
	fs.BoolVarP(&f.o.Simulate, "simulate", "S", false, "Like --run, but also simulate taking those actions and show the resulting new status")
	fs.BoolVarP(&f.inPlace, "in-place", "X", false, "Like --simulate, but also store the results back to the input file")
	fs.BoolVarP(&f.o.Attributes, "show-attrs", "A", false, "Show node attributes")
	fs.BoolVarP(&f.o.FailCounts, "show-failcounts", "c", false, "Show resource fail counts")
	fs.BoolVarP(&f.o.Scores, "show-scores", "s", false, "Show allocation scores")
	fs.BoolVarP(&f.o.Utilization, "show-utilization", "U", false, "Show utilization information")
	fs.StringVarP(&f.profile, "profile", "P", "", "Process all the XML files in the named `DIR`ectory to create profiling data")
	fs.IntVarP(&f.repeat, "repeat", "N", 1, "With --profile, repeat each test `N` times and print timings")
	fs.BoolP("pending", "j", true, "Display pending state")
	_ = fs.MarkHidden("pending")
}

func (f *flags) events(fs *pflag.FlagSet) {
	i := &f.o.Inject
	fs.StringArrayVarP(&i.Up, "node-up", "u", nil, "Simulate bringing a `NODE` online")
	fs.StringArrayVarP(&i.Down, "node-down", "d", nil, "Simulate taking a `NODE` offline")
	fs.StringArrayVarP(&i.Fail, "node-fail", "f", nil, "Simulate a `NODE` failing")
	fs.StringArrayVarP(&i.Ops, "op-inject", "i", nil, "Generate a failure for the cluster to react to in the simulation (`OPSPEC`, see below)")
	fs.StringArrayVarP(&f.o.Failures, "op-fail", "F", nil, "If the specified task occurs during the simulation, have it fail with return code RC "+
		"(`OPSPEC`, see below); the transition will normally stop at the failed action: save the result with --save-output and re-run with --xml-file")
	fs.StringVarP(&f.date, "set-datetime", "t", "", "Set `DATETIME` (ISO 8601 format)")
	fs.StringVarP(&i.Quorum, "quorum", "q", "", "Together with another event, set `QUORUM` ('1' or 'true': the cluster has it)")
	fs.StringVarP(&i.Watchdog, "watchdog", "w", "", "Set to '1' (or 'true') to indicate that the cluster has an active watchdog `DEVICE`")
	fs.StringArrayVarP(&i.Grant, "ticket-grant", "g", nil, "Simulate granting a `TICKET`")
	fs.StringArrayVarP(&i.Revoke, "ticket-revoke", "r", nil, "Simulate revoking a `TICKET`")
	fs.StringArrayVarP(&i.TicketStandby, "ticket-standby", "b", nil, "Simulate making a `TICKET` standby")
	fs.StringArrayVarP(&i.TicketOn, "ticket-activate", "e", nil, "Simulate activating a `TICKET`")
}

func (f *flags) artifacts(fs *pflag.FlagSet) {
	fs.StringVarP(&f.input, "save-input", "I", "", "Save the input configuration to the named `FILE`")
	fs.StringVarP(&f.output, "save-output", "O", "", "Save the output configuration to the named `FILE`")
	fs.StringVarP(&f.graph, "save-graph", "G", "", "Save the transition graph (XML format) to the named `FILE`")
	fs.StringVarP(&f.dot, "save-dotfile", "D", "", "Save the transition graph (DOT format) to the named `FILE`")
	fs.BoolVarP(&f.allActions, "all-actions", "a", false, "Display all possible actions in DOT graph (even if not part of transition)")
}

// sources are the flags of which the last one given counts.
func (f *flags) sources(fs *pflag.FlagSet) {
	fs.BoolFuncP("live-check", "L", "Connect to CIB manager and use the current CIB contents as input", func(string) error {
		f.live = true
		return nil
	})
	fs.FuncP("xml-file", "x", "Retrieve XML from the named `FILE`", func(name string) error {
		f.live, f.file = false, name
		return nil
	})
	fs.BoolFuncP("xml-pipe", "p", "Retrieve XML from stdin, as without any of these options", func(string) error {
		f.live, f.file = false, "-"
		return nil
	})
}

// execute checks the form of the answer and gives it.
func (f *flags) execute(ctx context.Context, stdio *cli.IO) error {
	as, err := output.ParseFormat(f.as, output.Text, output.XML, output.None)
	if err != nil {
		return exit.Errorf(exit.NoSuch, "Error creating output format %s: Unknown output format", f.as)
	}
	to := stdio.Stdout
	if f.to != "" && f.to != "-" {
		file, err := os.Create(f.to)
		if err != nil {
			return exit.Errorf(exit.CantCreat, "crm_simulate: Could not create '%s': %s", f.to, reason(err))
		}
		defer file.Close()
		to = file
	}
	f.defaults()
	switch as {
	case output.XML:
		x := &simulate.XMLOutput{}
		f.o.Out, f.o.Quiet = x, false
		err := f.answer(ctx, stdio)
		res := output.Result{Request: f.args, Body: x.Body, Code: exit.Of(err), Errors: x.Errors, API: apiVersion}
		if werr := res.Write(to); werr != nil {
			return werr
		}
		return err
	case output.None:
		f.o.Out = &textOutput{out: io.Discard, err: stdio.Stderr}
	default:
		t := &textOutput{out: to, err: stdio.Stderr}
		t.Plain = f.o.Scores && f.o.Quiet
		f.o.Out = t
		defer t.flush()
	}
	return f.answer(ctx, stdio)
}

// defaults works out what options imply.
func (f *flags) defaults() {
	f.o.Clock = time.Now()
	f.o.Now, f.o.Date = f.o.Clock, f.date
	if f.date != "" {
		// What is no date changes nothing, as with the classic tool.
		if at, err := iso8601.ParseTime(f.date, time.Local, f.o.Now); err == nil { //nolint:gosmopolitan // the user's clock is local
			f.o.Now = at
		}
	}
	f.o.Simulate = f.o.Simulate || f.inPlace || len(f.o.Failures) > 0
	f.o.Process = f.run || f.o.Simulate || f.o.Scores || f.o.Utilization || f.dot != "" || f.graph != ""
	f.o.Pending, f.o.Sanitized = true, !f.live
}

// answer profiles or simulates.
func (f *flags) answer(ctx context.Context, stdio *cli.IO) error {
	if f.profile != "" {
		return f.profileDir(stdio)
	}
	if i := &f.o.Inject; i.Quorum != "" && !i.Any() {
		stdio.Errorf("crm_simulate: --quorum has an effect only together with another event, --watchdog or --node-up for one\n")
	}
	root, err := f.read(ctx, stdio)
	if err != nil {
		return err
	}
	return f.simulate(root, func(line string) { stdio.Errorf("%s\n", line) })
}

// simulate does what is asked for with the CIB and saves what is to be saved.
func (f *flags) simulate(root *etree.Element, warn func(string)) error {
	root, err := simulate.Prepare(root, warn)
	if err != nil {
		return exit.Silent(exit.Config)
	}
	if len(f.why) > 0 {
		return f.explain(root)
	}
	save := f.output
	if f.inPlace && f.file != "-" && !f.live {
		save = f.file
	}
	if err := writeCIB(save, root); err != nil {
		return exit.Errorf(codeOf(err), "crm_simulate: Could not create '%s': %s", save, reason(err))
	}
	f.o.OnInput, f.o.OnResult = f.saveInput, f.saveResult
	rep, err := simulate.Simulate(root, f.o)
	if werr := writeCIB(save, root); err == nil && werr != nil {
		err = exit.Errorf(exit.IOErr, "crm_simulate: Could not write '%s': %s", save, reason(werr))
	}
	switch {
	case err != nil:
		return simulationError(err)
	case !rep.Complete:
		return exit.Silent(exit.Error)
	}
	return nil
}
