// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmresource

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/localagents"
)

// answer prints names, one on a line, or as a list of XML.
func (k *call) answer(list, item string, names []string) {
	if k.o.as != "xml" {
		for _, n := range names {
			k.io.Printf("%s\n", n)
		}
		return
	}
	e := document.New(list)
	for _, n := range names {
		document.Add(e, item).SetText(n)
	}
	k.body = []*etree.Element{e}
}

// listStandards lists the standards of agents.
func (k *call) listStandards() error {
	k.answer("standards", "standard", localagents.Open(k.io).Standards(k.ctx))
	return nil
}

// listProviders lists the OCF providers, of one agent or of all.
func (k *call) listProviders() error {
	names, err := localagents.Open(k.io).OCF.Providers(k.ctx, k.o.arg)
	if err != nil {
		return exit.Errorf(exit.Error, "crm_resource: %w", err)
	}
	if len(names) == 0 && k.o.arg != "" {
		return exit.Errorf(exit.Error, "No OCF providers found for %s", k.o.arg)
	}
	k.answer("providers", "provider", names)
	return nil
}

// listAgents lists the agents of class or class:provider.
func (k *call) listAgents() error {
	class, provider, _ := strings.Cut(k.o.arg, ":")
	local := localagents.Open(k.io)
	c, err := local.Class(class)
	if err != nil {
		return noAgents(class, provider)
	}
	var names []string
	if class == "ocf" && provider == "" {
		providers, err := local.OCF.Providers(k.ctx, "")
		if err != nil {
			return exit.Errorf(exit.Error, "crm_resource: %w", err)
		}
		for _, p := range providers {
			list, err := local.OCF.List(k.ctx, p)
			if err != nil {
				return exit.Errorf(exit.Error, "crm_resource: %w", err)
			}
			names = append(names, list...)
		}
	} else if names, err = c.List(k.ctx, provider); err != nil {
		return exit.Errorf(exit.Error, "crm_resource: %w", err)
	}
	if len(names) == 0 {
		return noAgents(class, provider)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	k.answer("agents", "agent", slices.Compact(names))
	return nil
}

func noAgents(class, provider string) error {
	what := "'" + class + "'"
	if provider != "" {
		what += " and provider '" + provider + "'"
	}
	return exit.Errorf(exit.Error, "crm_resource: No agents found for standard %s\nError performing operation: %s", what, exit.Error)
}

// showMetadata shows what an agent says of itself.
func (k *call) showMetadata() error {
	class, provider, typ, ok := splitSpec(k.o.arg)
	if !ok {
		return exit.Errorf(exit.NoSuch, "crm_resource: '%s' is not a valid agent specification\nError performing operation: %s", k.o.arg, exit.NoSuch)
	}
	c, err := localagents.Open(k.io).Class(class)
	if err == nil {
		var text string
		if text, err = c.Metadata(k.ctx, provider, typ); err == nil {
			k.io.Printf("%s\n", strings.TrimRight(text, "\n"))
			return nil
		}
	}
	return &exit.ErrorCode{Code: exit.NoSuch, Err: err, Msg: fmt.Sprintf(
		"crm_resource: Metadata query for %s failed: No such device or address\nError performing operation: %s", k.o.arg, exit.NoSuch)}
}

// splitSpec cuts class:provider:type and class:type apart.
func splitSpec(spec string) (class, provider, typ string, ok bool) {
	words := strings.Split(spec, ":")
	switch {
	case len(words) == 3:
		return words[0], words[1], words[2], true
	case len(words) == 2 && words[0] == "ocf":
		return "ocf", "heartbeat", words[1], true
	case len(words) == 2:
		return words[0], "", words[1], true
	}
	return "", "", "", false
}
