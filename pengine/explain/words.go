// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// outcome words what becomes of the subject.
func (x *search) outcome(f Fate, node string) string {
	name := x.subject.name
	if x.subject.anonymous && node != "" {
		a := on(x.fates, node)
		now := false
		for _, o := range x.fates {
			now = now || o.Now == node
		}
		if !a.active && !now {
			return name + " has no instance on " + node + ", and none is started there"
		}
	} else if node != "" && f.Now != node && f.Next != node {
		return name + " is not on " + node + "; it " + f.words()
	}
	return name + " " + f.words()
}

// words says what becomes of an instance.
func (f Fate) words() string {
	role := func(r status.Role) string {
		if r > status.RoleStarted {
			return " (" + r.String() + ")"
		}
		return ""
	}
	why := ""
	if f.Reason != "" {
		why = ": " + f.Reason
	}
	blocked := ""
	if f.Blocked {
		blocked = ", but that is blocked"
	}
	switch f.Verb {
	case "":
		if f.Now == "" {
			return "is not running and is not started"
		}
		return "runs on " + f.Now + role(f.NowRole) + " and stays there"
	case "Start":
		if f.Blocked {
			return "is to start, but cannot" + why
		}
		return "starts on " + f.Next + role(f.NextRole) + why
	case "Stop":
		return "stops on " + f.Now + blocked + why
	case "Move", "Migrate":
		if f.Blocked {
			return "is to leave " + f.Now + blocked + why
		}
		return strings.ToLower(f.Verb) + "s from " + f.Now + " to " + f.Next + role(f.NextRole) + why
	case "Recover":
		if f.Next != f.Now {
			return "failed on " + f.Now + " and is recovered on " + f.Next + role(f.NextRole) + why
		}
		return "failed on " + f.Now + " and is recovered there" + blocked + why
	case "Promote":
		return "is promoted on " + f.Now + blocked + why
	case "Demote":
		return "is demoted on " + f.Now + blocked + why
	case "Re-promote":
		return "is demoted and promoted again on " + f.Now + blocked + why
	}
	return "is to " + strings.ToLower(f.Verb) + " on " + f.Now + blocked + why
}

// Text gives the answer in words, a line for each cause and change.
func (a *Answer) Text() string {
	var b strings.Builder
	b.WriteString(a.Outcome + "\n")
	if len(a.Causes) > 0 {
		b.WriteString("Why:\n")
	}
	for _, c := range a.Causes {
		b.WriteString("  * " + c.Text + "\n")
	}
	if len(a.Changes) == 0 {
		b.WriteString("No single change was found that would alter that.\n")
		return b.String()
	}
	if !a.Changes[0].Single() {
		b.WriteString("No single change was found that would alter that; together, these would:\n")
	} else {
		b.WriteString("What would change that:\n")
	}
	for _, c := range a.Changes {
		for i, e := range c.Edits {
			line := "  * " + e.String()
			if i < len(c.Edits)-1 {
				line += ", and"
			} else {
				line += ": " + c.Effect.String()
			}
			b.WriteString(line + "\n")
			if cmd := e.Command(); cmd != "" {
				b.WriteString("      " + cmd + "\n")
			}
		}
	}
	return b.String()
}
