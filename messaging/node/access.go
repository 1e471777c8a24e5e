// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/conf"
)

// Where the map has the users and groups that may use the daemon: those of the
// files, and those that an administrator lets in until the daemon ends.
const (
	accessPrefix = "uidgid."
	accessConfig = accessPrefix + "config."
)

// accessKeys are the keys of those whom the files let in.
func accessKeys(c *conf.Config) ([]messaging.CmapEntry, error) {
	var out []messaging.CmapEntry
	for _, p := range c.Access {
		id, kind, err := p.Name, "uid", error(nil)
		if p.Group {
			kind = "gid"
		}
		if _, bad := strconv.ParseUint(p.Name, 10, 32); bad != nil {
			if id, err = lookup(p); err != nil {
				return nil, &conf.SyntaxError{File: p.File, Line: p.Line, Text: fmt.Sprintf("%s: %s is not known on this machine", kind, p.Name)}
			}
		}
		out = append(out, cmap.Uint(accessConfig+kind+"."+id, 8, 1))
	}
	return out, nil
}

func lookup(p conf.Principal) (id string, err error) {
	if p.Group {
		g, err := user.LookupGroup(p.Name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	}
	u, err := user.Lookup(p.Name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

// Allowed tells who may use the daemon by the keys of the map: it is corosync's
// rule, but that any group of the caller counts.
func Allowed(m *cmap.Map) func(ipc.Cred) bool {
	has := func(kind string, id uint32) bool {
		for _, prefix := range []string{accessConfig, accessPrefix} {
			e, ok := m.Get(prefix + kind + "." + strconv.FormatUint(uint64(id), 10))
			if ok && e.Value == "1" {
				return true
			}
		}
		return false
	}
	return func(c ipc.Cred) bool {
		return has("uid", c.UID) || has("gid", c.GID) || slices.ContainsFunc(c.Groups, func(g uint32) bool { return has("gid", g) })
	}
}

// Modes of the socket and of its folder while the map lets others in: who they
// are is found out when they call.
const (
	openSocket   = 0o666
	closedSocket = 0o660
	passFolder   = 0o001
)

// KeepSocket lets everybody reach the daemon's socket while the map has users or
// groups that may use it, until ctx ends.
func KeepSocket(ctx context.Context, m *cmap.Map, path string) error {
	w, err := m.Watch(accessPrefix)
	if err != nil {
		return fmt.Errorf("node: watch who may use the daemon: %w", err)
	}
	defer func() { _ = w.Close() }()
	open := false
	for {
		if _, err := w.Next(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("node: watch who may use the daemon: %w", err)
		}
		if now := len(m.Prefix(accessPrefix)) > 0; now != open {
			if err := reach(path, now); err != nil {
				return err
			}
			open = now
		}
	}
}

// reach opens the way to the socket, or closes the socket again. The folder has
// other sockets, which have modes of their own, so that it may stay passable.
func reach(path string, all bool) error {
	mode := os.FileMode(closedSocket)
	if all {
		mode = openSocket
		dir := filepath.Dir(path)
		st, err := os.Stat(dir)
		if err == nil && st.Mode().Perm()&passFolder == 0 {
			err = os.Chmod(dir, st.Mode().Perm()|passFolder)
		}
		if err != nil {
			return fmt.Errorf("node: let others reach the socket: %w", err)
		}
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("node: let others reach the socket: %w", err)
	}
	return nil
}
