// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"fmt"
	"slices"
	"strings"
)

// A Section is one part of the picture; sections are a set of bits.
type Section uint32

// The sections.
const (
	SecStack Section = 1 << iota
	SecDC
	SecTimes
	SecCounts
	SecOptions
	SecNodes
	SecResources
	SecAttributes
	SecOperations
	SecFailcounts
	SecFailures
	SecFencingFailed
	SecFencingPending
	SecFencingSucceeded
	SecTickets
	SecBans
	SecMaintenance
)

// Groups of sections.
const (
	SecSummary = SecStack | SecDC | SecTimes | SecCounts | SecOptions | SecMaintenance
	SecFencing = SecFencingFailed | SecFencingPending | SecFencingSucceeded
	SecAll     = SecSummary | SecNodes | SecResources | SecAttributes | SecOperations | SecFailcounts |
		SecFailures | SecFencing | SecTickets | SecBans
	// SecDefault is what text shows when nothing was asked for.
	SecDefault = SecSummary&^SecOptions | SecNodes | SecResources | SecFailures | SecFencingFailed | SecFencingPending
)

var sectionNames = map[string]Section{
	"all": SecAll, "attributes": SecAttributes, "bans": SecBans, "counts": SecCounts, "dc": SecDC,
	"failcounts": SecFailcounts, "failures": SecFailures, "fencing": SecFencing,
	"fencing-failed": SecFencingFailed, "fencing-pending": SecFencingPending,
	"fencing-succeeded": SecFencingSucceeded, "maint-mode": SecMaintenance, "nodes": SecNodes,
	"operations": SecOperations, "options": SecOptions, "resources": SecResources, "stack": SecStack,
	"summary": SecSummary, "tickets": SecTickets, "times": SecTimes,
}

// sectionWords is how the list of sections reads in an error.
const sectionWords = "all, attributes, bans[:PREFIX], counts, dc, default, failcounts, failures, fencing, " +
	"fencing-failed, fencing-pending, fencing-succeeded, maint-mode, nodes, none, operations, options, " +
	"resources, stack, summary, tickets, times"

// Include adds the sections of a comma-separated list to s. The prefix of
// bans:PREFIX is returned.
func (s *Section) Include(list string, def Section) (banPrefix string, err error) {
	for word := range strings.SplitSeq(list, ",") {
		if prefix, ok := strings.CutPrefix(word, "bans:"); ok {
			*s |= SecBans
			banPrefix = prefix
			continue
		}
		switch word {
		case "none":
			*s = 0
		case "default", "defaults":
			*s |= def
		default:
			bits, ok := sectionNames[word]
			if !ok {
				return "", fmt.Errorf("--include options: %s", sectionWords)
			}
			*s |= bits
		}
	}
	return banPrefix, nil
}

// Exclude takes the sections of a comma-separated list away from s.
func (s *Section) Exclude(list string) error {
	for word := range strings.SplitSeq(list, ",") {
		bits, ok := sectionNames[word]
		switch {
		case word == "none":
			*s = SecAll
		case !ok:
			words := slices.DeleteFunc(strings.Split(sectionWords, ", "), func(w string) bool { return w == "default" })
			return fmt.Errorf("--exclude options: %s", strings.ReplaceAll(strings.Join(words, ", "), "[:PREFIX]", ""))
		default:
			*s &^= bits
		}
	}
	return nil
}
