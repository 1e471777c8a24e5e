// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// generator writes a CIB; it lies beside the module.
const generator = "shared/bench/gen-cib"

// A Case is a synthetic cluster.
type Case struct {
	Name string
	Args string // of the generator
}

// Cases are the clusters that are measured: first those that take a peer a
// second or a few, then those that take it half a minute.
var Cases = []Case{
	{"16Nodes100Clones", "--nodes 16 --clones 100"},
	{"16Nodes100Promotable", "--nodes 16 --promotable 100"},
	{"16Nodes500Primitives", "--nodes 16 --primitives 500"},
	{"16Nodes500PrimitivesConstraints", "--nodes 16 --primitives 500 --colocations 250 --orders 250"},
	{"16Nodes2000PrimitivesRunning", "--nodes 16 --primitives 2000 --state running"},
	{"32Nodes200GroupsRunning", "--nodes 32 --groups 200 --group-size 5 --state running"},
	{"3Nodes5000Primitives", "--nodes 3 --primitives 5000"},
	{"16Nodes2000Primitives", "--nodes 16 --primitives 2000"},
	{"32Nodes200Groups", "--nodes 32 --groups 200 --group-size 5"},
	{"16Nodes1000Clones", "--nodes 16 --clones 1000"},
}

// Generate writes the case's CIB into a file of the benchmark's own. root is the
// folder of the module.
func (c Case) Generate(b *testing.B, root string) (path string) {
	b.Helper()
	program := filepath.Join(root, "..", generator)
	if _, err := os.Stat(program); err != nil {
		b.Skipf("no generator of CIBs beside the module: %v", err)
	}
	path = filepath.Join(b.TempDir(), "cib.xml")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	cmd := exec.CommandContext(b.Context(), "python3", append([]string{program}, strings.Fields(c.Args)...)...)
	cmd.Stdout = file
	if err := cmd.Run(); err != nil {
		b.Skipf("the generator of CIBs does not run: %v", err)
	}
	return path
}
