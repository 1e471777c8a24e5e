// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qdevice

import "time"

// A Status describes a client for the status tool.
type Status struct {
	State      string // Connected, Connecting, Disconnected
	Vote       string // ACK, NACK, or "" where nothing was decided
	TLS        bool   // the connection is secured
	Since      time.Duration
	Reply      time.Duration // to the last heartbeat, 0 for none
	Latest     string        // results of heuristics
	Regular    string
	Membership string
}

// Status describes the client as it is now.
func (c *Core) Status() Status {
	s := Status{State: "Connecting", Reply: c.reply, Since: c.since, TLS: c.secured && c.phase == connected}
	switch c.phase {
	case connected:
		s.State = "Connected"
	case idle:
		s.State = "Disconnected"
	}
	if c.decided {
		s.Vote = "NACK"
		if c.cast {
			s.Vote = "ACK"
		}
	}
	r := c.result
	s.Latest, s.Regular, s.Membership = r.latest.String(), r.regular.String(), r.membership.String()
	return s
}
