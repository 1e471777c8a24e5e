// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package stonith

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/localagents"
	"github.com/quorate/quorate/internal/cli/output"
	"github.com/quorate/quorate/internal/cli/statusview"
	"github.com/quorate/quorate/internal/ipc"
)

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{{Name: "stonith_admin", Short: "fence nodes and ask about fencing", Run: Run}}
}

// askTimeout bounds questions; fencing has its own.
const askTimeout = 30 * time.Second

// options are the command line; the last verb given counts.
type options struct {
	verb, arg, agent, as      string
	timeout, delay, tolerance int
	quiet                     bool
	verbose                   int
	request                   []string
	body                      []*etree.Element
}

// verbFlag is an option that chooses the verb.
type verbFlag struct {
	o     *options
	name  string
	value bool
}

func (f *verbFlag) String() string { return "" }

func (f *verbFlag) Type() string {
	if f.value {
		return "string"
	}
	return "bool"
}

func (f *verbFlag) Set(v string) error {
	f.o.verb = f.name
	if f.value {
		f.o.arg = v
	}
	return nil
}

// Run is stonith_admin.
func Run(ctx context.Context, io *cli.IO, args []string) int {
	o := &options{request: append([]string{"stonith_admin"}, args...)}
	cmd := &cobra.Command{
		Use: "stonith_admin", Short: "fence nodes and ask about fencing", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), io) },
	}
	o.flags(cmd.Flags())
	return cli.Execute(ctx, io, cmd, args)
}

func (o *options) flags(fs *pflag.FlagSet) {
	with := func(name, short, usage string) { fs.VarP(&verbFlag{o, name, true}, name, short, usage) }
	do := func(name, short, usage string) {
		fs.VarPF(&verbFlag{o, name, false}, name, short, usage).NoOptDefVal = "true"
	}
	with("fence", "F", "turn a `node` off")
	with("reboot", "B", "reboot a `node`")
	with("unfence", "U", "let a `node` back in")
	with("confirm", "C", "tell the cluster that a `node` is safely down")
	with("history", "H", "show the fencing of a `node`, * for all")
	with("last", "h", "show when a `node` was last fenced")
	do("list-registered", "L", "list the registered fence devices")
	with("list", "l", "list the devices that can fence a `node`")
	do("list-installed", "I", "list the installed fence agents")
	with("list-targets", "s", "list the nodes that a `device` can fence")
	with("query", "Q", "check that a `device` is registered")
	do("metadata", "M", "show the metadata of --agent")
	do("validate", "K", "check the configuration of --agent")
	for _, name := range []string{"register", "deregister", "register-level", "deregister-level"} {
		with(name, map[string]string{"register": "R", "deregister": "D", "register-level": "r", "deregister-level": "d"}[name],
			"not supported: configure stonith resources and fencing-topology in the CIB")
	}
	fs.StringVarP(&o.agent, "agent", "a", "", "fence `agent`")
	fs.IntVarP(&o.timeout, "timeout", "t", 120, "`seconds` that fencing may take")
	fs.IntVarP(&o.delay, "delay", "y", 0, "`seconds` to wait before fencing")
	fs.IntVar(&o.tolerance, "tolerance", 0, "do nothing if the node was fenced within this many `seconds`")
	fs.StringArrayP("option", "o", nil, "`name=value` parameters of the agent")
	fs.StringArrayP("env-option", "e", nil, "parameters from the environment")
	fs.StringP("tag", "T", "", "accepted for compatibility")
	fs.StringArrayP("device", "v", nil, "device of a level")
	fs.IntP("index", "i", 0, "number of a level")
	fs.BoolP("as-node-id", "n", false, "accepted for compatibility")
	fs.BoolP("cleanup", "c", false, "clean up the history")
	fs.BoolP("broadcast", "b", false, "accepted for compatibility")
	fs.StringVar(&o.as, "output-as", "", "output format: text, xml")
	fs.String("output-to", "", "accepted for compatibility")
	fs.CountVarP(&o.verbose, "verbose", "V", "show more")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "show less")
}

func (o *options) run(ctx context.Context, io *cli.IO) error {
	if _, err := output.ParseFormat(o.as, output.Text, output.XML); err != nil {
		return exit.Errorf(exit.Usage, "stonith_admin: %v", err)
	}
	err := o.do(ctx, io)
	if o.as != "xml" || o.verb == "" {
		return err
	}
	res := output.Result{Request: o.request, Body: o.body, Code: exit.Of(err)}
	if err != nil {
		res.Errors = strings.Split(err.Error(), "\n")
		return errors.Join(res.Write(io.Stdout), exit.Silent(exit.Of(err)))
	}
	return res.Write(io.Stdout)
}

func (o *options) do(ctx context.Context, io *cli.IO) error {
	switch o.verb {
	case "":
		return exit.Errorf(exit.Usage, "stonith_admin: give a command, such as --history or --reboot; stonith_admin --help lists them")
	case "list-installed":
		return o.installed(ctx, io)
	case "metadata":
		return o.metadata(ctx, io)
	case "register", "deregister", "register-level", "deregister-level", "validate", "list-targets":
		return exit.Errorf(exit.UnimplementFeature, "stonith_admin: --%s is not supported: configure stonith resources in the CIB", o.verb)
	}
	c, err := cibsource.Controller(io)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	err = o.ask(ctx, io, c)
	switch {
	case errors.Is(err, ipc.ErrUnavailable):
		return &exit.ErrorCode{Code: exit.Disconnect, Err: err, Msg: "Could not connect to fencer: Transport endpoint is not connected"}
	case errors.Is(err, ipc.ErrDenied):
		return &exit.ErrorCode{Code: exit.InsufficientPriv, Err: err, Msg: "Could not connect to fencer: Permission denied"}
	}
	return err
}

func (o *options) ask(ctx context.Context, io *cli.IO, c crmd.Controller) error {
	switch o.verb {
	case "fence":
		return o.fence(ctx, c, "off")
	case "reboot":
		return o.fence(ctx, c, "reboot")
	case "unfence":
		return o.fence(ctx, c, "on")
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	switch o.verb {
	case "confirm":
		return c.ConfirmFenced(ctx, o.arg)
	case "list-registered":
		return o.devices(ctx, io, c, "")
	case "list":
		return o.devices(ctx, io, c, o.arg)
	case "query":
		return o.query(ctx, c)
	case "last":
		return o.last(ctx, io, c)
	}
	return o.history(ctx, io, c)
}

// fence has a node fenced and says why that failed.
func (o *options) fence(ctx context.Context, c crmd.Controller, action string) error {
	if o.tolerance > 0 {
		done, err := o.fencedLately(ctx, c, action)
		if err != nil || done {
			return err
		}
	}
	timeout, delay := time.Duration(o.timeout)*time.Second, time.Duration(o.delay)*time.Second
	err := c.Fence(ctx, o.arg, action, timeout, delay)
	switch {
	case err == nil, errors.Is(err, ipc.ErrUnavailable), errors.Is(err, ipc.ErrDenied):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return &exit.ErrorCode{Code: exit.Timeout, Err: err, Msg: "stonith_admin: Couldn't fence " + o.arg + ": Timer expired"}
	}
	code := cibsource.Code(err)
	if code == exit.Error && strings.Contains(err.Error(), "no device") {
		code = exit.NoSuch
	}
	return &exit.ErrorCode{Code: code, Err: err, Msg: "stonith_admin: Couldn't fence " + o.arg + ": " + err.Error()}
}

// fencedLately tells whether the same was done within the tolerance.
func (o *options) fencedLately(ctx context.Context, c crmd.Controller, action string) (bool, error) {
	events, err := c.FenceHistory(ctx, o.arg)
	for _, e := range events {
		if e.State == "success" && e.Action == action && time.Since(e.Completed) < time.Duration(o.tolerance)*time.Second {
			return true, nil
		}
	}
	return false, err
}

// devices lists registered devices.
func (o *options) devices(ctx context.Context, io *cli.IO, c crmd.Controller, node string) error {
	names, err := c.FenceDevices(ctx, node)
	if err != nil {
		return err
	}
	o.list(io, "Registered fencing devices", names, "fence device")
	return nil
}

// list prints names and their number.
func (o *options) list(io *cli.IO, header string, names []string, what string) {
	if o.as == "xml" {
		e := document.New("list", "name", header, "count", strconv.Itoa(len(names)))
		for _, n := range names {
			document.Add(e, "item").SetText(n)
		}
		o.body = []*etree.Element{e}
		return
	}
	for _, n := range names {
		io.Printf("%s\n", n)
	}
	if !o.quiet {
		io.Printf("%s found\n", plural(len(names), what))
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func (o *options) query(ctx context.Context, c crmd.Controller) error {
	names, err := c.FenceDevices(ctx, "")
	if err != nil {
		return err
	}
	if !slices.Contains(names, o.arg) {
		return exit.Silent(exit.NoSuch)
	}
	return nil
}

// last tells when a node was last fenced.
func (o *options) last(ctx context.Context, io *cli.IO, c crmd.Controller) error {
	events, err := c.FenceHistory(ctx, o.arg)
	if err != nil {
		return err
	}
	var when time.Time
	for _, e := range events {
		if e.State == "success" && e.Completed.After(when) {
			when = e.Completed
		}
	}
	switch {
	case o.as == "xml":
		e := document.New("last-fenced", "target", o.arg)
		if !when.IsZero() {
			document.Set(e, "when", when.Format(time.ANSIC))
		}
		o.body = []*etree.Element{e}
	case o.quiet && !when.IsZero():
		io.Printf("%d\n", when.Unix())
	case o.quiet:
		io.Printf("0\n")
	case when.IsZero():
		io.Printf("Node %s has never been fenced\n", o.arg)
	default:
		io.Printf("Node %s last fenced at: %s\n", o.arg, when.Format(time.ANSIC))
	}
	return nil
}

// history shows the last success of each node, or with --verbose everything.
func (o *options) history(ctx context.Context, io *cli.IO, c crmd.Controller) error {
	events, err := c.FenceHistory(ctx, o.arg)
	if err != nil {
		return err
	}
	events = o.shown(events)
	if o.as == "xml" {
		e := document.New("list", "name", "fencing history", "count", strconv.Itoa(len(events)))
		for _, ev := range events {
			e.AddChild(statusview.FenceXML(ev))
		}
		o.body = []*etree.Element{e}
		return nil
	}
	for _, ev := range events {
		if o.quiet {
			io.Printf("%d\n", ev.Completed.Unix())
			continue
		}
		io.Printf("%s\n", statusview.FenceText(ev))
	}
	if !o.quiet {
		io.Printf("%s found\n", plural(len(events), "event"))
	}
	return nil
}

// shown picks of the events, newest first, the last success of the target asked
// for; all with --verbose.
func (o *options) shown(events []crmd.FenceEvent) []crmd.FenceEvent {
	if o.verbose > 0 {
		return events
	}
	for _, e := range events {
		if e.State == "success" {
			return []crmd.FenceEvent{e}
		}
	}
	return nil
}

// installed lists the fence agents of this machine.
func (o *options) installed(ctx context.Context, io *cli.IO) error {
	names, err := localagents.Open(io).Fence.List(ctx, "")
	if err != nil {
		return exit.Errorf(exit.Error, "stonith_admin: %w", err)
	}
	o.list(io, "Installed fence devices", names, "fence device")
	return nil
}

// metadata shows what a fence agent says of itself.
func (o *options) metadata(ctx context.Context, io *cli.IO) error {
	if o.agent == "" {
		return exit.Errorf(exit.Usage, "stonith_admin: Please specify an agent to query using, --agent")
	}
	text, err := localagents.Open(io).Fence.Metadata(ctx, "", o.agent)
	if err != nil {
		return &exit.ErrorCode{Code: exit.NoSuch, Err: err, Msg: "Can't get fence agent meta-data: No such device"}
	}
	if o.as == "xml" {
		e := document.New("metadata", "type", o.agent)
		e.SetText(text)
		o.body = []*etree.Element{e}
		return nil
	}
	io.Printf("%s\n", strings.TrimRight(text, "\n"))
	return nil
}
