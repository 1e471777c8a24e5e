// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtool

import (
	"context"
	"os"
	"testing"

	"github.com/beevik/etree"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
)

func TestMain(m *testing.M) {
	commands := map[string]func(){}
	for _, tool := range Tools(Options{Schedule: schedule}) {
		commands[tool.Name] = func() { os.Exit(tool.Run(context.Background(), cli.OS(tool.Name), os.Args[1:])) }
	}
	testscript.Main(m, commands)
}

// schedule stands for the scheduler: it is against the resource named trouble
// and has doubts about the one named doubt.
func schedule(root *etree.Element) (errors, warnings []string) {
	if document.ByID(root, "primitive", "trouble") != nil {
		errors = append(errors, "trouble is no resource")
	}
	if document.ByID(root, "primitive", "doubt") != nil {
		warnings = append(warnings, "doubt is no good name")
	}
	return errors, warnings
}

// TestScripts runs the tools on CIB files: testdata/script. The expected
// output is what the real tools of Pacemaker 2.1.5 print.
func TestScripts(t *testing.T) {
	dir, files := "testdata/script", []string(nil)
	if testing.Short() { // each line of a script is a process
		dir, files = "", []string{"testdata/script/diff.txt", "testdata/script/verify.txt"}
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, Files: files, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CIB_file", env.WorkDir+"/cib.xml")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
		},
	})
}

// exits runs a command and checks its exit code: exits 105 cibadmin -Q …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = err.Error()
		code = code[len("exit status "):]
	}
	if code != args[0] {
		ts.Fatalf("%v exits with %s, want %s", args[1:], code, args[0])
	}
}
