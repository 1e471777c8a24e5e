// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package transport

import (
	"errors"
	"slices"
)

var _ Rewirer = (*UDP)(nil)

// Stage opens those of the links that are not open yet.
func (u *UDP) Stage(links []LinkConfig) error {
	stale := func(s *socket) bool { return !u.inUse(s) && !slices.Contains(links, s.cfg) }
	errs := []error{u.closeSockets(stale)}
	var opened []*socket
	for _, l := range links {
		if slices.ContainsFunc(u.socks, func(s *socket) bool { return s.cfg == l }) {
			continue
		}
		ss, err := u.openLink(l)
		if err != nil {
			for _, s := range opened {
				err = errors.Join(err, s.close())
			}
			return err
		}
		opened = append(opened, ss...)
	}
	for _, s := range opened {
		u.socks = append(u.socks, s)
		u.wg.Add(1)
		go u.receive(s)
		if s.rejoin != nil {
			u.wg.Add(1)
			go u.keepJoined(s)
		}
	}
	return errors.Join(errs...)
}

// inUse tells whether the socket's link is one that is sent on.
func (u *UDP) inUse(s *socket) bool {
	used := u.byLink[s.cfg.Link]
	return used != nil && used.cfg == s.cfg
}

// Switch sends on these links from now on.
func (u *UDP) Switch(links []LinkConfig) {
	clear(u.byLink)
	for _, l := range links {
		// The first socket of a link is the one to send on.
		if i := slices.IndexFunc(u.socks, func(s *socket) bool { return s.cfg == l }); i >= 0 {
			u.byLink[l.Link] = u.socks[i]
		}
	}
}

// Retire closes all sockets that are not in use.
func (u *UDP) Retire() error {
	return u.closeSockets(func(s *socket) bool { return !u.inUse(s) })
}

func (u *UDP) closeSockets(which func(*socket) bool) error {
	var errs []error
	u.socks = slices.DeleteFunc(u.socks, func(s *socket) bool {
		if !which(s) {
			return false
		}
		errs = append(errs, s.close())
		return true
	})
	return errors.Join(errs...)
}
