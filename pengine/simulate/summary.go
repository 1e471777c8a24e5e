// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
)

// Summary words what a decision changes, one line each.
func Summary(changes []sched.Change) []string {
	var out []string
	id, detail := 5, 5
	for _, c := range changes {
		if c.Node != "" {
			continue
		}
		if n := len(c.Resource); n > id {
			id = n + 2
		}
		detail = max(detail, len(details(c)))
	}
	for _, c := range changes {
		switch {
		case c.Node != "" && c.Reason != "":
			out = append(out, fmt.Sprintf("%s %s '%s'", c.Verb, c.Node, c.Reason))
		case c.Node != "":
		default:
			line := fmt.Sprintf("%-8s   %-*s   ( %*s )", c.Verb, id, c.Resource, detail, details(c))
			switch {
			case c.Reason != "" && c.Blocked:
				line += "  due to " + c.Reason + " (blocked)"
			case c.Reason != "":
				line += "  due to " + c.Reason
			case c.Blocked:
				line += "  blocked"
			}
			out = append(out, line)
		}
	}
	return out
}

// details words from where and which role to where and which.
func details(c sched.Change) string {
	roles := c.Role > status.RoleStarted || c.Next > status.RoleUnpromoted
	sameHost, sameRole := c.From == c.To, c.Role == c.Next
	switch {
	case roles && c.From == "":
		return c.Role.String() + " -> " + c.Next.String() + " " + c.To
	case c.From == "":
		return c.To
	case roles && c.To == "":
		return c.Role.String() + " " + c.From
	case c.To == "":
		return c.From
	case roles && sameRole && sameHost:
		return c.Role.String() + " " + c.From
	case sameRole && sameHost:
		return c.From
	case roles && sameRole:
		return c.From + " -> " + c.To + " " + c.Role.String()
	case sameRole:
		return c.From + " -> " + c.To
	case sameHost:
		return c.Role.String() + " -> " + c.Next.String() + " " + c.From
	}
	return c.Role.String() + " " + c.From + " -> " + c.Next.String() + " " + c.To
}

// Dot draws a decision in the language of Graphviz.
func Dot(nodes []sched.DotNode) string {
	var b strings.Builder
	b.WriteString(" digraph \"g\" {\n")
	for _, n := range nodes {
		if n.Style != "" {
			color := n.Color
			fmt.Fprintf(&b, "\"%s\" [ style=%s color=\"%s\" fontcolor=\"%s\"]\n", n.Name, n.Style, color, n.Font)
		}
	}
	for _, n := range nodes {
		for _, e := range n.After {
			fmt.Fprintf(&b, "\"%s\" -> \"%s\" [ style = %s]\n", e.From, n.Name, e.Style)
		}
	}
	b.WriteString("}\n")
	return b.String()
}
