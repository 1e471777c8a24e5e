// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/patch"
)

// patience is how long the suite waits for what must happen.
const patience = 5 * time.Minute

// RunStore checks an implementation of cib.Store. Each sub-test gets a store of
// a cluster of its own with the node "node1", whose id is 1.
func RunStore(t *testing.T, open func(t *testing.T) cib.Store) {
	t.Helper()
	for name, check := range map[string]func(context.Context, *testing.T, cib.Store){
		"a write is read back":          writeIsRead,
		"refusals carry code and words": refusals,
		"a watch leads to the document": watchLeads,
		"writers do not lose writes":    manyWriters,
		"attributes":                    attributes,
		"dampened attributes":           dampened,
		"a dry run changes nothing":     dryRun,
		"a request out of bounds":       tooLarge,
		"a context that ends":           canceled,
		"a watch ends with its context": watchCanceled,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			check(ctx, t, s)
		})
	}
}

func do(ctx context.Context, t *testing.T, s cib.Store, req cib.Request) cib.Result {
	t.Helper()
	res, err := s.Do(ctx, req)
	if err != nil {
		t.Fatalf("%s: %v", req.Op, err)
	}
	return res
}

func primitive(id string) cib.Request {
	return cib.Request{
		Op: cib.OpCreate, Section: "resources", Client: "suite", User: "root",
		Data: []byte(fmt.Sprintf(`<primitive id=%q class="lsb" type="x"/>`, id)),
	}
}

func code(err error) cib.Code {
	if ce, ok := errors.AsType[*cib.Error](err); ok {
		return ce.Code
	}
	return -1
}

func writeIsRead(ctx context.Context, t *testing.T, s cib.Store) {
	res := do(ctx, t, s, primitive("a"))
	if !res.Applied || res.Version.Epoch == 0 {
		t.Errorf("result %+v", res)
	}
	q := do(ctx, t, s, cib.Request{Op: cib.OpQuery, XPath: "//primitive"})
	if got, want := string(q.Output), "<primitive id=\"a\" class=\"lsb\" type=\"x\"/>\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	whole := do(ctx, t, s, cib.Request{Op: cib.OpQuery})
	root, err := document.Parse(whole.Output)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"update-client": "suite", "update-user": "root", "update-origin": "node1"} {
		if got := document.Get(root, name); got != want {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
	if document.Get(root, "cib-last-written") == "" || whole.Version != res.Version {
		t.Errorf("version %s, last written %q", whole.Version, document.Get(root, "cib-last-written"))
	}
}

func refusals(ctx context.Context, t *testing.T, s cib.Store) {
	do(ctx, t, s, primitive("a"))
	_, err := s.Do(ctx, primitive("a"))
	var ce *cib.Error
	if !errors.As(err, &ce) || ce.Code != cib.CodeExists || ce.Op != cib.OpCreate || ce.Msg != "File exists" ||
		!strings.Contains(string(ce.Output), "failed_update") {
		t.Errorf("create again: %#v", err)
	}
	for want, req := range map[cib.Code]cib.Request{
		cib.CodeNoSuch:  {Op: cib.OpQuery, Section: "tags"},
		cib.CodeConfig:  {Op: cib.OpCreate, Section: "resources", Data: []byte(`<nonsense/>`)},
		cib.CodeDataErr: {Op: cib.OpModify, Data: []byte(`<broken`)},
		cib.CodeUsage:   {Op: "cib_dance"},
	} {
		if _, err := s.Do(ctx, req); code(err) != want {
			t.Errorf("%s: %v, want code %d", req.Op, err, want)
		}
	}
}

func watchLeads(ctx context.Context, t *testing.T, s cib.Store) {
	do(ctx, t, s, primitive("before"))
	w, err := s.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ch, err := w.Next(ctx)
	if err != nil || ch.Snapshot == nil {
		t.Fatalf("first change %+v, %v", ch, err)
	}
	root, err := document.Parse(ch.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	var last cib.Result
	for i := range 5 {
		last = do(ctx, t, s, primitive(fmt.Sprint("p", i)))
	}
	for ch.Version != last.Version {
		if ch, err = w.Next(ctx); err != nil {
			t.Fatal(err)
		}
		diff, err := document.Parse(ch.Patchset)
		if err != nil {
			t.Fatal(err)
		}
		if root, err = patch.Apply(root, diff); err != nil {
			t.Fatal(err)
		}
		if ch.Client != "suite" {
			t.Errorf("client %q", ch.Client)
		}
	}
	whole := do(ctx, t, s, cib.Request{Op: cib.OpQuery})
	if got := string(document.Format(root)); got != string(whole.Output) {
		t.Errorf("the watch led to\n%s\nthe document is\n%s", got, whole.Output)
	}
}

func manyWriters(ctx context.Context, t *testing.T, s cib.Store) {
	const writers, each = 8, 10
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				if _, err := s.Do(ctx, primitive(fmt.Sprintf("w%d-%d", i, j))); err != nil {
					t.Errorf("writer %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	q := do(ctx, t, s, cib.Request{Op: cib.OpQuery, Section: "resources"})
	if n := strings.Count(string(q.Output), "<primitive"); n != writers*each {
		t.Errorf("%d primitives, want %d", n, writers*each)
	}
}

func attributes(ctx context.Context, t *testing.T, s cib.Store) {
	set := func(up cib.AttrUpdate) {
		t.Helper()
		if err := s.SetAttr(ctx, up); err != nil {
			t.Fatalf("%+v: %v", up, err)
		}
	}
	set(cib.AttrUpdate{Node: "node1", Name: "color", Value: "red"})
	set(cib.AttrUpdate{Node: "node1", Name: "fail-count-x", Value: "value++"})
	set(cib.AttrUpdate{Node: "node1", Name: "fail-count-x", Value: "value++"})
	set(cib.AttrUpdate{Node: "node1", Name: "hidden", Value: "h", Private: true})
	set(cib.AttrUpdate{Node: "node1", Name: "standby", Value: "on", Permanent: true})
	list, err := s.Attrs(ctx, "", "node1")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(list), "[{node1 color red} {node1 fail-count-x 2} {node1 hidden h}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	q := do(ctx, t, s, cib.Request{Op: cib.OpQuery})
	for _, want := range []string{
		`<nvpair id="status-1-color" name="color" value="red"/>`,
		`<nvpair id="nodes-1-standby" name="standby" value="on"/>`,
	} {
		if !strings.Contains(string(q.Output), want) {
			t.Errorf("%s is not in the document", want)
		}
	}
	if strings.Contains(string(q.Output), "hidden") {
		t.Error("a private attribute is in the document")
	}
	set(cib.AttrUpdate{Node: "node1", Name: "color", Delete: true})
	if one, err := s.Attrs(ctx, "color", ""); err != nil || fmt.Sprint(one) != "[{node1 color }]" {
		t.Errorf("after the delete %v, %v", one, err)
	}
	if err := s.SetAttr(ctx, cib.AttrUpdate{Node: "nobody", Name: "x", Value: "1"}); code(err) != cib.CodeNoSuch {
		t.Errorf("an unknown node: %v", err)
	}
}

func dampened(ctx context.Context, t *testing.T, s cib.Store) {
	w, err := s.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	up := cib.AttrUpdate{Node: "node1", Name: "pingd", Value: "100", Dampen: 50 * time.Millisecond}
	if err := s.SetAttr(ctx, up); err != nil {
		t.Fatal(err)
	}
	if one, err := s.Attrs(ctx, "pingd", ""); err != nil || fmt.Sprint(one) != "[{node1 pingd 100}]" {
		t.Errorf("%v, %v", one, err)
	}
	for {
		ch, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("the value never came to the document: %v", err)
		}
		if strings.Contains(string(ch.Patchset), "status-1-pingd") {
			return
		}
	}
}

func dryRun(ctx context.Context, t *testing.T, s cib.Store) {
	before := do(ctx, t, s, cib.Request{Op: cib.OpQuery})
	req := primitive("a")
	req.DryRun = true
	if res := do(ctx, t, s, req); res.Applied {
		t.Error("a dry run was applied")
	}
	if after := do(ctx, t, s, cib.Request{Op: cib.OpQuery}); string(after.Output) != string(before.Output) {
		t.Error("a dry run changed the document")
	}
}

func tooLarge(ctx context.Context, t *testing.T, s cib.Store) {
	huge := strings.Repeat("x", cib.MaxRequest+1)
	_, err := s.Do(ctx, cib.Request{Op: cib.OpModify, Data: []byte(`<cib dc-uuid="` + huge + `"/>`)})
	if code(err) != cib.CodeDataErr || !strings.Contains(err.Error(), "exceeds the limit") {
		t.Errorf("%v", err)
	}
	_, err = s.Do(ctx, cib.Request{Op: cib.OpModify, Data: []byte(`<cib dc-uuid="` + huge[:2<<20] + `"/>`)})
	if code(err) != cib.CodeDataErr || !strings.Contains(err.Error(), "exceeds") {
		t.Errorf("%.200v", err)
	}
	do(ctx, t, s, primitive("still-alive"))
}

func canceled(ctx context.Context, t *testing.T, s cib.Store) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Do(ended, primitive("x")); err == nil {
		t.Error("a write with an ended context succeeded")
	}
	do(ctx, t, s, primitive("y"))
}

func watchCanceled(ctx context.Context, t *testing.T, s cib.Store) {
	w, err := s.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Next(ctx); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if ch, err := w.Next(ended); err == nil {
		t.Errorf("a change without a write: %+v", ch)
	}
}
