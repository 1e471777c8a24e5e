// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package agenttool

import (
	"bytes"
	"strings"
	"testing"

	"github.com/quorate/quorate/internal/cli"
)

func call(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	io := &cli.IO{Stdin: strings.NewReader("action=metadata\n"), Stdout: &out, Stderr: &errs, Env: func(k string) string { return env[k] }}
	code = Tools()[0].Run(t.Context(), io, args)
	return code, out.String(), errs.String()
}

func TestAgentsAnswerAsAgents(t *testing.T) {
	env := map[string]string{"HA_RSCTMP": t.TempDir(), "OCF_RESOURCE_INSTANCE": "d"}
	for _, step := range []struct {
		args string
		code int
		says string
	}{
		{"", 2, "usage: quorate ocf NAME ACTION"},
		{"nginx start", 5, "ocf-exit-reason:nginx is not one of the agents"},
		{"Dummy monitor", 7, ""},
		{"/usr/lib/quorate/ocf/heartbeat/Dummy start", 0, ""},
		{"Dummy monitor", 0, ""},
		{"Dummy stop", 0, ""},
		{"Dummy promote", 3, "usage: Dummy {"},
		{"Dummy meta-data", 0, "<resource-agent name=\"Dummy\""},
		{"fence_quorate_lab", 0, "<resource-agent name=\"fence_quorate_lab\""},
		{"IPaddr2 validate-all", 6, "parameter ip is not set"},
	} {
		code, out, errs := call(t, env, strings.Fields(step.args)...)
		if code != step.code || !strings.Contains(out+errs, step.says) {
			t.Errorf("%q: code %d, said %q %q", step.args, code, out, errs)
		}
	}
}
