// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package rule

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// Values are names and values in no particular order.
type Values = map[string]string

// Blocks reads the blocks of pairs (instance_attributes, meta_attributes,
// cluster_property_set, utilization: the tag) below an element into values.
// Blocks go by falling score, of equal ones the later in the document first (as
// Pacemaker does, whose manual says the opposite), the one whose id is first
// before all; one whose rule does not hold is passed over. The first value
// of a name stays.
func Blocks(parent *etree.Element, tag, first string, in *Input, values Values) {
	if parent == nil {
		return
	}
	var blocks []*etree.Element
	for _, t := range slices.Backward(parent.Child) {
		if c, ok := t.(*etree.Element); ok && c.Tag == tag {
			blocks = append(blocks, c)
		}
	}
	if len(blocks) > 1 {
		sortBlocks(blocks, first)
	}
	for _, b := range blocks {
		block(b, in, values)
	}
}

func sortBlocks(blocks []*etree.Element, first string) {
	sort.SliceStable(blocks, func(i, j int) bool {
		a, b := blocks[i], blocks[j]
		if first != "" {
			if a.SelectAttrValue("id", "") == first {
				return b.SelectAttrValue("id", "") != first
			}
			if b.SelectAttrValue("id", "") == first {
				return false
			}
		}
		return blockScore(a) > blockScore(b)
	})
}

func block(b *etree.Element, in *Input, values Values) {
	if r := b.SelectElement("rule"); r != nil && !Holds(r, in) {
		return
	}
	if a := b.SelectElement("attributes"); a != nil {
		b = a
	}
	for _, t := range b.Child {
		p, ok := t.(*etree.Element)
		if !ok || p.Tag != "nvpair" {
			continue
		}
		name, value := p.SelectAttr("name"), p.SelectAttr("value")
		if name == nil || value == nil {
			continue
		}
		if strings.EqualFold(value.Value, "#default") {
			delete(values, name.Value)
		} else if _, has := values[name.Value]; !has {
			values[name.Value] = value.Value
		}
	}
}

// blockScore orders blocks; INFINITY is larger than any number allowed.
func blockScore(e *etree.Element) int64 {
	s := e.SelectAttrValue("score", "0")
	switch s {
	case "INFINITY", "+INFINITY":
		return 1000000
	case "-INFINITY":
		return -1000000
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), 10, 64)
	if err != nil {
		return 0
	}
	return min(max(n, -1000000), 1000000)
}
