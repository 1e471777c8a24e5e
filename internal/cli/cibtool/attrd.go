// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtool

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/output"
)

// attrdFlags are the options of attrd_updater.
type attrdFlags struct {
	name, update, both, delay, set, node, lifetime, section, as, wait, pattern string
	delayOnly, query, remove, refresh, all, private, quiet, utilization        bool
	verbose                                                                    int
	changed                                                                    func(string) bool
	args                                                                       []string
}

func attrdUpdater(ctx context.Context, io *cli.IO, args []string) int {
	f := attrdFlags{args: append([]string{"attrd_updater"}, args...)}
	cmd := &cobra.Command{Use: "attrd_updater", Short: "query and update Pacemaker node attributes"}
	fs := cmd.Flags()
	f.changed = fs.Changed
	fs.StringVarP(&f.name, "name", "n", "", "The attribute's name")
	fs.StringVarP(&f.update, "update", "U", "", "Update the attribute's value")
	fs.StringVarP(&f.both, "update-both", "B", "", "Update the attribute's value and the time to wait (dampening); needs --delay")
	fs.BoolVarP(&f.delayOnly, "update-delay", "Y", false, "Update the attribute's dampening; needs --delay")
	fs.BoolVarP(&f.query, "query", "Q", false, "Query the attribute's value")
	fs.BoolVarP(&f.remove, "delete", "D", false, "Unset the attribute: its value becomes the empty string")
	fs.BoolVarP(&f.refresh, "refresh", "R", false, "(Advanced) Accepted; values are always in the CIB")
	fs.StringVarP(&f.delay, "delay", "d", "", "The time to wait (dampening) for further changes before writing to the CIB")
	fs.StringVarP(&f.set, "set", "s", "", "(Advanced) The attribute set in which to place the value")
	fs.StringVarP(&f.node, "node", "N", "", "Set the attribute for the named node (instead of the local one)")
	fs.BoolVarP(&f.all, "all", "A", false, "Show values of the attribute for all nodes (query only)")
	fs.StringVarP(&f.lifetime, "lifetime", "l", "", "Accepted and ignored: values last until the node leaves")
	fs.BoolVarP(&f.private, "private", "p", false, "If this creates a new attribute, never write it to the CIB")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "Accepted")
	fs.CountVarP(&f.verbose, "verbose", "V", "Increase debug output")
	fs.StringVar(&f.as, "output-as", "text", "Output format: text, xml")
	fs.StringVarP(&f.wait, "wait", "W", "no", "Accepted: an update is in effect everywhere when the tool ends")
	fs.StringVar(&f.pattern, "pattern", "", "Operate on all attributes matching this pattern")
	fs.StringVarP(&f.update, "attr-value", "v", "", "")
	fs.StringVarP(&f.section, "section", "S", "", "")
	fs.BoolVarP(&f.utilization, "utilization", "z", false, "")
	for _, hidden := range []string{"attr-value", "section", "utilization", "quiet"} {
		_ = fs.MarkHidden(hidden)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), io) }
	return cli.Execute(ctx, io, cmd, args)
}

func (f *attrdFlags) run(ctx context.Context, io *cli.IO) error {
	as, err := output.ParseFormat(f.as, output.Text, output.XML)
	if err != nil {
		return exit.Errorf(exit.Usage, "attrd_updater: %w", err)
	}
	found, err := f.work(ctx, io)
	if as != output.XML {
		for _, a := range found {
			io.Printf("name=%s host=%s value=%s\n", shellQuote(a.Name), shellQuote(a.Node), shellQuote(a.Value))
		}
		return err
	}
	res := output.Result{Request: f.args, Code: exit.Of(err)}
	for _, a := range found {
		res.Body = append(res.Body, document.New("attribute", "name", a.Name, "value", a.Value, "host", a.Node))
	}
	if err != nil {
		res.Errors = []string{err.Error()}
	}
	if werr := res.Write(io.Stdout); werr != nil {
		return werr
	}
	return silent(err)
}

// shellQuote puts a text in double quotes. Agents give the line to a shell, so
// that nothing in it may be more than text.
func shellQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(s) + `"`
}

func (f *attrdFlags) work(ctx context.Context, io *cli.IO) ([]cib.Attr, error) {
	up := cib.AttrUpdate{Node: f.node, Name: f.name, Set: f.set, Private: f.private, Delete: f.remove}
	if up.Node == "" {
		up.Node = io.Env("OCF_RESKEY_CRM_meta_on_node")
	}
	if f.pattern != "" {
		up.Name, up.Pattern = f.pattern, true
	}
	if up.Name == "" && !f.refresh {
		return nil, exit.Errorf(exit.Usage, "attrd_updater: Command requires --name argument")
	}
	if f.refresh && !f.query && !f.changed("update") {
		return nil, f.probe(ctx, io)
	}
	var err error
	if up.Dampen, err = dampening(f.delay); err != nil {
		return nil, err
	}
	if (f.changed("update-both") || f.delayOnly) && f.delay == "" {
		return nil, exit.Errorf(exit.Usage, "attrd_updater: Updating the dampening needs --delay")
	}
	store, err := cibsource.Open(io)
	if err != nil {
		return nil, attrdFailed(err)
	}
	defer func() { _ = store.Close() }()
	switch {
	case f.query:
		return f.ask(ctx, store)
	case f.changed("update-both"):
		up.Value, up.SetDampen = f.both, true
	case f.delayOnly:
		return nil, f.redampen(ctx, store, up)
	case f.changed("update") || f.changed("attr-value"):
		up.Value = f.update
	case f.remove:
	default:
		return nil, exit.Errorf(exit.Usage, "attrd_updater: Must specify one of: --update, --update-both, --update-delay, --query, --delete, --refresh")
	}
	return nil, attrdFailed(store.SetAttr(ctx, up))
}

// probe tells whether the daemon answers.
func (f *attrdFlags) probe(ctx context.Context, io *cli.IO) error {
	store, err := cibsource.Open(io)
	if err != nil {
		return attrdFailed(err)
	}
	defer func() { _ = store.Close() }()
	_, err = store.Attrs(ctx, f.name, f.node)
	return attrdFailed(err)
}

func (f *attrdFlags) ask(ctx context.Context, store cib.Store) ([]cib.Attr, error) {
	all, err := store.Attrs(ctx, f.name, "")
	if err != nil {
		return nil, attrdFailed(err)
	}
	if len(all) == 0 {
		return nil, exit.Errorf(exit.Config, "attrd_updater: Could not query value of %s: attribute does not exist", f.name)
	}
	if f.node == "" || f.all {
		return all, nil
	}
	for _, a := range all {
		if strings.EqualFold(a.Node, f.node) {
			return []cib.Attr{a}, nil
		}
	}
	return []cib.Attr{{Node: f.node, Name: f.name}}, nil
}

// redampen changes the dampening and leaves the value as it is.
func (f *attrdFlags) redampen(ctx context.Context, store cib.Store, up cib.AttrUpdate) error {
	have, err := store.Attrs(ctx, f.name, up.Node)
	if err != nil || len(have) == 0 {
		return attrdFailed(err)
	}
	up.Value, up.SetDampen = have[0].Value, true
	return attrdFailed(store.SetAttr(ctx, up))
}

func attrdFailed(err error) error {
	if err == nil {
		return nil
	}
	code := cibsource.Code(err)
	if code == exit.Disconnect {
		return exit.Errorf(code, "attrd_updater: Could not connect to attrd: Connection refused")
	}
	return exit.Errorf(code, "attrd_updater: %s", words(err))
}

// dampening reads a delay: seconds, or a number with a unit.
func dampening(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	s = strings.Replace(strings.Replace(s, "sec", "s", 1), "min", "m", 1)
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = errors.New("is negative")
	}
	if err != nil {
		return 0, exit.Errorf(exit.Usage, "attrd_updater: Invalid delay %q: %w", s, err)
	}
	return d, nil
}
