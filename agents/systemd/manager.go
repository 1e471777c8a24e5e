// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package systemd

import (
	"context"
	"fmt"
	"sync"

	sd "github.com/coreos/go-systemd/v22/dbus"
)

// A unit is what is asked of a unit's properties.
type unit struct {
	load        string // loaded, not-found, masked, bad-setting, error
	active      string // active, reloading, inactive, failed, activating, deactivating
	sub         string
	description string
	dropIns     []string
	stale       bool // files changed on disk since they were read
}

// A manager is systemd as this package needs it.
type manager interface {
	unit(ctx context.Context, name string) (unit, error)
	// job starts, stops or restarts a unit and returns the job's result when it
	// has ended: done, failed, canceled, timeout, dependency, skipped.
	job(ctx context.Context, verb, name string) (string, error)
	// busy tells whether a unit has a job that has not ended.
	busy(ctx context.Context, name string) (bool, error)
	reload(ctx context.Context) error
	files(ctx context.Context) ([]string, error)
}

// bus is the manager behind systemd's D-Bus interface. The connection is made
// when it is first needed and again when it broke.
type bus struct {
	mu   sync.Mutex
	conn *sd.Conn // guarded by mu
}

func (b *bus) get(ctx context.Context) (*sd.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil && b.conn.Connected() {
		return b.conn, nil
	}
	if b.conn != nil {
		b.conn.Close()
		b.conn = nil
	}
	// The connection outlives the request that made it.
	ctx = context.WithoutCancel(ctx)
	conn, err := sd.NewSystemdConnectionContext(ctx)
	if err != nil {
		if conn, err = sd.NewSystemConnectionContext(ctx); err != nil {
			return nil, fmt.Errorf("systemd: no connection: %w", err)
		}
	}
	if err := conn.Subscribe(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("systemd: subscribe: %w", err)
	}
	b.conn = conn
	return conn, nil
}

func (b *bus) unit(ctx context.Context, name string) (unit, error) {
	conn, err := b.get(ctx)
	if err != nil {
		return unit{}, err
	}
	p, err := conn.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return unit{}, fmt.Errorf("systemd: properties of %s: %w", name, err)
	}
	var u unit
	u.load, _ = p["LoadState"].(string)
	u.active, _ = p["ActiveState"].(string)
	u.sub, _ = p["SubState"].(string)
	u.description, _ = p["Description"].(string)
	u.dropIns, _ = p["DropInPaths"].([]string)
	u.stale, _ = p["NeedDaemonReload"].(bool)
	return u, nil
}

func (b *bus) job(ctx context.Context, verb, name string) (string, error) {
	conn, err := b.get(ctx)
	if err != nil {
		return "", err
	}
	done := make(chan string, 1)
	switch verb {
	case "start":
		_, err = conn.StartUnitContext(ctx, name, "replace", done)
	case "stop":
		_, err = conn.StopUnitContext(ctx, name, "replace", done)
	case "restart":
		_, err = conn.RestartUnitContext(ctx, name, "replace", done)
	case "reload":
		_, err = conn.ReloadUnitContext(ctx, name, "replace", done)
	default:
		return "", fmt.Errorf("systemd: no verb %q", verb)
	}
	if err != nil {
		return "", fmt.Errorf("systemd: %s %s: %w", verb, name, err)
	}
	select {
	case result := <-done:
		return result, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (b *bus) busy(ctx context.Context, name string) (bool, error) {
	conn, err := b.get(ctx)
	if err != nil {
		return false, err
	}
	p, err := conn.GetUnitPropertyContext(ctx, name, "Job")
	if err != nil {
		return false, fmt.Errorf("systemd: job of %s: %w", name, err)
	}
	// A pair of number and object path; 0 is no job.
	if job, ok := p.Value.Value().([]any); ok && len(job) > 0 {
		return job[0] != uint32(0), nil
	}
	return false, nil
}

func (b *bus) reload(ctx context.Context) error {
	conn, err := b.get(ctx)
	if err != nil {
		return err
	}
	if err := conn.ReloadContext(ctx); err != nil {
		return fmt.Errorf("systemd: reload: %w", err)
	}
	return nil
}

func (b *bus) files(ctx context.Context) ([]string, error) {
	conn, err := b.get(ctx)
	if err != nil {
		return nil, err
	}
	list, err := conn.ListUnitFilesContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("systemd: list unit files: %w", err)
	}
	paths := make([]string, len(list))
	for i, f := range list {
		paths[i] = f.Path
	}
	return paths, nil
}
