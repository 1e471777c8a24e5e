// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtool

import (
	"context"

	"github.com/beevik/etree"
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/patch"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
)

// diffFlags are the options of crm_diff.
type diffFlags struct {
	original, originalText, next, nextText, patch string
	asCIB, stdin, noVersion                       bool
	verbose                                       int
}

func crmDiff(ctx context.Context, io *cli.IO, args []string) int {
	var f diffFlags
	cmd := &cobra.Command{
		Use: "crm_diff", Short: "compare two Pacemaker configurations to produce a patchset, or apply one", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return f.run(io) },
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.original, "original", "o", "", "XML is contained in the named file")
	fs.StringVarP(&f.originalText, "original-string", "O", "", "XML is contained in the supplied string")
	fs.StringVarP(&f.next, "new", "n", "", "Compare the original XML to the contents of the named file")
	fs.StringVarP(&f.nextText, "new-string", "N", "", "Compare the original XML with the contents of the supplied string")
	fs.StringVarP(&f.patch, "patch", "p", "", "Patch the original XML with the contents of the named file")
	fs.BoolVarP(&f.asCIB, "cib", "c", false, "Compare/patch the inputs as a CIB (includes version details)")
	fs.BoolVarP(&f.stdin, "stdin", "s", false, "Read the inputs from stdin")
	fs.BoolVarP(&f.noVersion, "no-version", "u", false, "Generate the difference without version details")
	fs.CountVarP(&f.verbose, "verbose", "V", "Increase debug output")
	return cli.Execute(ctx, io, cmd, args)
}

func (f *diffFlags) run(io *cli.IO) error {
	a, err := f.input(io, f.original, f.originalText, "first")
	if err != nil {
		return err
	}
	if f.patch != "" {
		diff, err := f.input(io, f.patch, "", "second")
		if err != nil {
			return err
		}
		return f.apply(io, a, diff)
	}
	b, err := f.input(io, f.next, f.nextText, "second")
	if err != nil {
		return err
	}
	if f.noVersion {
		admin, epoch, updates := document.Versions(a)
		for _, name := range []string{"admin_epoch", "epoch", "num_updates"} {
			if _, ok := document.Lookup(a, name); !ok {
				document.Unset(b, name)
			}
		}
		if _, ok := document.Lookup(a, "epoch"); ok {
			document.SetVersions(b, admin, epoch, updates)
		}
	}
	diff := patch.Make(a, b)
	if diff == nil {
		return nil
	}
	if f.noVersion {
		patch.WithoutVersions(diff)
	}
	if _, err := io.Stdout.Write(document.Format(diff)); err != nil {
		return err
	}
	return exit.Errorf(exit.Error, "") // there are differences
}

func (f *diffFlags) input(io *cli.IO, path, text, which string) (*etree.Element, error) {
	var data []byte
	var err error
	switch {
	case text != "":
		data = []byte(text)
	case path != "":
		data, err = readFile(io, path)
	case f.stdin:
		data, err = readAll(io.Stdin)
	default:
		return nil, exit.Errorf(exit.DataErr, "Could not parse the %s XML fragment", which)
	}
	if err == nil {
		var root *etree.Element
		if root, err = document.Parse(data); err == nil {
			return root, nil
		}
	}
	return nil, exit.Errorf(exit.DataErr, "Could not parse the %s XML fragment: %w", which, err)
}

func (f *diffFlags) apply(io *cli.IO, a, diff *etree.Element) error {
	if f.noVersion {
		patch.WithoutVersions(diff)
	}
	root, err := patch.Apply(a, diff)
	if err != nil {
		return exit.Errorf(exit.Error, "crm_diff: Could not apply patch: %w", err)
	}
	_, err = io.Stdout.Write(document.Format(root))
	return err
}
