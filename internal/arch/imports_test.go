// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package arch

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// A layer is a part of the tree with the parts that it may import. The first
// row whose folder holds a package decides.
type layer struct {
	folder string
	may    []string
}

// everything may be imported by the programs and by the tests of the whole.
var everything = []string{"proto", "internal", "messaging", "agents", "cib", "lrmd", "transition", "pengine", "crmd"}

var layers = []layer{
	{"proto", nil},
	{"internal/cli", everything},
	{"internal/sim", everything}, // simulations of whole layers; see TestSimulationIsForTestsOnly
	{"internal", []string{"proto", "internal"}},
	{"messaging", []string{"proto/messaging", "internal", "messaging"}},
	{"agents", []string{"internal", "agents"}},
	{"cib", []string{"proto/cib", "internal", "messaging", "cib"}},
	{"lrmd", []string{"proto/lrmd", "internal", "agents", "lrmd"}},
	{"transition/graph", []string{"internal", "transition/graph"}},
	{"transition", []string{"proto/transition", "internal", "transition"}},
	{"pengine", []string{"proto/pengine", "internal", "transition/graph", "pengine", "cib"}},
	{"crmd", everything},
	{"cmd", everything},
	{"test", append([]string{"test"}, everything...)},
}

// pureCIB are the packages of cib that only compute; pengine sees no others.
var pureCIB = []string{
	"cib/document", "cib/patch", "cib/schema", "cib/acl", "cib/rule", "cib/attrs", "cib/xpath", "cib/opdigest", "cib/model",
}

// appOnly are the parts of internal that only programs and tests use.
var appOnly = []string{"internal/cli", "internal/sim", "internal/testkit", "internal/arch"}

func TestImportsPointLeft(t *testing.T) {
	for _, s := range tree(t) {
		if s.isTest() {
			continue
		}
		i := slices.IndexFunc(layers, func(l layer) bool { return within(s.dir, l.folder) })
		if i < 0 {
			t.Errorf("%s: the folder has no place in the order of layers", s.path)
			continue
		}
		for _, imp := range s.imports {
			target, ours := strings.CutPrefix(imp, module+"/")
			if ours && !allowed(s.dir, layers[i], target) {
				t.Errorf("%s may not import %s", s.path, target)
			}
		}
	}
}

func allowed(from string, l layer, target string) bool {
	app := withinAny(from, "cmd", "internal/cli", "internal/sim", "test")
	switch {
	case withinAny(target, appOnly...):
		return app
	case within(from, "pengine") && within(target, "cib"):
		return withinAny(target, pureCIB...)
	}
	return withinAny(target, l.may...)
}

func TestSimulationIsForTestsOnly(t *testing.T) {
	for _, s := range tree(t) {
		if s.isTest() || withinAny(s.dir, "internal/sim", "test") {
			continue
		}
		if slices.ContainsFunc(s.imports, func(i string) bool { return within(i, module+"/internal/sim") }) {
			t.Errorf("%s imports the simulation", s.path)
		}
	}
}

func TestProtobufStopsAtServersAndClients(t *testing.T) {
	for _, s := range tree(t) {
		last := path.Base(s.dir)
		if withinAny(s.dir, "proto", "internal/ipc") || last == "server" || last == "client" ||
			strings.HasSuffix(s.dir, "/server/wire") || s.isTest() {
			continue
		}
		for _, imp := range s.imports {
			if within(imp, module+"/proto") || within(imp, "google.golang.org/grpc") || within(imp, "google.golang.org/protobuf") {
				t.Errorf("%s imports %s outside a server or client folder", s.path, imp)
			}
		}
	}
}

// cores are the folders that only compute: events and time go in, outputs come
// out. Their subfolders are theirs to list.
var cores = []string{
	"messaging/totem", "messaging/wire", "messaging/cpg", "messaging/quorum", "messaging/qnet", "messaging/qnetd", "messaging/qdevice", "messaging/qdevice/disk",
	"cib/document", "cib/patch", "cib/rule", "cib/model", "cib/xpath", "cib/acl",
	"transition/graph", "transition/machine",
	"pengine/sched", "pengine/status", "pengine/explain", "pengine/digest", "pengine/model",
	"crmd/election", "crmd/fsa", "crmd/join", "crmd/history", "crmd/fencing",
	"lrmd/queue",
}

// impure are imports that a core has no use for. A generator of math/rand/v2 that
// is seeded from outside is allowed; its global functions are not (golangci).
var impure = []string{"os", "os/exec", "net", "log", "log/slog", "math/rand", "crypto/rand", "syscall"}

func TestCoresStayPure(t *testing.T) {
	for _, s := range tree(t) {
		if s.isTest() || !slices.Contains(cores, s.dir) {
			continue
		}
		for _, imp := range s.imports {
			if slices.Contains(impure, imp) || within(imp, module+"/internal/clock") {
				t.Errorf("%s is a core and imports %s", s.path, imp)
			}
		}
	}
}

func TestPolicyEngineReadsNoClockNetworkOrDisk(t *testing.T) {
	for _, s := range tree(t) {
		last := path.Base(s.dir)
		if !within(s.dir, "pengine") || s.isTest() || slices.Contains([]string{"server", "client", "engine", "archive"}, last) {
			continue
		}
		for _, imp := range s.imports {
			if imp == "os" || imp == "net" || within(imp, module+"/internal/clock") {
				t.Errorf("%s imports %s", s.path, imp)
			}
		}
	}
}
