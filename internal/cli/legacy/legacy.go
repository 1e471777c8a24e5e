// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package legacy

import (
	"context"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
)

// dir is where clients look for the daemons.
const dir = "lib/pacemaker"

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	tools := []cli.Tool{{Name: "pacemakerd", Short: "tell version and state under Pacemaker's name", Run: runPacemakerd}}
	for _, d := range daemons {
		tools = append(tools, cli.Tool{
			Name: d.name, Short: "tell version and options under Pacemaker's name", Dir: dir,
			Run: func(_ context.Context, io *cli.IO, args []string) int { return d.run(io, args) },
		})
	}
	return tools
}

// An option is one parameter of a daemon's metadata.
type option struct {
	name, kind, def, short string
	values                 []string // of kind select
}

// A program is a daemon of Pacemaker's with the options it documents.
type program struct {
	name, short string
	options     []option
}

// build stands for the changeset in version texts.
const build = "quorate-" + cli.Release

func (p program) run(io *cli.IO, args []string) int {
	if len(args) == 0 {
		io.Errorf("%s: the daemons of this stack are units of their own (systemctl status quorate.target); "+
			"this name answers version and metadata\n", p.name)
		return int(exit.Usage)
	}
	switch strings.TrimLeft(args[0], "-") {
	case "version", "$":
		io.Printf("CRM Version: %s (%s)\n", cli.PacemakerVersion, build)
		return 0
	case "metadata", "meta-data":
		io.Printf("<?xml version=\"1.0\"?>\n%s", document.Format(p.metadata()))
		return 0
	}
	io.Errorf("%s: unknown argument %q; it answers version and metadata\n", p.name, args[0])
	return int(exit.Usage)
}

func (p program) metadata() *etree.Element {
	root := document.New("resource-agent", "name", p.name, "version", cli.PacemakerVersion)
	document.Add(root, "version").SetText("1.1")
	document.Add(root, "longdesc", "lang", "en").SetText(p.short)
	document.Add(root, "shortdesc", "lang", "en").SetText(p.short)
	list := document.Add(root, "parameters")
	for _, o := range p.options {
		e := document.Add(list, "parameter", "name", o.name)
		long := o.short
		if len(o.values) > 0 {
			long += "  Allowed values: " + strings.Join(o.values, ", ")
		}
		document.Add(e, "longdesc", "lang", "en").SetText(long)
		document.Add(e, "shortdesc", "lang", "en").SetText(o.short)
		content := document.Add(e, "content", "type", o.kind)
		if o.def != "" {
			document.Set(content, "default", o.def)
		}
		for _, v := range o.values {
			document.Add(content, "option", "value", v)
		}
	}
	return root
}

// runPacemakerd answers what agents and clients ask pacemakerd.
func runPacemakerd(ctx context.Context, io *cli.IO, args []string) int {
	if len(args) == 0 {
		io.Errorf("pacemakerd: start the stack with systemctl start quorate.target, or quorate run\n")
		return int(exit.Usage)
	}
	switch args[0] {
	case "-$", "--version":
		cli.PrintVersion(io)
		return 0
	case "-F", "--features":
		io.Printf("Pacemaker %s (Build: %s)\n Supporting v%s: corosync-ge-2 systemd\n", cli.PacemakerVersion, build, cli.FeatureSet)
		return 0
	case "-?", "--help":
		io.Printf("Usage:\n  pacemakerd --version|--features|--shutdown\n")
		return 0
	case "-S", "--shutdown":
		return shutdown(ctx, io)
	}
	io.Errorf("pacemakerd: Unknown option %s\n", args[0])
	return int(exit.Usage)
}

// shutdown drains this node.
func shutdown(ctx context.Context, io *cli.IO) int {
	c, err := cibsource.Controller(io)
	if err == nil {
		defer func() { _ = c.Close() }()
		err = c.RequestShutdown(ctx)
	}
	if err != nil {
		io.Errorf("pacemakerd: %v\n", err)
	}
	return int(cibsource.Code(err))
}
