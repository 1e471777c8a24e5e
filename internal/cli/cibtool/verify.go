// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtool

import (
	"context"
	"fmt"
	"os"

	"github.com/beevik/etree"
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/schema"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/output"
)

// verifyFlags are the options of crm_verify.
type verifyFlags struct {
	live, pipe, quiet    bool
	file, text, save, as string
	verbose              int
	args                 []string
	schedule             func(*etree.Element) (errors, warnings []string)
}

func crmVerify(ctx context.Context, io *cli.IO, args []string, schedule func(*etree.Element) ([]string, []string)) int {
	f := verifyFlags{args: append([]string{"crm_verify"}, args...), schedule: schedule}
	cmd := &cobra.Command{Use: "crm_verify", Short: "check a Pacemaker configuration for errors", Args: cobra.ArbitraryArgs}
	fs := cmd.Flags()
	fs.BoolVarP(&f.live, "live-check", "L", false, "Check the configuration used by the running cluster")
	fs.StringVarP(&f.file, "xml-file", "x", "", "Check the configuration in the named file")
	fs.BoolVarP(&f.pipe, "xml-pipe", "p", false, "Check the configuration piped in via stdin")
	fs.StringVarP(&f.text, "xml-text", "X", "", "Check the configuration in the supplied string")
	fs.StringVarP(&f.save, "save-xml", "S", "", "Save the verified XML to the named file (most useful with -L)")
	fs.CountVarP(&f.verbose, "verbose", "V", "Tell more (may be given multiple times)")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "Do not tell problems, only the exit code")
	fs.StringVar(&f.as, "output-as", "text", "Output format: text, xml")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), io) }
	return cli.Execute(ctx, io, cmd, args)
}

func (f *verifyFlags) run(ctx context.Context, io *cli.IO) error {
	as, err := output.ParseFormat(f.as, output.Text, output.XML)
	if err != nil {
		return exit.Errorf(exit.Usage, "crm_verify: %w", err)
	}
	told, err := f.check(ctx, io)
	if as == output.XML {
		res := output.Result{Request: f.args, Code: exit.Of(err), Errors: told}
		if err != nil {
			res.Errors = append(res.Errors, err.Error())
		}
		if werr := res.Write(io.Stdout); werr != nil {
			return werr
		}
		return silent(err)
	}
	if f.quiet {
		return silent(err)
	}
	for _, line := range told {
		io.Errorf("%s\n", line)
	}
	return err
}

// source gives the text to be checked.
func (f *verifyFlags) source(ctx context.Context, io *cli.IO) ([]byte, error) {
	var text []byte
	var err error
	name := ""
	switch {
	case f.live:
		store, err := cibsource.Open(io)
		if err != nil {
			return nil, exit.Errorf(cibsource.Code(err), "crm_verify: Couldn't query the live CIB: %s", words(err))
		}
		defer func() { _ = store.Close() }()
		root, err := cibsource.Read(ctx, store)
		if err != nil {
			return nil, exit.Errorf(cibsource.Code(err), "crm_verify: Couldn't query the live CIB: %s", words(err))
		}
		return document.Format(root), nil
	case f.file != "":
		name = "file: " + f.file
		text, err = readFile(io, f.file)
	case f.text != "":
		return []byte(f.text), nil
	case f.pipe:
		name = "from STDIN."
		text, err = readAll(io.Stdin)
		if err == nil && len(text) == 0 {
			return nil, exit.Errorf(exit.Error, "crm_verify: Couldn't parse input from STDIN.")
		}
	default:
		return nil, exit.Errorf(exit.Error, "crm_verify: No configuration source specified.  Use --help for usage information.")
	}
	if err != nil {
		return nil, exit.Errorf(exit.Error, "crm_verify: Couldn't parse input %s", name)
	}
	return text, nil
}

// check gives what is to be told, and the verdict.
func (f *verifyFlags) check(ctx context.Context, io *cli.IO) ([]string, error) {
	text, err := f.source(ctx, io)
	if err != nil {
		return nil, err
	}
	invalid := exit.Errorf(exit.Config, "crm_verify: Errors found during check: config not valid")
	root, lines, err := document.ParseLines(text)
	if err != nil {
		return []string{fmt.Sprintf("Entity: %v", err)}, invalid
	}
	if f.save != "" {
		if err := os.WriteFile(f.save, document.Format(root), 0o600); err != nil {
			return nil, exit.Errorf(exit.CantCreat, "crm_verify: Could not write %s: %w", f.save, err)
		}
	}
	var told []string
	faults := schema.Validate(root, lines)
	for _, ft := range faults {
		told = append(told, fmt.Sprintf("Entity: line %d: element %s: Relax-NG validity error : %s", max(1, ft.Line), ft.Element, ft.Msg))
	}
	if len(faults) > 0 {
		if f.verbose == 0 {
			return append(told, "-V may provide more details"), invalid
		}
		return append(told, "(main) \terror: CIB did not pass schema validation"), invalid
	}
	problems, hints := f.opinion(root, lines)
	for _, e := range problems {
		told = append(told, "(verify) \terror: "+e)
	}
	if f.verbose > 0 {
		for _, h := range hints {
			told = append(told, "(verify) \twarning: "+h)
		}
	}
	switch {
	case len(problems) > 0:
		return told, invalid
	case len(hints) > 0 && f.verbose > 0:
		return told, exit.Errorf(exit.Config, "crm_verify: Warnings found during check: config may not be valid")
	case len(hints) > 0:
		return []string{"Warnings found during check: config may not be valid", "-V may provide more details"}, silent(invalid)
	}
	return told, nil
}

// opinion is what the schema does not say: advice, and the scheduler's view.
func (f *verifyFlags) opinion(root *etree.Element, lines document.Lines) (problems, hints []string) {
	if f.schedule != nil {
		problems, hints = f.schedule(root)
	}
	for _, a := range schema.Advise(root, lines) {
		problems = append(problems, a.String())
	}
	return problems, hints
}
