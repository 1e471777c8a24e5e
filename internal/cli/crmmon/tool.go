// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmmon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/output"
	"github.com/quorate/quorate/internal/cli/statusview"
	"github.com/quorate/quorate/internal/iso8601"
)

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{{Name: "crm_mon", Short: "show the state of the cluster", Run: Run}}
}

// options are the command line.
type options struct {
	show    statusview.Options
	request []string

	as, to, title, stylesheet string
	once, legacyXML, cgi      bool
	simple, daemonize         bool
	pidFile, asHTML           string
	agent, recipient          string
	interval                  time.Duration
	fencing                   string
	changes                   []sectionChange
	force                     statusview.Section // shown by options of their own
	hideHeaders, watchFencing bool
	noCurses, fancy, pending  bool
	intervalText, bans        string
}

// sectionChange is one --include or --exclude, in the order given.
type sectionChange struct {
	list    string
	exclude bool
}

// Run is crm_mon.
func Run(ctx context.Context, io *cli.IO, args []string) int {
	o := &options{request: append([]string{io.Tool}, args...)}
	cmd := &cobra.Command{
		Use: io.Tool, Short: "show the state of the cluster",
		Args: cobra.ArbitraryArgs, // clients pass stray words
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.settle(cmd.Flags()); err != nil {
				return err
			}
			return o.run(cmd.Context(), io)
		},
	}
	o.flags(cmd.Flags())
	return cli.Execute(ctx, io, cmd, args)
}

func (o *options) flags(fs *pflag.FlagSet) {
	fs.StringVar(&o.as, "output-as", "", "output format: console (default), html, text, xml")
	fs.StringVar(&o.to, "output-to", "", "`file` for the output (- is standard output)")
	fs.BoolVar(&o.cgi, "html-cgi", false, "add CGI headers (with --output-as=html)")
	fs.StringVar(&o.stylesheet, "html-stylesheet", "", "link to a style sheet (with --output-as=html)")
	fs.StringVar(&o.title, "html-title", "Cluster Status", "title of the page (with --output-as=html)")
	fs.BoolVar(&o.fancy, "text-fancy", false, "accepted for compatibility")
	fs.VarP(&changes{o, false}, "include", "I", "`sections` to show as well")
	fs.VarP(&changes{o, true}, "exclude", "U", "`sections` not to show")
	fs.StringVar(&o.show.Node, "node", "", "show this `node` only, or those with this tag")
	fs.StringVar(&o.show.Resource, "resource", "", "show this `resource` only, or those with this tag")
	fs.BoolVarP(&o.show.ByNode, "group-by-node", "n", false, "group resources by node")
	fs.BoolVarP(&o.show.Inactive, "inactive", "r", false, "show inactive resources")
	o.sectionFlag(fs, "failcounts", "f", statusview.SecFailcounts, "show fail counts")
	o.sectionFlag(fs, "operations", "o", statusview.SecOperations, "show the history of operations")
	fs.BoolVarP(&o.show.Timing, "timing-details", "t", false, "show the history of operations with times")
	o.sectionFlag(fs, "tickets", "c", statusview.SecTickets, "show cluster tickets")
	fs.StringVarP(&o.fencing, "fence-history", "m", "1", "fencing: 0 off, 1 failures and pending, 2 also successes, 3 all")
	fs.Lookup("fence-history").NoOptDefVal = "2"
	fs.StringVarP(&o.bans, "neg-locations", "L", "", "show negative location constraints, those whose id has a `prefix`")
	fs.Lookup("neg-locations").NoOptDefVal = anyBan
	o.sectionFlag(fs, "show-node-attributes", "A", statusview.SecAttributes, "show node attributes")
	fs.BoolVarP(&o.hideHeaders, "hide-headers", "D", false, "hide the summary")
	fs.BoolVarP(&o.show.Detail, "show-detail", "R", false, "show node ids and instances of clones")
	fs.BoolVarP(&o.show.Brief, "brief", "b", false, "brief output")
	fs.BoolVarP(&o.simple, "simple-status", "s", false, "one line, for nagios")
	fs.StringVarP(&o.intervalText, "interval", "i", "5s", "`time` between updates where nothing changes")
	fs.BoolVarP(&o.once, "one-shot", "1", false, "show the state once and exit")
	fs.BoolVarP(&o.daemonize, "daemonize", "d", false, "run in the background (with --output-to)")
	fs.StringVarP(&o.pidFile, "pid-file", "p", "/tmp/ClusterMon.pid", "`file` for the process id (with --daemonize)")
	fs.StringVarP(&o.agent, "external-agent", "E", "", "not supported: use alerts")
	fs.StringVarP(&o.recipient, "external-recipient", "e", "", "not supported: use alerts")
	fs.BoolVarP(&o.watchFencing, "watch-fencing", "W", false, "not supported: use alerts")
	fs.StringVarP(&o.asHTML, "as-html", "h", "", "write the state to an HTML `file`; deprecated")
	fs.BoolVarP(&o.legacyXML, "as-xml", "X", false, "write the older XML; deprecated")
	fs.BoolVarP(&o.noCurses, "disable-ncurses", "N", false, "no live screen; deprecated")
	fs.BoolP("web-cgi", "w", false, "HTML for CGI; deprecated")
	fs.CountP("verbose", "V", "accepted for compatibility")
	fs.BoolVarP(&o.show.Quiet, "quiet", "Q", false, "show less")
	fs.BoolVarP(&o.pending, "pending", "j", false, "pending operations are always shown")
	_ = fs.MarkHidden("pending")
}

const anyBan = "\x00"

// sectionFlag is a switch that shows a section.
func (o *options) sectionFlag(fs *pflag.FlagSet, name, short string, s statusview.Section, usage string) {
	f := fs.VarPF(&sectionSwitch{o, s}, name, short, usage)
	f.NoOptDefVal = "true"
}

type sectionSwitch struct {
	o *options
	s statusview.Section
}

func (f *sectionSwitch) String() string { return "false" }
func (f *sectionSwitch) Type() string   { return "bool" }
func (f *sectionSwitch) Set(v string) error {
	if v == "true" {
		f.o.force |= f.s
	}
	return nil
}

// changes collects --include and --exclude.
type changes struct {
	o       *options
	exclude bool
}

func (c *changes) String() string { return "" }
func (c *changes) Type() string   { return "string" }
func (c *changes) Set(v string) error {
	c.o.changes = append(c.o.changes, sectionChange{v, c.exclude})
	return nil
}

// settle turns what was given into what is to be done.
func (o *options) settle(fs *pflag.FlagSet) error {
	if on, _ := fs.GetBool("web-cgi"); on || strings.HasSuffix(o.request[0], ".cgi") {
		o.as, o.cgi, o.once = "html", true, true
	}
	if o.asHTML != "" {
		o.as, o.to = "html", o.asHTML
	}
	if o.legacyXML {
		o.as = "xml"
	}
	switch o.as {
	case "xml":
		o.once = o.once || o.to == "" || o.to == "-"
	case "", "console", "text", "html":
	default:
		return exit.Errorf(exit.Usage, "%s: Invalid output format: %s", o.request[0], o.as)
	}
	if o.simple {
		o.once = true
	}
	ms, err := iso8601.ParseInterval(o.intervalText)
	if err != nil || ms == 0 {
		return exit.Errorf(exit.Usage, "%s: Invalid value for -i: %s", o.request[0], o.intervalText)
	}
	o.interval = time.Duration(ms) * time.Millisecond
	if o.agent != "" {
		return exit.Errorf(exit.UnimplementFeature, "%s: external agents are not supported: configure an alert instead", o.request[0])
	}
	return o.sections(fs.Changed("neg-locations"))
}

// sections decides what is shown.
func (o *options) sections(bans bool) error {
	def := statusview.SecDefault
	if o.as == "xml" {
		def = statusview.SecAll
	}
	s := def
	for _, c := range o.changes {
		if c.exclude {
			if err := s.Exclude(c.list); err != nil {
				return exit.Errorf(exit.Usage, "%s: %v", o.request[0], err)
			}
			continue
		}
		prefix, err := s.Include(c.list, def)
		if err != nil {
			return exit.Errorf(exit.Usage, "%s: %v", o.request[0], err)
		}
		o.show.BanPrefix = prefix
	}
	if o.as != "xml" && !o.asked("options") && !o.asked("summary") {
		s &^= statusview.SecOptions // as the original: all means all but these in text
	}
	s |= o.force
	if o.show.Timing {
		s |= statusview.SecOperations
	}
	if bans {
		s |= statusview.SecBans
		if o.bans != anyBan {
			o.show.BanPrefix = o.bans
		}
	}
	if o.hideHeaders {
		s &^= statusview.SecSummary
	}
	if o.as != "xml" {
		switch o.fencing {
		case "0":
			s &^= statusview.SecFencing
		case "1":
		case "2":
			s |= statusview.SecFencing
		case "3":
			s |= statusview.SecFencing
			o.show.FullFencing = true
		default:
			return exit.Errorf(exit.Usage, "%s: Fence history must be 0-3", o.request[0])
		}
	}
	o.show.FullFencing = o.show.FullFencing || o.as == "xml"
	o.show.Sections = s
	return nil
}

// asked tells whether a section was included by its own name.
func (o *options) asked(name string) bool {
	return slices.ContainsFunc(o.changes, func(c sectionChange) bool {
		return !c.exclude && slices.Contains(strings.Split(c.list, ","), name)
	})
}

// run shows the state, once or on and on.
func (o *options) run(ctx context.Context, io *cli.IO) error {
	if o.daemonize {
		return o.background(io)
	}
	if o.once {
		return o.oneShot(ctx, io)
	}
	if o.live(io) {
		return o.screen(ctx, io)
	}
	return o.follow(ctx, io, func(v *statusview.View, err error) error { return o.emit(io, v, err) })
}

// live tells whether a screen can be drawn and is wanted.
func (o *options) live(io *cli.IO) bool {
	if o.noCurses || o.as != "" && o.as != "console" || o.to != "" || o.cgi {
		return false
	}
	f, ok := io.Stdout.(*os.File)
	if !ok {
		return false
	}
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0 && io.Env("TERM") != "" && io.Env("TERM") != "dumb"
}

func (o *options) oneShot(ctx context.Context, io *cli.IO) error {
	src, err := open(io)
	if err != nil {
		return o.emit(io, nil, err)
	}
	defer src.close()
	v, err := src.view(ctx, o.show)
	return o.emit(io, v, err)
}

// emit writes one picture, or the error in the form of the format.
func (o *options) emit(io *cli.IO, v *statusview.View, err error) error {
	if err != nil {
		return o.fail(io, err)
	}
	w, done, err := o.destination(io)
	if err != nil {
		return err
	}
	switch {
	case o.simple:
		err = simple(w, v)
	case o.legacyXML:
		err = legacyXML(w, v.XML())
	case o.as == "xml":
		err = output.Result{Request: o.request, Body: v.XML()}.Write(w)
	case o.as == "html":
		if o.cgi {
			fmt.Fprint(w, "Content-Type: text/html\n\n")
		}
		v.HTML(w, o.title, o.stylesheet)
	default:
		v.Text(w)
	}
	return errors.Join(err, done())
}

// fail reports that the state is not to be had.
func (o *options) fail(stdio *cli.IO, err error) error {
	code, lines := explain(o.request[0], o.simple, err)
	switch {
	case o.legacyXML:
		if werr := legacyXML(stdio.Stdout, nil); werr != nil {
			return werr
		}
		stdio.Errorf("%s\n", code)
	case o.as == "xml":
		if werr := (output.Result{Request: o.request, Code: code, Errors: lines}).Write(stdio.Stdout); werr != nil {
			return werr
		}
		return exit.Silent(code)
	}
	if o.simple {
		code = exit.InvalidParam // nagios' word for critical
	}
	return &exit.ErrorCode{Code: code, Msg: strings.Join(lines, "\n"), Err: err}
}

// destination is where the picture goes, and what to call when it is complete.
func (o *options) destination(stdio *cli.IO) (io.Writer, func() error, error) {
	if o.to == "" || o.to == "-" {
		return stdio.Stdout, func() error { return nil }, nil
	}
	f := &replacement{path: o.to}
	return f, f.commit, nil
}
