// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtool

import (
	"bytes"
	"context"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
)

// nodeFlags are the options of the small tools about one node.
type nodeFlags struct {
	query, remove, quiet               bool
	update, node, lifetime, id         string
	resource, operation, interval, old string
	verbose                            int
}

func (f *nodeFlags) command(use, short string) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	fs := cmd.Flags()
	fs.BoolVarP(&f.query, "query", "G", false, "Query the current value")
	fs.BoolVarP(&f.remove, "delete", "D", false, "Delete the value")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "Print only the value (if querying)")
	fs.StringVarP(&f.node, "node", "N", "", "Operate on the named node instead of the current one")
	fs.StringVarP(&f.old, "node-uname", "U", "", "")
	_ = fs.MarkHidden("node-uname")
	fs.CountVarP(&f.verbose, "verbose", "V", "Increase debug output")
	return cmd
}

func crmStandby(ctx context.Context, io *cli.IO, args []string) int {
	var f nodeFlags
	cmd := f.command("crm_standby", "query, enable, or disable standby mode for a node")
	fs := cmd.Flags()
	fs.StringVarP(&f.update, "update", "v", "", "Update the value of standby mode (on/off)")
	fs.StringVarP(&f.lifetime, "lifetime", "l", "", "Until when the setting takes effect: reboot, forever")
	fs.StringVarP(&f.id, "id", "i", "", "(Advanced) XML ID used to identify the standby attribute")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		base := []string{"--name", "standby", "--node", f.target(cmd.Context(), io)}
		if f.id != "" {
			base = append(base, "--id", f.id)
		}
		return f.standby(cmd.Context(), io, base, fs.Changed("update"))
	}
	return cli.Execute(ctx, io, cmd, args)
}

func (f *nodeFlags) standby(ctx context.Context, io *cli.IO, base []string, update bool) error {
	run := func(sys *cli.IO, more ...string) error {
		args := append(append([]string{}, base...), more...)
		if code := crmAttribute(ctx, sys, args); code != 0 {
			return exit.Errorf(exit.Code(code), "")
		}
		return nil
	}
	lifetime := f.lifetime
	if lifetime == "" {
		lifetime = "forever"
	}
	switch {
	case update:
		return run(io, "--update", f.update, "--lifetime", lifetime)
	case f.remove:
		return run(io, "--delete", "--lifetime", lifetime)
	}
	quiet := []string{"--query"}
	if f.quiet {
		quiet = append(quiet, "--quiet")
	}
	if f.lifetime != "" {
		return run(io, append(quiet, "--lifetime", f.lifetime, "--default", "off")...)
	}
	// What is set for good counts before what is set till the next start.
	mute := *io
	mute.Stderr = &bytes.Buffer{}
	if err := run(&mute, append(quiet, "--lifetime", "forever")...); exit.Of(err) != exit.NoSuch {
		return err
	}
	return run(io, append(quiet, "--lifetime", "reboot", "--default", "off")...)
}

func (f *nodeFlags) target(ctx context.Context, io *cli.IO) string {
	switch {
	case f.node != "":
		return f.node
	case f.old != "":
		return f.old
	}
	return localNode(ctx, io)
}

func crmMaster(ctx context.Context, io *cli.IO, args []string) int {
	var f nodeFlags
	cmd := f.command("crm_master", "query, update, or delete a resource's promotion score (deprecated: crm_attribute --promotion)")
	fs := cmd.Flags()
	fs.StringVarP(&f.update, "update", "v", "", "Update the value of the promotion score")
	fs.StringVarP(&f.lifetime, "lifetime", "l", "", "Until when the setting takes effect: reboot, forever")
	fs.StringVarP(&f.id, "id", "i", "", "(Advanced) XML ID used to identify the attribute")
	fs.StringVarP(&f.resource, "resource", "r", "", "Resource whose promotion score is meant, else $OCF_RESOURCE_INSTANCE")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		rsc := f.resource
		if rsc == "" {
			rsc = io.Env("OCF_RESOURCE_INSTANCE")
		}
		if rsc == "" {
			return exit.Errorf(exit.Usage, "This program should normally only be invoked from inside an OCF resource agent.\n"+
				"To do so here, use --resource or set OCF_RESOURCE_INSTANCE.")
		}
		more := []string{"--promotion=" + rsc, "--node", f.target(cmd.Context(), io)}
		if f.lifetime != "" {
			more = append(more, "--lifetime", f.lifetime)
		}
		switch {
		case fs.Changed("update"):
			more = append(more, "--update", f.update)
		case f.remove:
			more = append(more, "--delete")
		default:
			more = append(more, "--query")
			if f.quiet {
				more = append(more, "--quiet")
			}
		}
		if code := crmAttribute(cmd.Context(), io, more); code != 0 {
			return exit.Errorf(exit.Code(code), "")
		}
		return nil
	}
	return cli.Execute(ctx, io, cmd, args)
}

func crmFailcount(ctx context.Context, io *cli.IO, args []string) int {
	var f nodeFlags
	cmd := f.command("crm_failcount", "query or delete resource fail counts")
	fs := cmd.Flags()
	fs.StringVarP(&f.resource, "resource", "r", "", "Name of the resource to use (required)")
	fs.StringVarP(&f.operation, "operation", "n", "", "Name of operation to use (instead of all operations)")
	fs.StringVarP(&f.interval, "interval", "I", "", "If operation is specified, its interval")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if f.resource == "" {
			return exit.Errorf(exit.Usage, "error: resource name required")
		}
		if f.remove {
			return f.forget(cmd.Context(), io)
		}
		return f.count(cmd.Context(), io)
	}
	return cli.Execute(ctx, io, cmd, args)
}

// fits tells whether a fail count is one of the resource's that are asked for.
func (f *nodeFlags) fits(name string) bool {
	rest, ok := strings.CutPrefix(name, "fail-count-"+f.resource)
	if !ok || (rest != "" && rest[0] != '#') {
		return false
	}
	if f.operation == "" {
		return true
	}
	op, interval, _ := strings.Cut(strings.TrimPrefix(rest, "#"), "_")
	return op == f.operation && (f.interval == "" || milliseconds(f.interval) == interval)
}

// milliseconds gives an interval as it stands in the name of a fail count.
func milliseconds(s string) string {
	switch {
	case strings.HasSuffix(s, "ms"):
		return strings.TrimSuffix(s, "ms")
	case strings.HasSuffix(s, "s"):
		s = strings.TrimSuffix(s, "s")
	}
	if s == "0" {
		return s
	}
	return s + "000"
}

func (f *nodeFlags) count(ctx context.Context, io *cli.IO) error {
	store, err := cibsource.Open(io)
	if err != nil {
		return failed("crm_failcount", err)
	}
	defer func() { _ = store.Close() }()
	root, err := cibsource.Read(ctx, store)
	if err != nil {
		return failed("crm_failcount", err)
	}
	node := f.target(ctx, io)
	id := attrs.NodeID(root, node)
	if id == "" {
		return exit.Errorf(exit.NoSuch, "crm_failcount: Could not map name=%s to a UUID", node)
	}
	total := 0
	for _, nv := range attrs.Find(root, attrs.Place{Scope: attrs.ScopeStatus, NodeID: id}) {
		if n, err := operation.Number(document.Get(nv, "value")); err == nil && f.fits(document.Get(nv, "name")) {
			total = operation.Sum(total, n)
		}
	}
	if f.quiet {
		io.Printf("%s\n", operation.ScoreText(total))
		return nil
	}
	io.Printf("scope=status  name=fail-count-%s value=%s\n", f.resource, operation.ScoreText(total))
	return nil
}

func (f *nodeFlags) forget(ctx context.Context, io *cli.IO) error {
	node := f.target(ctx, io)
	if cibsource.File(io) != "" {
		store, err := cibsource.Open(io)
		if err != nil {
			return failed("crm_failcount", err)
		}
		defer func() { _ = store.Close() }()
		pattern := "^(fail-count|last-failure)-" + regexp.QuoteMeta(f.resource) + "(#.*)?$"
		if err := store.SetAttr(ctx, cib.AttrUpdate{Node: node, Name: pattern, Pattern: true, Delete: true}); err != nil {
			return failed("crm_failcount", err)
		}
		io.Printf("Cleaned up %s on %s\n", f.resource, node)
		return nil
	}
	ctl, err := cibsource.Controller(io)
	if err != nil {
		return exit.Errorf(exit.Disconnect, "error: Could not connect to controller: Connection refused")
	}
	defer func() { _ = ctl.Close() }()
	req := crmd.CleanupRequest{Resource: f.resource, Node: node, Operation: f.operation, FailuresOnly: true}
	if err := ctl.Cleanup(ctx, req); err != nil {
		if cibsource.Code(err) == exit.Disconnect {
			return exit.Errorf(exit.Disconnect, "error: Could not connect to controller: Connection refused")
		}
		return failed("crm_failcount", err)
	}
	io.Printf("Cleaned up %s on %s\n", f.resource, node)
	return nil
}
