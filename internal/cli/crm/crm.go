// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crm

import (
	"context"
	"slices"
	"strings"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/crmmon"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/stonith"
	"github.com/quorate/quorate/pengine/status"
)

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{{Name: "crm", Short: "status, node and resource commands of the crm shell", Run: Run}}
}

const usage = `Usage:
  crm status [full|bynode|inactive|ops|timing|failcounts|verbose|brief|simple|xml|noheaders|quiet|tickets|detail]…
  crm node show|standby [NODE]|online [NODE]|maintenance [NODE]|ready [NODE]|fence NODE
  crm resource status [RSC]|start RSC|stop RSC|restart RSC|show RSC|locate RSC
  crm resource move RSC [NODE]|ban RSC [NODE]|clear RSC|cleanup [RSC [NODE]]|refresh [RSC [NODE]]
  crm resource manage RSC|unmanage RSC
`

// Run is crm.
func Run(ctx context.Context, io *cli.IO, args []string) int {
	if len(args) == 0 {
		io.Errorf("%s", usage)
		return int(exit.Usage)
	}
	switch args[0] {
	case "-h", "--help", "help":
		io.Printf("%s", usage)
		return 0
	case "--version":
		io.Printf("crm (Quorate) %s\n", cli.Release)
		return 0
	case "status", "st":
		return statusCommand(ctx, io, args[1:])
	case "node":
		return node(ctx, io, args[1:])
	case "resource":
		return resource(ctx, io, args[1:])
	}
	io.Errorf("ERROR: %s: unknown command; crm help lists those there are\n", args[0])
	return int(exit.Error)
}

// as gives the IO under which another tool runs on behalf of crm.
func as(io *cli.IO, tool string) *cli.IO {
	other := *io
	other.Tool = tool
	return &other
}

// statusFlags are the words of crm status and what crm_mon calls them.
var statusFlags = map[string][]string{
	"full": {"-r", "-n", "-o", "-t", "-f"}, "bynode": {"-n"}, "inactive": {"-r"}, "ops": {"-o"}, "timing": {"-t"},
	"failcounts": {"-f"}, "verbose": {"-V"}, "quiet": {"-Q"}, "simple": {"-s"}, "xml": {"--as-xml"}, "noheaders": {"-D"},
	"detail": {"-R"}, "brief": {"-b"}, "tickets": {"-c"}, "html": {"--output-as=html"},
}

func statusCommand(ctx context.Context, io *cli.IO, words []string) int {
	args := []string{"-1"}
	for _, w := range words {
		args = append(args, statusFlags[w]...) // other words are ignored, as they always were
	}
	if code := crmmon.Run(ctx, as(io, "crm_mon"), args); code != 0 {
		io.Errorf("ERROR: status: crm_mon (rc=%d)\n", code)
		return int(exit.Error)
	}
	io.Printf("\n")
	return 0
}

// report prints what went wrong in the shell's manner.
func report(io *cli.IO, err error) int {
	if err == nil {
		return 0
	}
	io.Errorf("ERROR: %s\n", err)
	return int(exit.Error)
}

// nodeAttrs are the commands that set an attribute of a node.
var nodeAttrs = map[string]struct{ name, value string }{
	"standby": {"standby", "on"}, "online": {"standby", "off"},
	"maintenance": {"maintenance", "on"}, "ready": {"maintenance", "off"},
}

func node(ctx context.Context, io *cli.IO, words []string) int {
	if len(words) == 0 {
		io.Errorf("%s", usage)
		return int(exit.Usage)
	}
	verb, operands := words[0], words[1:]
	switch verb {
	case "show", "list", "ls":
		return report(io, showNodes(ctx, io, operands))
	case "status":
		return statusCommand(ctx, io, []string{"bynode"})
	case "fence":
		if len(operands) == 0 {
			return report(io, exit.Errorf(exit.Usage, "node.fence: name a node"))
		}
		return stonith.Run(ctx, as(io, "stonith_admin"), []string{"--reboot", operands[0]})
	}
	attr, ok := nodeAttrs[verb]
	if !ok {
		return report(io, exit.Errorf(exit.Usage, "node.%s: unknown command", verb))
	}
	name, err := setNodeAttr(ctx, io, operands, attr.name, attr.value)
	if err == nil {
		io.Printf("INFO: %s node %s\n", verb, name)
	}
	return report(io, err)
}

// setNodeAttr sets an attribute of the node named, or of this one, and returns
// the node's name.
func setNodeAttr(ctx context.Context, io *cli.IO, operands []string, name, value string) (string, error) {
	store, err := cibsource.Open(io)
	if err != nil {
		return "", err
	}
	defer func() { _ = store.Close() }()
	up := cib.AttrUpdate{Name: name, Value: value, Permanent: true}
	operands = slices.DeleteFunc(slices.Clone(operands), func(w string) bool {
		if w == "reboot" || w == "forever" {
			up.Permanent = w == "forever"
			return true
		}
		return false
	})
	if up.Node, err = nodeName(ctx, io, operands); err != nil {
		return "", err
	}
	c, err := read(ctx, store)
	if err != nil {
		return "", err
	}
	if c.FindNode(up.Node) == nil {
		return "", exit.Errorf(exit.NoHost, "node %s is not known to the cluster", up.Node)
	}
	return up.Node, store.SetAttr(ctx, up)
}

// nodeName is the operand, or this node.
func nodeName(ctx context.Context, io *cli.IO, operands []string) (string, error) {
	if len(operands) > 0 {
		return operands[0], nil
	}
	c, err := cibsource.Controller(io)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	st, err := c.Status(ctx)
	return st.Node, err
}

func read(ctx context.Context, store cib.Store) (*status.Cluster, error) {
	root, err := cibsource.Read(ctx, store)
	if err != nil {
		return nil, err
	}
	return status.Unpack(root, status.Settings{LocationOnly: true})
}

func showNodes(ctx context.Context, io *cli.IO, only []string) error {
	store, err := cibsource.Open(io)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	c, err := read(ctx, store)
	if err != nil {
		return err
	}
	for _, n := range c.Nodes {
		if len(only) > 0 && !strings.EqualFold(only[0], n.Name) {
			continue
		}
		kind := "member"
		if n.Remote {
			kind = "remote"
		}
		io.Printf("%s(%s): %s\n", n.Name, n.ID, kind)
		for _, name := range []string{"standby", "maintenance"} {
			if v := n.Attrs[name]; v != "" {
				io.Printf("\t%s=%s\n", name, v)
			}
		}
	}
	return nil
}
