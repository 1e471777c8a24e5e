// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package operation

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/patch"
)

func meta() Meta {
	return Meta{Node: "node1", Client: "test", User: "root", Written: "Fri Nov 20 12:00:00 2026"}
}

// TestOperations runs the commands of testdata: "cib" sets the document (the
// configuration's sections and a status), any other command is an operation,
// with arguments section, xpath and flags. Answered are the versions, the
// differences as changes, and output or error.
func TestOperations(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var root *etree.Element
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "cib" {
				root = document.Empty("")
				in, err := document.Parse([]byte("<in>" + d.Input + "</in>"))
				if err != nil {
					t.Fatalf("%s: %v", d.Pos, err)
				}
				for c := range document.Children(in, "") {
					tags, _ := document.SectionPath(c.Tag)
					if old := document.Section(root, c.Tag); old != nil {
						swap(old, c)
						continue
					}
					document.At(root, tags[:len(tags)-1]...).AddChild(document.Clone(c))
				}
				return ""
			}
			req := request(t, d)
			if req.Op == cib.OpQuery {
				res, err := Query(root, req)
				if err != nil {
					return refusal(t, err)
				}
				return string(res.Output)
			}
			m := meta()
			m.KeepStatus = d.HasArg("keep-status")
			before := string(document.Compact(root))
			out, err := Apply(root, req, m)
			if string(document.Compact(root)) != before {
				t.Fatalf("%s: Apply changed its input", d.Pos)
			}
			if err != nil {
				return refusal(t, err)
			}
			text := fmt.Sprintf("version %s changed=%t config=%t\n", out.Result.Version, out.Changed, out.Config)
			text += changes(root, out.Root)
			if !d.HasArg("forget") {
				root = out.Root
			}
			return text
		})
	})
}

func request(t *testing.T, d *datadriven.TestData) cib.Request {
	t.Helper()
	req := cib.Request{Op: cib.Op("cib_" + d.Cmd), Data: []byte(strings.TrimSpace(d.Input))}
	if d.Cmd == "delete_all" {
		req.Op = cib.OpDeleteAll
	}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "section":
			req.Section = a.Vals[0]
		case "xpath":
			req.XPath = strings.ReplaceAll(a.Vals[0], "~", "=")
		case "create":
			req.CanCreate = true
		case "no-children":
			req.NoChildren = true
		case "paths":
			req.NodePath = true
		case "force":
			req.Force = true
		case "forget", "keep-status":
		default:
			t.Fatalf("%s: unknown argument %s", d.Pos, a.Key)
		}
	}
	return req
}

func refusal(t *testing.T, err error) string {
	t.Helper()
	var ce *cib.Error
	if !errors.As(err, &ce) {
		t.Fatalf("error %v is no cib.Error", err)
	}
	return fmt.Sprintf("error %d: %s\n%s", ce.Code, ce.Msg, ce.Output)
}

// changes gives the difference in short.
func changes(a, b *etree.Element) string {
	diff := patch.Make(a, b)
	if diff == nil {
		return ""
	}
	var out strings.Builder
	for c := range document.Children(diff, "change") {
		op, path := document.Get(c, "operation"), document.Get(c, "path")
		fmt.Fprintf(&out, "%s %s", op, path)
		if p, ok := document.Lookup(c, "position"); ok {
			out.WriteString(" " + p)
		}
		for at := range document.Children(document.Child(c, "change-list"), "") {
			fmt.Fprintf(&out, " %s=%q", document.Get(at, "name"), document.Get(at, "value"))
		}
		if op == "create" {
			out.WriteString(" ")
			for e := range document.Children(c, "") {
				out.Write(document.Compact(e))
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

func TestReplicasThatApplyTheSameRequestsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := document.Empty(""), document.Empty("")
		var last cib.Version
		for range rapid.IntRange(1, 20).Draw(t, "requests") {
			id := rapid.SampledFrom([]string{"p", "q", "r"}).Draw(t, "id")
			req := cib.Request{
				Op:      rapid.SampledFrom([]cib.Op{cib.OpCreate, cib.OpModify, cib.OpDelete, cib.OpReplace}).Draw(t, "op"),
				Section: rapid.SampledFrom([]string{"resources", ""}).Draw(t, "section"),
				Data: []byte(fmt.Sprintf(`<primitive id=%q class="lsb" type=%q/>`, id,
					rapid.SampledFrom([]string{"x", "y"}).Draw(t, "type"))),
				CanCreate: rapid.Bool().Draw(t, "create"),
			}
			outA, errA := Apply(a, req, meta())
			outB, errB := Apply(b, req, meta())
			if (errA == nil) != (errB == nil) {
				t.Fatalf("%v and %v", errA, errB)
			}
			if errA != nil {
				continue
			}
			if outA.Changed {
				diff := patch.Make(a, outA.Root)
				got, err := patch.Apply(document.Clone(a), diff)
				if err != nil || !document.Equal(got, outA.Root) {
					t.Fatalf("the patchset does not lead to the document: %v", err)
				}
				if v := outA.Result.Version; v.Compare(last) <= 0 {
					t.Fatalf("version %s after %s", v, last)
				}
				last = outA.Result.Version
			}
			a, b = outA.Root, outB.Root
			if document.Digest(a) != document.Digest(b) {
				t.Fatal("the documents differ")
			}
		}
	})
}

func BenchmarkStatusWriteIn100KB(b *testing.B) {
	root := document.Empty("")
	for i := range 400 {
		p := document.Add(document.Section(root, "resources"), "primitive",
			"id", fmt.Sprint("rsc", i), "class", "ocf", "provider", "heartbeat", "type", "IPaddr2")
		document.Add(document.Add(p, "meta_attributes", "id", fmt.Sprint("rsc", i, "-m")), "nvpair",
			"id", fmt.Sprint("rsc", i, "-m-r"), "name", "target-role", "value", "Started")
	}
	document.Add(document.Section(root, "status"), "node_state", "id", "1", "uname", "node1", "crmd", "offline")
	b.Logf("%d bytes", len(document.Format(root)))
	for i := 0; b.Loop(); i++ {
		req := cib.Request{Op: cib.OpModify, Section: "status", Data: fmt.Appendf(nil, `<node_state id="1" crmd="%d"/>`, i)}
		out, err := Apply(root, req, meta())
		if err != nil || !out.Changed {
			b.Fatal(err)
		}
		root = out.Root
	}
}
