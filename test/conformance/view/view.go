// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package view

import (
	"regexp"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Squeeze drops white space and empty lines.
func Squeeze(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if l := strings.Join(strings.Fields(line), ""); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// Set is the set of lines of a text, as of a dot file.
func Set(s string) []string {
	out := Squeeze(s)
	slices.Sort(out)
	return slices.Compact(out)
}

var functionName = regexp.MustCompile(`^\*?\w+:`)

// Scores are the score lines of a text without the function that each was
// printed by. What else is told between them is left out.
func Scores(s string) []string {
	out := slices.DeleteFunc(Squeeze(s), func(l string) bool {
		return !strings.Contains(l, "scoreon") && !strings.Contains(l, "score(inactive)")
	})
	for i := range out {
		out[i] = functionName.ReplaceAllString(out[i], "")
	}
	slices.Sort(out)
	return out
}

// scoresHead begins the section of scores in the output of crm_simulate -S -s.
const scoresHead = "Assignment Scores:\n"

// Split parts the output of crm_simulate -S -s into the scores and the rest,
// which is the output of crm_simulate -S.
func Split(out string) (summary, scores string) {
	before, after, ok := strings.Cut(out, scoresHead)
	if !ok {
		return out, ""
	}
	head := strings.Index(after, "Transition Summary:")
	if head < 0 {
		return before, after
	}
	return before + after[head:], after[:head]
}

// Decisions are the parts of a summary that tell what is decided and what comes
// of it.
func Decisions(summary string) []string {
	var out []string
	keep := false
	for line := range strings.Lines(summary) {
		if !strings.HasPrefix(line, " ") && strings.HasSuffix(strings.TrimSpace(line), ":") {
			keep = strings.HasPrefix(line, "Transition Summary") || strings.HasPrefix(line, "Revised Cluster Status")
		}
		if keep {
			out = append(out, Squeeze(line)...)
		}
	}
	return out
}

// Graph is a transition graph without the numbers given to its parts.
func Graph(text string) []string {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil || doc.Root() == nil {
		return []string{"not XML"}
	}
	out := []string{"graph " + attributes(doc.Root())}
	for _, syn := range doc.Root().SelectElements("synapse") {
		var acts, inputs []string
		for _, a := range syn.FindElements("action_set/*") {
			acts = append(acts, actionName(a)+" "+deep(a))
		}
		for _, a := range syn.FindElements("inputs/trigger/*") {
			inputs = append(inputs, actionName(a))
		}
		slices.Sort(acts)
		slices.Sort(inputs)
		out = append(out, "synapse "+syn.SelectAttrValue("priority", "0")+" "+strings.Join(acts, " + ")+" <- "+strings.Join(inputs, " , "))
	}
	slices.Sort(out)
	return out
}

func actionName(e *etree.Element) string {
	on := e.SelectAttrValue("on_node", "")
	if on == "" {
		on = e.SelectAttrValue("router_node", "")
	}
	return e.Tag + " " + e.SelectAttrValue("operation", "") + " " + e.SelectAttrValue("operation_key", "") + " on " + on
}

func attributes(e *etree.Element) string {
	var out []string
	for _, a := range e.Attr {
		switch a.Key {
		case "crm_feature_set", "batch-limit", "transition_id", "transition-id":
			continue
		case "id":
			if e.Tag == "rsc_op" || e.Tag == "pseudo_event" || e.Tag == "crm_event" {
				continue
			}
		}
		out = append(out, a.Key+"="+a.Value)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

func deep(e *etree.Element) string {
	var b strings.Builder
	b.WriteString("<" + e.Tag + " " + attributes(e) + ">")
	for _, k := range e.ChildElements() {
		b.WriteString(deep(k))
	}
	return b.String()
}

// Diff lists the lines that only one of two sorted or ordered lists has, at most
// limit of them.
func Diff(want, got []string, limit int) []string {
	count := map[string]int{}
	for _, l := range want {
		count[l]++
	}
	for _, l := range got {
		count[l]--
	}
	var out []string
	add := func(sign string, list []string, one int) {
		for _, l := range list {
			if count[l]*one > 0 && len(out) < limit {
				count[l] -= one
				out = append(out, sign+l)
			}
		}
	}
	add("-", want, 1)
	add("+", got, -1)
	if len(out) == 0 && !slices.Equal(want, got) {
		for i := range want {
			if i < len(got) && want[i] != got[i] {
				return []string{"order: -" + want[i], "order: +" + got[i]}
			}
		}
	}
	return out
}
