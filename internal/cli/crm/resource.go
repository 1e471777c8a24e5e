// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crm

import (
	"context"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/crmresource"
	"github.com/quorate/quorate/internal/cli/exit"
)

// resourceArgs gives the arguments of crm_resource for a command on a resource;
// nil where there is no such command.
func resourceArgs(verb, rsc, node string) []string {
	onNode := func(args ...string) []string {
		if node != "" {
			args = append(args, "-N", node)
		}
		return args
	}
	meta := func(name, value string) []string {
		return []string{"-Q", "-r", rsc, "--meta", "-p", name, "-v", value}
	}
	switch verb {
	case "start":
		return meta("target-role", "Started")
	case "stop":
		return meta("target-role", "Stopped")
	case "manage":
		return meta("is-managed", "true")
	case "unmanage":
		return meta("is-managed", "false")
	case "restart":
		return []string{"-r", rsc, "--restart"}
	case "status", "locate":
		return []string{"-r", rsc, "--locate"}
	case "show":
		return []string{"-r", rsc, "--query-xml"}
	case "move", "migrate":
		return onNode("-Q", "-r", rsc, "--move")
	case "ban":
		return onNode("-r", rsc, "--ban")
	case "clear", "unmigrate", "unmove", "unban":
		return onNode("-Q", "-r", rsc, "--clear")
	case "cleanup":
		return onNode("-r", rsc, "--cleanup")
	case "refresh", "reprobe":
		return onNode("-r", rsc, "--refresh")
	}
	return nil
}

// resource carries out crm resource.
func resource(ctx context.Context, io *cli.IO, words []string) int {
	run := func(args ...string) int { return crmresource.Run(ctx, as(io, "crm_resource"), args) }
	switch {
	case len(words) == 0:
		io.Errorf("%s", usage)
		return int(exit.Usage)
	case len(words) == 1 && (words[0] == "status" || words[0] == "list" || words[0] == "show"):
		return run("--list")
	case len(words) == 1 && (words[0] == "cleanup" || words[0] == "refresh"):
		return run("--" + words[0])
	case len(words) == 1:
		return report(io, exit.Errorf(exit.Usage, "resource.%s: name a resource", words[0]))
	}
	node := ""
	if len(words) > 2 {
		node = words[2]
	}
	verb, rsc := words[0], words[1]
	args := resourceArgs(verb, rsc, node)
	if args == nil {
		return report(io, exit.Errorf(exit.Usage, "resource.%s: unknown command", verb))
	}
	if code := run(args...); code != 0 {
		return int(exit.Error)
	}
	switch verb {
	case "move", "migrate":
		where := "away from its node"
		if node != "" {
			where = "to " + node
		}
		io.Printf("INFO: Move constraint created for %s %s\nINFO: Use `crm resource clear %s` to remove this constraint\n", rsc, where, rsc)
	case "clear", "unmigrate", "unmove", "unban":
		io.Printf("INFO: Removed migration constraints for %s\n", rsc)
	}
	return 0
}
