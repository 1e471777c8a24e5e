// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package service

import (
	"context"
	"slices"

	"github.com/quorate/quorate/agents"
)

// A Manager is a class that the service class stands for.
type Manager interface {
	Run(ctx context.Context, req agents.Request) agents.Result
	Metadata(ctx context.Context, provider, name string) (string, error)
	List(ctx context.Context, provider string) ([]string, error)
}

// Scripts is the class of init scripts.
type Scripts interface {
	Manager
	// Has tells whether there is a script of that name.
	Has(name string) bool
}

// A Class runs services. It is safe for concurrent use.
type Class struct {
	lsb     Scripts
	systemd Manager
}

// New returns the class over the two that it stands for.
func New(lsb Scripts, systemd Manager) *Class { return &Class{lsb: lsb, systemd: systemd} }

func (c *Class) pick(name string) Manager {
	if c.lsb.Has(name) {
		return c.lsb
	}
	return c.systemd
}

// Run runs an action of a service.
func (c *Class) Run(ctx context.Context, req agents.Request) agents.Result {
	return c.pick(req.Type).Run(ctx, req)
}

// Metadata returns the metadata of a service.
func (c *Class) Metadata(ctx context.Context, provider, name string) (string, error) {
	return c.pick(name).Metadata(ctx, provider, name)
}

// List returns the init scripts, then the units.
func (c *Class) List(ctx context.Context, _ string) ([]string, error) {
	names, err := c.lsb.List(ctx, "")
	if err != nil {
		return nil, err
	}
	units, err := c.systemd.List(ctx, "")
	if err != nil {
		return names, nil //nolint:nilerr // without systemd there are the scripts
	}
	for _, u := range units {
		if !slices.Contains(names, u) {
			names = append(names, u)
		}
	}
	return names, nil
}
