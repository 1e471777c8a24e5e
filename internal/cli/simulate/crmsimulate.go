// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/iso8601"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/transition/graph"
)

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{
		{Name: "crm_simulate", Short: "show what the cluster would do", Run: runSimulate},
	}
}

// flags are the command line of crm_simulate.
type flags struct {
	o                              simulate.Options
	live, run, pipe, allActions    bool
	file, date                     string
	dot, graph, saveInput, saveOut string
	profile                        string
	repeat                         int
	verbose                        int
	attrs, failcounts              bool
	quorum                         string
}

func runSimulate(ctx context.Context, stdio *cli.IO, args []string) int {
	f := &flags{}
	cmd := &cobra.Command{
		Use: "crm_simulate [options]", Short: "show what the cluster would do", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.execute(cmd.Context(), stdio) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.run, "run", "R", false, "Process the supplied input and show what actions the cluster will take in response")
	fs.BoolVarP(&f.o.Simulate, "simulate", "S", false, "Like --run, but also simulate taking those actions and show the resulting new status")
	fs.BoolVarP(&f.o.Process, "in-place", "X", false, "Like --simulate, but also store the results back to the input file")
	fs.BoolVarP(&f.o.Pending, "pending", "j", false, "Display pending state if 'record-pending' is enabled")
	fs.BoolVarP(&f.attrs, "show-attrs", "A", false, "Show node attributes")
	fs.BoolVarP(&f.failcounts, "show-failcounts", "c", false, "Show resource fail counts")
	fs.BoolVarP(&f.o.Scores, "show-scores", "s", false, "Show allocation scores")
	fs.BoolVarP(&f.o.Utilization, "show-utilization", "U", false, "Show utilization information")
	fs.StringVarP(&f.profile, "profile", "P", "", "Process all the XML files in the named directory to create profiling data")
	fs.IntVarP(&f.repeat, "repeat", "N", 1, "With --profile, repeat each test N times and print timings")
	fs.StringArrayVarP(&f.o.Inject.Up, "node-up", "u", nil, "Simulate bringing a node online")
	fs.StringArrayVarP(&f.o.Inject.Down, "node-down", "d", nil, "Simulate taking a node offline")
	fs.StringArrayVarP(&f.o.Inject.Fail, "node-fail", "f", nil, "Simulate a node failing")
	fs.StringArrayVarP(&f.o.Inject.Ops, "op-inject", "i", nil, "Generate a failure for the cluster to react to in the simulation")
	fs.StringArrayVarP(&f.o.Failures, "op-fail", "F", nil, "If the specified task occurs during the simulation, have it fail with return code ${rc}")
	fs.StringVarP(&f.date, "set-datetime", "t", "", "Set date/time (ISO 8601 format)")
	fs.StringVarP(&f.quorum, "quorum", "q", "", "Set to '1' (or 'true') to indicate cluster has quorum")
	fs.StringVarP(&f.o.Inject.Watchdog, "watchdog", "w", "", "Set to '1' (or 'true') to indicate cluster has an active watchdog device")
	fs.StringArrayVarP(&f.o.Inject.Grant, "ticket-grant", "g", nil, "Simulate granting a ticket")
	fs.StringArrayVarP(&f.o.Inject.Revoke, "ticket-revoke", "r", nil, "Simulate revoking a ticket")
	fs.StringArrayVarP(&f.o.Inject.TicketStandby, "ticket-standby", "b", nil, "Simulate making a ticket standby")
	fs.StringArrayVarP(&f.o.Inject.TicketOn, "ticket-activate", "e", nil, "Simulate activating a ticket")
	fs.StringVarP(&f.saveInput, "save-input", "I", "", "Save the input configuration to the named file")
	fs.StringVarP(&f.saveOut, "save-output", "O", "", "Save the output configuration to the named file")
	fs.StringVarP(&f.graph, "save-graph", "G", "", "Save the transition graph (XML format) to the named file")
	fs.StringVarP(&f.dot, "save-dotfile", "D", "", "Save the transition graph (DOT format) to the named file")
	fs.BoolVarP(&f.allActions, "all-actions", "a", false, "Display all possible actions in DOT graph")
	fs.BoolVarP(&f.live, "live-check", "L", false, "Connect to CIB manager and use the current CIB contents as input")
	fs.StringVarP(&f.file, "xml-file", "x", "", "Retrieve XML from the named file. Currently this does not enforce CIB schema validation")
	fs.BoolVarP(&f.pipe, "xml-pipe", "p", false, "Retrieve XML from stdin")
	fs.BoolVarP(&f.o.Quiet, "quiet", "Q", false, "Display only essential output")
	fs.CountVarP(&f.verbose, "verbose", "V", "Increase debug output")
	return cli.Execute(ctx, stdio, cmd, args)
}

func (f *flags) execute(ctx context.Context, stdio *cli.IO) error {
	f.o.Now = time.Now()
	if f.date != "" {
		at, err := iso8601.ParseTime(f.date, time.Local, f.o.Now) //nolint:gosmopolitan // the user's clock is local
		if err != nil {
			return exit.Errorf(exit.Usage, "crm_simulate: %s", err)
		}
		f.o.Now, f.o.Date = at, f.date
	}
	f.o.Inject.Quorum = f.quorum
	if f.profile != "" {
		return f.profileDir(stdio)
	}
	inPlace := f.o.Process
	if inPlace {
		f.o.Simulate = true
	}
	f.o.Process = f.run || f.o.Simulate || f.o.Scores || f.o.Utilization || f.dot != "" || f.graph != "" || f.saveOut != ""
	root, err := f.read(ctx, stdio)
	if err != nil {
		return err
	}
	f.o.Pending = true
	f.o.Sanitized = f.pipe || f.file != ""
	rep, err := simulate.Simulate(root, f.o)
	if err != nil {
		return exit.Errorf(exit.DataErr, "%s", err)
	}
	stdio.Printf("%s", rep.Text)
	if err := f.save(rep, inPlace); err != nil {
		return err
	}
	if !rep.Complete {
		return exit.Silent(exit.Error)
	}
	return nil
}

func (f *flags) save(rep *simulate.Report, inPlace bool) error {
	write := func(path string, data []byte) error {
		if path == "" {
			return nil
		}
		if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // as the classic tool does
			return exit.Errorf(exit.CantCreat, "%s", err)
		}
		return nil
	}
	errs := []error{}
	if f.saveInput != "" {
		errs = append(errs, write(f.saveInput, document.Format(rep.Input)))
	}
	if rep.Result != nil && f.graph != "" {
		errs = append(errs, write(f.graph, graph.Marshal(rep.Result.Graph)))
	}
	if rep.Result != nil && f.dot != "" {
		errs = append(errs, write(f.dot, []byte(simulate.Dot(rep.Result.Picture(f.allActions)))))
	}
	if f.saveOut != "" {
		errs = append(errs, write(f.saveOut, document.Format(rep.Output)))
	}
	if inPlace && f.file != "" && f.file != "-" {
		errs = append(errs, atomicfile.WriteFile(f.file, document.Format(rep.Output), 0o644))
	}
	return errors.Join(errs...)
}

// maxInput bounds what is read.
const maxInput = 64 << 20

// read gets the CIB from where the command line says.
func (f *flags) read(ctx context.Context, stdio *cli.IO) (*etree.Element, error) {
	var text []byte
	var err error
	switch {
	case f.pipe || f.file == "-":
		text, err = io.ReadAll(io.LimitReader(stdio.Stdin, maxInput+1))
	case f.file != "":
		text, err = ReadFile(f.file)
	default:
		return readLive(ctx, stdio)
	}
	if err != nil {
		return nil, exit.Errorf(exit.NoInput, "crm_simulate: %s", err)
	}
	root, err := document.Parse(text)
	if err != nil {
		return nil, exit.Errorf(exit.DataErr, "crm_simulate: %s", err)
	}
	return root, nil
}

func readLive(ctx context.Context, stdio *cli.IO) (*etree.Element, error) {
	store, err := cibsource.Open(stdio)
	if err != nil {
		return nil, exit.Errorf(cibsource.Code(err), "%s", err)
	}
	defer store.Close()
	root, err := cibsource.Read(ctx, store)
	if err != nil {
		return nil, exit.Errorf(cibsource.Code(err), "%s", err)
	}
	return root, nil
}

// errTooLarge is the answer to a file beyond all measure.
var errTooLarge = errors.New("the file is too large")

// ReadFile reads a CIB file, bzip2 compressed or not.
func ReadFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head := make([]byte, 3)
	n, _ := io.ReadFull(file, head)
	r := io.MultiReader(bytes.NewReader(head[:n]), file)
	if string(head[:n]) == "BZh" {
		r = bzip2.NewReader(r)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(text) > maxInput {
		err = errTooLarge
	}
	return text, err
}

// profileDir times the scheduling of each file of a directory.
func (f *flags) profileDir(stdio *cli.IO) error {
	files, err := filepath.Glob(filepath.Join(f.profile, "*.xml"))
	if err != nil {
		return exit.Errorf(exit.NoInput, "%s", err)
	}
	sort.Strings(files)
	stdio.Printf("Timings:\n")
	o := f.o
	o.Process, o.Quiet = true, true
	for _, name := range files {
		if strings.HasPrefix(filepath.Base(name), ".") {
			continue
		}
		text, err := ReadFile(name)
		if err != nil {
			return exit.Errorf(exit.NoInput, "%s", err)
		}
		root, err := document.Parse(text)
		if err != nil {
			continue
		}
		begin := time.Now()
		for range max(1, f.repeat) {
			if _, err := simulate.Simulate(document.Clone(root), o); err != nil {
				break
			}
		}
		stdio.Printf("  * Testing %s ... %.2f secs\n", name, time.Since(begin).Seconds())
	}
	return nil
}
