// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmresource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/output"
	"github.com/quorate/quorate/internal/cli/statusview"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/internal/iso8601"
	"github.com/quorate/quorate/pengine/status"
)

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{{Name: "crm_resource", Short: "ask about resources and act on them", Run: Run}}
}

// A verb is what the command line asks for. It gets the loaded cluster, except
// where offline is set.
type verb struct {
	run     func(*call) error
	needRsc bool // --resource is required
	offline bool // works without a CIB
}

// A call is one run of the tool.
type call struct {
	o     *options
	io    *cli.IO
	ctx   context.Context //nolint:containedctx // a call lives as long as its context
	store cib.Store
	root  *etree.Element
	c     *status.Cluster
	r     *status.Resource // of --resource, or nil
	n     *status.Node     // of --node, or nil
	body  []*etree.Element // of the XML answer
}

// options are the command line.
type options struct {
	verb                              string
	arg                               string // of a verb that takes one
	resource, node, typ, value        string
	as                                string
	meta, utilization, element        bool
	quiet, force, recursive, promoted bool
	expired                           bool
	lifetime, operation, interval     string
	class, provider, agent            string
	set, id                           string
	timeout                           string
	option                            []string
	args                              []string
	request                           []string
}

var verbs = map[string]verb{
	"list":                  {run: (*call).list},
	"list-raw":              {run: (*call).listRaw},
	"list-cts":              {run: (*call).listRaw},
	"list-operations":       {run: (*call).listOperations},
	"list-all-operations":   {run: (*call).listOperations},
	"list-standards":        {run: (*call).listStandards, offline: true},
	"list-ocf-providers":    {run: (*call).listProviders, offline: true},
	"list-ocf-alternatives": {run: (*call).listProviders, offline: true},
	"list-agents":           {run: (*call).listAgents, offline: true},
	"show-metadata":         {run: (*call).showMetadata, offline: true},
	"query-xml":             {run: (*call).queryXML, needRsc: true},
	"query-xml-raw":         {run: (*call).queryXML, needRsc: true},
	"get-parameter":         {run: (*call).getParameter, needRsc: true},
	"set-parameter":         {run: (*call).setParameter, needRsc: true},
	"delete-parameter":      {run: (*call).deleteParameter, needRsc: true},
	"get-property":          {run: (*call).getProperty, needRsc: true},
	"set-property":          {run: (*call).setProperty, needRsc: true},
	"locate":                {run: (*call).locate, needRsc: true},
	"constraints":           {run: (*call).constraints, needRsc: true},
	"stack":                 {run: (*call).constraints, needRsc: true},
	"why":                   {run: (*call).why},
	"explain":               {run: (*call).explain, needRsc: true},
	"cleanup":               {run: (*call).cleanup},
	"refresh":               {run: (*call).cleanup},
	"move":                  {run: (*call).move, needRsc: true},
	"ban":                   {run: (*call).ban, needRsc: true},
	"clear":                 {run: (*call).clear, needRsc: true},
	"delete":                {run: (*call).deleteResource, needRsc: true},
	"fail":                  {run: (*call).fail, needRsc: true},
	"restart":               {run: (*call).restart, needRsc: true},
	"wait":                  {run: (*call).wait},
	"force-check":           {run: (*call).forceAction, needRsc: true},
	"force-start":           {run: (*call).forceAction, needRsc: true},
	"force-stop":            {run: (*call).forceAction, needRsc: true},
	"force-promote":         {run: (*call).forceAction, needRsc: true},
	"force-demote":          {run: (*call).forceAction, needRsc: true},
}

// Run is crm_resource.
func Run(ctx context.Context, io *cli.IO, args []string) int {
	o := &options{verb: "list", request: append([]string{io.Tool}, args...)}
	cmd := &cobra.Command{
		Use: "crm_resource", Short: "perform tasks related to cluster resources", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.args = args
			return o.run(cmd.Context(), io)
		},
	}
	o.flags(cmd.Flags())
	return cli.Execute(ctx, io, cmd, args)
}

// asVerb is a switch that chooses the verb; the last one given counts.
type asVerb struct {
	o     *options
	name  string
	value bool // takes an argument
}

func (a *asVerb) String() string { return "" }

func (a *asVerb) Type() string {
	if a.value {
		return "string"
	}
	return "bool"
}

func (a *asVerb) Set(v string) error {
	a.o.verb = a.name
	if a.value {
		a.o.arg = v
	}
	return nil
}

func (o *options) flags(fs *pflag.FlagSet) {
	do := func(name, short, usage string) {
		fs.VarPF(&asVerb{o, name, false}, name, short, usage).NoOptDefVal = "true"
	}
	with := func(name, short, usage string) { fs.VarP(&asVerb{o, name, true}, name, short, usage) }
	maybe := func(name, usage string) { fs.VarPF(&asVerb{o, name, true}, name, "", usage).NoOptDefVal = "0" }
	do("list", "L", "list all resources with their state")
	do("list-raw", "l", "list the ids of all instances")
	do("list-cts", "c", "")
	do("list-operations", "O", "list operations, those of --resource or --node only")
	do("list-all-operations", "o", "list all operations")
	do("list-standards", "", "list the supported standards")
	do("list-ocf-providers", "", "list the OCF providers")
	with("list-agents", "", "list the agents of a `standard:provider`")
	with("list-ocf-alternatives", "", "list the providers of an OCF `agent`")
	with("show-metadata", "", "show the metadata of a `class:provider:agent`")
	do("query-xml", "q", "show the XML of a resource, with its template")
	do("query-xml-raw", "w", "show the XML of a resource as it stands")
	with("get-parameter", "g", "show a `parameter`")
	do("locate", "W", "show where a resource runs")
	do("constraints", "a", "show the constraints of a resource")
	do("stack", "A", "show the constraints, recursively")
	do("why", "Y", "show why resources are not running")
	do("explain", "", "show why a resource is where it is, or (with -N) is not on a node, and what would change that")
	do("cleanup", "C", "forget the failures of a resource and probe it again")
	do("refresh", "R", "forget the history of a resource and probe it again")
	with("set-parameter", "p", "set a `parameter` (needs -v)")
	with("delete-parameter", "d", "delete a `parameter`")
	do("move", "M", "move a resource, to --node or away")
	do("ban", "B", "keep a resource off --node")
	do("clear", "U", "remove what --move and --ban made")
	do("delete", "D", "delete a resource from the configuration (needs -t)")
	do("fail", "F", "tell the cluster that a resource has failed")
	do("restart", "", "restart a resource and what depends on it")
	do("wait", "", "wait until the cluster is idle")
	for _, v := range []string{"stop", "start", "promote", "demote"} {
		do("force-"+v, "", "do it on this node, past the cluster")
	}
	maybe("force-check", "check a resource on this node, past the cluster")
	with("set-property", "S", "")
	with("get-property", "G", "")
	o.additional(fs)
}

func (o *options) additional(fs *pflag.FlagSet) {
	fs.StringVarP(&o.resource, "resource", "r", "", "resource `id`")
	fs.StringVarP(&o.node, "node", "N", "", "node `name`")
	fs.StringVarP(&o.node, "host-uname", "H", "", "")
	fs.StringVarP(&o.typ, "resource-type", "t", "", "`element` of a resource (with -D)")
	fs.StringVarP(&o.value, "parameter-value", "v", "", "`value` for -p")
	fs.StringVar(&o.value, "property-value", "", "")
	fs.BoolVarP(&o.meta, "meta", "m", false, "meta attributes instead of parameters")
	fs.BoolVarP(&o.utilization, "utilization", "z", false, "utilization instead of parameters")
	fs.BoolVar(&o.element, "element", false, "attributes of the element instead of parameters")
	fs.StringVarP(&o.set, "set-name", "s", "", "`id` of the set of attributes")
	fs.StringVarP(&o.id, "nvpair", "i", "", "`id` of the attribute")
	fs.BoolVar(&o.recursive, "recursive", false, "follow colocations")
	fs.BoolVar(&o.promoted, "promoted", false, "the promoted role only")
	fs.BoolVar(&o.promoted, "master", false, "")
	fs.BoolVarP(&o.expired, "expired", "e", false, "with --clear: only what has expired")
	fs.StringVarP(&o.lifetime, "lifetime", "u", "", "how long a constraint lasts, an ISO 8601 `duration`")
	fs.StringVarP(&o.operation, "operation", "n", "", "`operation` whose failures to clear")
	fs.StringVarP(&o.interval, "interval", "I", "", "`interval` of the operation")
	fs.StringVar(&o.class, "class", "", "standard of an agent")
	fs.StringVar(&o.provider, "provider", "", "provider of an agent")
	fs.StringVar(&o.agent, "agent", "", "type of an agent")
	fs.StringArrayVar(&o.option, "option", nil, "`name=value` parameters")
	fs.StringVarP(&o.timeout, "timeout", "T", "", "how long to wait at most")
	fs.BoolVarP(&o.force, "force", "f", false, "do it although it is unsafe")
	fs.BoolVarP(&o.quiet, "quiet", "Q", false, "show less")
	fs.CountP("verbose", "V", "accepted for compatibility")
	fs.StringVar(&o.as, "output-as", "", "output format: text, xml")
	fs.String("output-to", "", "accepted for compatibility")
	fs.Bool("digests", false, "")
	fs.StringP("xml-file", "x", "", "")
	for _, name := range []string{"list-cts", "set-property", "get-property", "host-uname", "property-value", "master", "xml-file", "digests"} {
		_ = fs.MarkHidden(name)
	}
}

func (o *options) run(ctx context.Context, io *cli.IO) error {
	if _, err := output.ParseFormat(o.as, output.Text, output.XML); err != nil {
		return exit.Errorf(exit.Usage, "crm_resource: %v", err)
	}
	if len(o.args) > 0 {
		lines := []string{"crm_resource: non-option ARGV-elements:"}
		for i, a := range o.args {
			lines = append(lines, fmt.Sprintf("[%d of %d] %s", i+1, len(o.args), a))
		}
		return exit.Errorf(exit.Usage, "%s", strings.Join(lines, "\n"))
	}
	k := &call{o: o, io: io, ctx: ctx}
	err := k.do(verbs[o.verb])
	if o.as != "xml" {
		return err
	}
	res := output.Result{Request: o.request, Body: k.body, Code: exit.Of(err)}
	if err != nil && err.Error() != "" {
		res.Errors = strings.Split(err.Error(), "\n")
	}
	return errors.Join(res.Write(io.Stdout), silent(err))
}

// silent keeps the code of an error that has been written.
func silent(err error) error {
	if err == nil {
		return nil
	}
	return exit.Silent(exit.Of(err))
}

func (k *call) do(v verb) error {
	if v.needRsc && k.o.resource == "" && !(k.o.verb == "clear" && k.o.expired) {
		return exit.Errorf(exit.Usage, "crm_resource: Must supply a resource id with -r")
	}
	if v.offline {
		return v.run(k)
	}
	if err := k.load(); err != nil {
		return err
	}
	defer func() { _ = k.store.Close() }()
	if k.o.resource != "" {
		if k.r = k.find(k.o.resource); k.r == nil {
			return notFound("Resource '%s' not found", k.o.resource)
		}
	}
	if k.o.node != "" {
		if k.n = k.c.FindNode(k.o.node); k.n == nil {
			return notFound("Node '%s' not found", k.o.node)
		}
	}
	return v.run(k)
}

func notFound(format, what string) error {
	return exit.Errorf(exit.NoSuch, "crm_resource: "+format+"\nError performing operation: %s", what, exit.NoSuch)
}

// find finds a resource by id; the name of a clone's child finds the clone's
// first instance.
func (k *call) find(id string) *status.Resource {
	if r := k.c.FindResource(id, status.MatchExact); r != nil {
		return r
	}
	return k.c.FindResource(id, status.MatchAnonBasename)
}

// load reads the CIB and unpacks it.
func (k *call) load() error {
	if k.store == nil {
		store, err := cibsource.Open(k.io)
		if err != nil {
			return cibError(err)
		}
		k.store = store
	}
	var err error
	if k.root, err = cibsource.Read(k.ctx, k.store); err != nil {
		return cibError(err)
	}
	k.c, err = status.Unpack(k.root, status.Settings{Now: time.Now()})
	if err != nil {
		return exit.Errorf(exit.DataErr, "crm_resource: %w", err)
	}
	return nil
}

// cibError words an error of the CIB.
func cibError(err error) error {
	code := cibsource.Code(err)
	var refused *cib.Error
	switch {
	case errors.Is(err, ipc.ErrUnavailable):
		return &exit.ErrorCode{
			Code: code, Err: err,
			Msg: "crm_resource: Could not connect to the CIB: Transport endpoint is not connected\nError performing operation: " + code.String(),
		}
	case errors.As(err, &refused):
		return &exit.ErrorCode{Code: code, Err: err, Msg: "Error performing operation: " + refused.Msg}
	}
	return &exit.ErrorCode{Code: code, Err: err, Msg: "Error performing operation: " + err.Error()}
}

// view shows the cluster in the way of the lists of this tool.
func (k *call) view(opts statusview.Options) *statusview.View {
	return &statusview.View{Cluster: k.c, Options: opts}
}

// write carries out a change.
func (k *call) write(req cib.Request) error {
	req.Client = "crm_resource"
	if _, err := k.store.Do(k.ctx, req); err != nil {
		return cibError(err)
	}
	return nil
}

// duration reads an option that is a time.
func duration(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	ms, err := iso8601.ParseInterval(text)
	if err != nil {
		return 0, exit.Errorf(exit.Usage, "crm_resource: invalid value for %s: %s", name, text)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
