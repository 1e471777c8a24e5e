// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status_test

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/internal/terse"
	"github.com/quorate/quorate/pengine/status"
)

// moment is the time of all states: 2027-01-15 08:00:00 UTC.
var moment = time.Unix(1_800_000_000, 0).UTC()

// TestScripts unpacks the terse CIBs in testdata and prints what the arguments
// name: nodes, resources, meta and params and scores and failcount of a resource
// (or resource@node), intents, failed, errors, warnings, options, tags, tickets,
// recheck, xml of a resource. The command each unpacks once for each line that
// begins with a question mark, with that line in addition, and prints one line.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var base, each []string
			for line := range strings.Lines(d.Input) {
				if more, ok := strings.CutPrefix(line, "? "); ok {
					each = append(each, strings.TrimSuffix(more, "\n"))
				} else {
					base = append(base, line)
				}
			}
			unpack := func(more string) *status.Cluster {
				root, err := terse.CIB(strings.Join(base, "") + "\n" + more)
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				before := string(document.Format(root))
				c, err := status.Unpack(root, status.Settings{Now: moment})
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				if after := string(document.Format(root)); after != before {
					d.Fatalf(t, "the document was changed:\n%s", after)
				}
				return c
			}
			var b strings.Builder
			switch d.Cmd {
			case "each":
				for _, line := range each {
					c := unpack(strings.ReplaceAll(line, " && ", "\n"))
					var part strings.Builder
					show(t, d, &part, c)
					fmt.Fprintf(&b, "%s\n    %s\n", line, strings.ReplaceAll(strings.TrimSpace(part.String()), "\n", "\n    "))
				}
			default:
				show(t, d, &b, unpack(""))
			}
			return b.String()
		})
	})
}

func show(t *testing.T, d *datadriven.TestData, b *strings.Builder, c *status.Cluster) {
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "nodes":
			for _, n := range c.Nodes {
				fmt.Fprintln(b, nodeLine(n))
			}
		case "resources":
			for _, r := range c.Resources {
				resource(b, r, 0)
			}
		case "intents":
			for _, i := range c.Intents {
				fmt.Fprintln(b, intent(i))
			}
		case "failed":
			for _, f := range c.Failed {
				fmt.Fprintf(b, "failed: %s on %s: %s (%s)\n", f.Key, f.Node.Name, f.Exit, f.Status)
			}
		case "errors":
			for _, e := range c.Errors {
				fmt.Fprintln(b, "error:", e)
			}
		case "warnings":
			for _, e := range c.Warnings {
				fmt.Fprintln(b, "warning:", e)
			}
		case "options":
			for _, name := range arg.Vals {
				fmt.Fprintf(b, "%s=%s\n", name, c.Options.Get(name))
			}
		case "tags":
			words(b, "tag", len(c.Tags), func(add func(string)) {
				for k, v := range c.Tags {
					add(k + ": " + strings.Join(v, " "))
				}
			})
		case "tickets":
			words(b, "ticket", len(c.Tickets), func(add func(string)) {
				for k, v := range c.Tickets {
					add(fmt.Sprintf("%s: granted=%t standby=%t last-granted=%d", k, v.Granted, v.Standby, v.LastGranted))
				}
			})
		case "recheck":
			if c.RecheckBy.IsZero() {
				fmt.Fprintln(b, "recheck by: never")
			} else {
				fmt.Fprintln(b, "recheck by:", c.RecheckBy.UTC().Format(time.TimeOnly))
			}
		default:
			for _, v := range arg.Vals {
				one(t, d, b, c, arg.Key, v)
			}
		}
	}
}

// one prints something of one resource, at a node where there is an @.
func one(t *testing.T, d *datadriven.TestData, b *strings.Builder, c *status.Cluster, what, name string) {
	id, node, _ := strings.Cut(name, "@")
	r, n := c.FindResource(id, status.MatchHistory), c.FindNode(node)
	if r == nil {
		d.Fatalf(t, "there is no resource %s", id)
	}
	switch what {
	case "meta":
		values(b, "meta "+id, r.Meta)
	case "params":
		values(b, "params "+name, c.Params(r, n))
	case "utilization":
		values(b, "utilization "+id, r.Utilization)
	case "scores":
		for _, n := range c.Nodes {
			if a := r.Allowed.On(n); a != nil {
				fmt.Fprintf(b, "%s on %s: %s (probe %d)\n", r.ID, n.Name, a.Score, a.Probe)
			}
		}
	case "failcount":
		all, last := c.FailCount(n, r, status.FailAll, nil)
		effective, _ := c.FailCount(n, r, status.FailEffective, nil)
		fmt.Fprintf(b, "fail count of %s: %s, effective %s, last %d\n", name, all, effective, last.Unix())
	case "digest":
		for op := range document.Children(c.History(node, id), "lrm_rsc_op") {
			fmt.Fprintf(b, "digest of %s: %s\n", document.ID(op), [...]string{"same", "unknown", "changed", "restart"}[c.CompareDigest(r, op, n).Result])
		}
	case "xml":
		b.Write(document.Format(r.XML))
	case "ops":
		for _, op := range r.Operations() {
			ms := status.IntervalMS(op)
			task := document.Get(op, "name")
			meta := c.OpMeta(r, n, task, ms, op)
			f := c.OnFailOf(r, task, ms, meta)
			values(b, fmt.Sprintf("%s_%d on-fail %s, then %s,", task, ms, f, r.RoleAfterFailure(task, f)), meta)
		}
	default:
		d.Fatalf(t, "nothing is known of %s", what)
	}
}

func values(b *strings.Builder, title string, m map[string]string) {
	b.WriteString(title)
	words(b, "", len(m), func(add func(string)) {
		for k, v := range m {
			add(k + "=" + v)
		}
	})
}

func words(b *strings.Builder, title string, n int, each func(add func(string))) {
	list := make([]string, 0, n)
	each(func(s string) { list = append(list, s) })
	sort.Strings(list)
	if title == "" {
		fmt.Fprintln(b, " "+strings.Join(list, " "))
		return
	}
	for _, s := range list {
		fmt.Fprintln(b, title, s)
	}
}

func nodeLine(n *status.Node) string {
	s := n.Name + ":"
	for _, f := range []struct {
		on   bool
		word string
	}{
		{n.Online, "online"},
		{!n.Online, "offline"},
		{n.Unclean, "unclean"},
		{n.Pending, "pending"},
		{n.Standby, "standby"},
		{n.StandbyOnFail, "(on-fail)"},
		{n.Maintenance, "maintenance"},
		{n.Shutdown, "shutdown"},
		{!n.Seen && !n.Remote, "unseen"},
		{n.IsGuest(), "guest"},
		{n.IsRemote(), "remote"},
		{n.RemoteReset, "reset"},
		{n.IsDC, "dc"},
		{n.NoProbes, "no-probes"},
	} {
		if f.on {
			s += " " + f.word
		}
	}
	if n.FeatureSet != "" {
		s += " feature-set=" + n.FeatureSet
	}
	if n.Priority != 0 {
		s += fmt.Sprintf(" priority=%d", n.Priority)
	}
	return s
}

func resource(b *strings.Builder, r *status.Resource, depth int) {
	fmt.Fprintf(b, "%s%s %s: %s", strings.Repeat("  ", depth), [...]string{"primitive", "group", "clone", "bundle"}[r.Variant], r.ID, r.Role)
	for _, n := range r.ActiveOn {
		b.WriteString(" " + n.Name)
	}
	if r.NextRole != status.RoleUnknown {
		fmt.Fprintf(b, " -> %s", r.NextRole)
	}
	for _, f := range []struct {
		on   bool
		word string
	}{
		{!r.Is(status.Managed), "unmanaged"},
		{r.Is(status.Blocked), "blocked"},
		{r.Is(status.Removed), "removed"},
		{r.Is(status.Failed), "failed"},
		{r.Is(status.StopIfFailed), "stop"},
		{r.Is(status.IgnoreFailure), "ignored"},
		{r.Is(status.StartPending), "starting"},
		{r.Is(status.InMaintenance), "maintenance"},
		{r.Is(status.Promotable), "promotable"},
	} {
		if f.on {
			b.WriteString(" " + f.word)
		}
	}
	if r.PendingAction != "" {
		fmt.Fprintf(b, " pending=%s@%s", r.PendingAction, r.PendingNode.Name)
	}
	if r.MigrationTarget != nil {
		fmt.Fprintf(b, " migrating=%s-%s", r.MigrationSource.Name, r.MigrationTarget.Name)
	}
	for _, n := range r.DanglingMigrations {
		b.WriteString(" dangling=" + n.Name)
	}
	if r.LockNode != nil {
		b.WriteString(" locked=" + r.LockNode.Name)
	}
	if r.Launcher != nil {
		b.WriteString(" inside=" + r.Launcher.ID)
	}
	b.WriteString("\n")
	for _, k := range r.Children {
		resource(b, k, depth+1)
	}
}

func intent(i status.Intent) string {
	s := [...]string{"fence", "action", "stop", "demote", "stop-optional", "clear-failcount", "delete-history"}[i.Kind]
	if i.Rsc != nil {
		s += " " + i.Rsc.ID
	}
	if i.Task != "" {
		s += fmt.Sprintf(" %s_%d", i.Task, i.IntervalMS)
	}
	if i.Node != nil {
		s += " on " + i.Node.Name
	}
	if i.Reason != "" {
		s += ": " + i.Reason
	}
	return s
}
