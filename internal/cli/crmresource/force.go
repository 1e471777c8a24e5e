// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmresource

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/localagents"
	"github.com/quorate/quorate/pengine/status"
)

// forceTimeout is how long an action past the cluster may take where the
// resource does not say.
const forceTimeout = 20 * time.Second

// forceAction runs one action of a resource's agent on this node, past the
// cluster.
func (k *call) forceAction() error {
	r := k.r
	for r.Variant != status.Primitive && len(r.Children) == 1 {
		r = r.Children[0]
	}
	if r.Variant == status.Clone && len(r.Children) > 0 {
		r = r.Children[0]
	}
	if r.Variant != status.Primitive {
		return exit.Errorf(exit.UnimplementFeature, "crm_resource: Cannot perform operation %s on a group or clone: name one of its primitives", k.o.verb)
	}
	action := strings.TrimPrefix(k.o.verb, "force-")
	if action == "check" {
		action = "monitor"
	}
	class := document.Get(r.XML, "class")
	c, err := localagents.Open(k.io).Class(class)
	if err != nil {
		return exit.Errorf(exit.NotInstalled, "crm_resource: %w", err)
	}
	timeout, err := duration("--timeout", k.o.timeout)
	if err != nil {
		return err
	}
	if timeout == 0 {
		timeout = forceTimeout
	}
	ctx, cancel := context.WithTimeout(k.ctx, timeout+time.Second)
	defer cancel()
	res := c.Run(ctx, agents.Request{
		Instance: r.ID, Provider: document.Get(r.XML, "provider"), Type: document.Get(r.XML, "type"),
		Action: action, Timeout: timeout, Params: maps.Clone(k.c.Params(r, nil)),
	})
	k.io.Printf("Operation %s for %s (%s) returned %d (%s)\n", k.o.verb, r.ID, r.Agent(), int(res.Exit), res.Exit)
	if res.Reason != "" {
		k.io.Printf("exit reason: %s\n", res.Reason)
	}
	if res.Exit == agents.OK {
		return nil
	}
	code := exit.Code(res.Exit)
	return exit.Errorf(code, "crm_resource: Error performing operation: %s", code)
}
