// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package operation

import (
	"fmt"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/schema"
)

// Meta is what a request carries from its origin, the same on every replica.
type Meta struct {
	Node    string // the node where the client asked
	Client  string
	User    string
	Written string // the origin's wall clock as cib-last-written has it
	// KeepStatus leaves the status section alone when the whole document is
	// replaced or erased: in a running cluster it is the controllers' own.
	KeepStatus bool
}

// WrittenLayout is the form of cib-last-written, for time.Format.
const WrittenLayout = "Mon Jan _2 15:04:05 2006"

// An Outcome is what a write made of a document.
type Outcome struct {
	Root *etree.Element // the document afterwards; the one given if nothing changed
	// Changed tells whether anything changed, Config whether the configuration
	// did, or a version was set.
	Changed, Config bool
	Result          cib.Result
}

// writer is one write under way.
type writer struct {
	req  cib.Request
	meta Meta
	old  *etree.Element
	root *etree.Element // the working copy
	data *etree.Element // the operand, nil where there is none
	// versioned: the operation itself set the versions.
	versioned bool
}

// Apply carries out a write.
func Apply(root *etree.Element, req cib.Request, meta Meta) (Outcome, error) {
	w := writer{req: req, meta: meta, old: root, root: document.Clone(root)}
	if len(req.Data) > 0 {
		data, err := document.Parse(req.Data)
		if err != nil {
			return Outcome{}, w.refuse(cib.CodeDataErr, "Could not parse input: "+err.Error())
		}
		w.data = data
	}
	if req.XPath == "" {
		_, ok := document.SectionPath(req.Section)
		switch {
		case ok:
		case req.Op == cib.OpDelete:
			w.req.Section = "" // as Pacemaker; what is not there need not be deleted
		default:
			return Outcome{}, w.refuse(cib.CodeConfig, fmt.Sprintf("%s: unknown section %q", msgSchema, req.Section))
		}
	}
	if err := w.run(); err != nil {
		return Outcome{}, err
	}
	return w.finish()
}

func (w *writer) run() error {
	if w.req.XPath != "" {
		return w.byXPath()
	}
	switch w.req.Op {
	case cib.OpCreate:
		return w.create()
	case cib.OpModify:
		return w.modify()
	case cib.OpReplace:
		return w.replace()
	case cib.OpDelete:
		return w.delete()
	case cib.OpDeleteAll:
		return w.refuse(cib.CodeUsage, "Deleting all matches needs an XPath")
	case cib.OpErase:
		return w.erase()
	case cib.OpBump:
		a, e, _ := document.Versions(w.root)
		document.SetVersions(w.root, a, e+1, 0)
		w.versioned = true
		return nil
	case cib.OpUpgrade:
		return w.upgrade()
	case cib.OpApplyPatch:
		return w.patch()
	case cib.OpSync:
		return nil
	}
	return w.refuse(cib.CodeUsage, fmt.Sprintf("Operation %q is not supported", w.req.Op))
}

func (w *writer) refuse(code cib.Code, msg string) error {
	return &cib.Error{Code: code, Op: w.req.Op, Msg: msg}
}

// Words of Pacemaker for its most common refusals.
const (
	msgNoSuch  = "No such device or address"
	msgExists  = "File exists"
	msgInvalid = "Invalid argument"
	msgOld     = "Update was older than existing configuration"
	msgSchema  = "Update does not conform to the configured schema"
	msgUpgrade = "Schema transform failed"
	msgDiff    = "Application of update diff failed"
)

// operand gives the data, or its section where the data is a whole CIB and the
// request names a section.
func (w *writer) operand() (*etree.Element, error) {
	in := w.data
	if in != nil && in.Tag == "cib" && !w.whole() {
		in = document.Section(in, w.req.Section)
	}
	if in == nil {
		return nil, w.refuse(cib.CodeSoftware, msgInvalid+": the request has no data")
	}
	return in, nil
}

func (w *writer) whole() bool {
	return w.req.Section == "" || w.req.Section == "all" || w.req.Section == "cib"
}

// section gives the element that the request works in, and makes it where a
// known section is absent.
func (w *writer) section() *etree.Element {
	tags, _ := document.SectionPath(w.req.Section)
	e := w.root
	for _, tag := range tags {
		next := document.Child(e, tag)
		if next == nil {
			next = document.Add(e, tag)
		}
		e = next
	}
	return e
}

// finish keeps the books and validates.
func (w *writer) finish() (Outcome, error) {
	if w.root == nil || w.root.Tag != "cib" {
		return Outcome{}, w.refuse(cib.CodeConfig, msgSchema+": a CIB begins with the element cib")
	}
	if err := w.checkVersions(); err != nil {
		return Outcome{}, err
	}
	oldConf, newConf := document.Child(w.old, "configuration"), document.Child(w.root, "configuration")
	config := !document.Equal(oldConf, newConf)
	if !config && !w.versioned && document.Equal(w.old, w.root) {
		return w.outcome(w.old, false, false), nil
	}
	w.count(config)
	if config {
		w.provenance()
	}
	a, e, n := document.Versions(w.root)
	oa, oe, on := document.Versions(w.old)
	moved := a != oa || e != oe || document.Get(w.root, "validate-with") != document.Get(w.old, "validate-with")
	if config || !w.sameFrame() {
		if err := w.validate(); err != nil {
			return Outcome{}, err
		}
	}
	if err := w.bounded(); err != nil {
		return Outcome{}, err
	}
	if !moved && n == on && document.Equal(w.old, w.root) {
		return w.outcome(w.old, false, false), nil
	}
	return w.outcome(w.root, true, config || moved), nil
}

// sameFrame tells whether the root is as it was but for the versions, and only
// the content of the status section may differ: then nothing needs validation.
func (w *writer) sameFrame() bool {
	if len(w.root.Child) != len(w.old.Child) || len(w.root.Attr) != len(w.old.Attr) {
		return false
	}
	for i := range w.root.Attr {
		a := &w.root.Attr[i]
		switch a.Key {
		case "admin_epoch", "epoch", "num_updates":
			continue
		}
		if v, ok := document.Lookup(w.old, a.FullKey()); !ok || v != a.Value {
			return false
		}
	}
	return true
}

func (w *writer) outcome(root *etree.Element, changed, config bool) Outcome {
	return Outcome{
		Root: root, Changed: changed, Config: config,
		Result: cib.Result{Version: VersionOf(root), Applied: changed && !w.req.DryRun},
	}
}

// VersionOf gives a document's version.
func VersionOf(root *etree.Element) cib.Version {
	a, e, n := document.Versions(root)
	return cib.Version{AdminEpoch: a, Epoch: e, NumUpdates: n}
}

func (w *writer) checkVersions() error {
	if w.req.Force && w.req.Op == cib.OpReplace {
		return nil
	}
	na, ne, _ := document.Versions(w.root)
	oa, oe, _ := document.Versions(w.old)
	if na < oa || (na == oa && ne < oe) {
		return w.refuse(cib.CodeOld, msgOld)
	}
	return nil
}

// count sets the versions. An epoch that the request itself raised stays.
func (w *writer) count(config bool) {
	if w.versioned {
		return
	}
	a, e, n := document.Versions(w.root)
	oa, oe, _ := document.Versions(w.old)
	switch {
	case config:
		e, n = e+1, 0
	case a != oa || e != oe:
		n = 0
	default:
		n++
	}
	document.SetVersions(w.root, a, e, n)
}

func (w *writer) provenance() {
	for _, kv := range [][2]string{
		{"cib-last-written", w.meta.Written},
		{"update-origin", w.meta.Node},
		{"update-client", w.meta.Client},
		{"update-user", w.meta.User},
	} {
		if kv[1] == "" {
			document.Unset(w.root, kv[0])
			continue
		}
		document.Set(w.root, kv[0], kv[1])
	}
}

func (w *writer) validate() error {
	faults := schema.Validate(w.root, nil)
	if len(faults) == 0 {
		return nil
	}
	return w.refuse(cib.CodeConfig, msgSchema+listed(faults))
}

// listed gives each fault a line, as far as they are named.
func listed(faults []schema.Fault) string {
	var b strings.Builder
	for i, f := range faults {
		if i == maxReported {
			fmt.Fprintf(&b, "\n  and %d more", len(faults)-i)
			break
		}
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

// maxReported bounds the faults that one refusal names.
const maxReported = 10

// bounded refuses a result that could not be read back from disk or network.
func (w *writer) bounded() error {
	if err := document.Check(w.root, document.DefaultLimits()); err != nil {
		return w.refuse(cib.CodeDataErr, err.Error())
	}
	return nil
}
