// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"fmt"
	"testing"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// many is a CIB with many resources, each with options and a constraint.
func many(n int) *etree.Element {
	root := document.Empty("")
	for i := range n {
		id := fmt.Sprintf("r%d", i)
		p := document.Add(document.Section(root, "resources"), "primitive", "id", id, "class", "ocf", "provider", "pacemaker", "type", "Dummy")
		for _, tag := range []string{"meta_attributes", "instance_attributes"} {
			set := document.Add(p, tag, "id", id+"-"+tag)
			document.Add(set, "nvpair", "id", id+"-"+tag+"-1", "name", "a", "value", "1")
		}
		document.Add(document.Add(p, "operations"), "op", "id", id+"-op", "name", "monitor", "interval", "10s")
		document.Add(document.Section(root, "constraints"), "rsc_location", "id", id+"-l", "rsc", id, "node", "n1", "score", "1")
	}
	return root
}

func BenchmarkUpgradeOfWhatNeedsNoChange(b *testing.B) {
	root := many(2000)
	for b.Loop() {
		if _, err := Upgrade(root, Newest()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpgradeOfWhatNeedsChange(b *testing.B) {
	root := many(2000)
	document.Set(root, "validate-with", "pacemaker-3.10")
	for p := range document.Children(document.Section(root, "resources"), "primitive") {
		document.Unset(document.Child(document.Child(p, "meta_attributes"), "nvpair"), "value")
	}
	for b.Loop() {
		if _, err := Upgrade(root, Newest()); err != nil {
			b.Fatal(err)
		}
	}
}
