// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cib

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Version orders CIB documents: admin_epoch first, then epoch, then
// num_updates.
type Version struct {
	AdminEpoch, Epoch, NumUpdates uint64
}

// String gives the version as Pacemaker prints it: three numbers with points.
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.AdminEpoch, v.Epoch, v.NumUpdates)
}

// Op is the kind of a request, in the words of Pacemaker's CIB operations.
type Op string

// The operations.
const (
	OpQuery      Op = "cib_query"
	OpCreate     Op = "cib_create"
	OpModify     Op = "cib_modify"
	OpReplace    Op = "cib_replace"
	OpDelete     Op = "cib_delete"
	OpDeleteAll  Op = "cib_delete_alt" // every match of an XPath
	OpErase      Op = "cib_erase"
	OpBump       Op = "cib_bump"
	OpUpgrade    Op = "cib_upgrade"
	OpApplyPatch Op = "cib_apply_diff"
	OpSync       Op = "cib_sync"
)

// A Request asks for one operation on the CIB. It is applied by every replica
// in the same order.
type Request struct {
	Op      Op
	Section string // "" is the whole document; else resources, constraints, status, …
	XPath   string // an XPath 1.0 expression, instead of Section
	Data    []byte // XML text of the operand
	// CanCreate lets a modify create what is missing (cibadmin -c).
	CanCreate bool
	// NoChildren makes a query answer without the children (cibadmin -n).
	NoChildren bool
	// NodePath makes an XPath query answer the paths of the matches (cibadmin -e).
	NodePath bool
	// Score lets value++ and value+=n in attributes compute (crm_attribute -v n++).
	Score bool
	// Force skips the validation of an upgrade and the check of older versions.
	Force bool
	// DryRun computes the answer and changes nothing.
	DryRun bool
	// User is the requester for access control, "" the daemon's own.
	User string
	// Client names the program that asks; it becomes update-client.
	Client string
}

// A Result is the answer to a Request that succeeded. Failures are errors; see
// [Error].
type Result struct {
	Output  []byte // XML text, or nil
	Version Version
	// Applied tells whether the document changed.
	Applied bool
}

// A Change is one step of the document: its patchset (Pacemaker's format 2,
// <diff format="2">) and what the document is afterwards.
type Change struct {
	Version  Version
	Patchset []byte
	// Client is the origin of the change (update-client).
	Client string
	// Snapshot is set instead of Patchset where the document was replaced as a
	// whole (join, merge), and in the first change of a watch.
	Snapshot []byte
}

// A Store is a node's CIB daemon as its local clients see it. It is safe for
// concurrent use.
type Store interface {
	// Do carries out one request. A write returns when it is applied and durable
	// on this node; its place in the order is the same on all nodes.
	Do(ctx context.Context, req Request) (Result, error)
	// Watch gives a snapshot, then each change in order. A reader that does not
	// keep up is cut off (ErrCutOff) and watches anew.
	Watch(ctx context.Context) (Watch, error)
	// SetAttr sets, changes or deletes a node attribute.
	SetAttr(ctx context.Context, up AttrUpdate) error
	// Attrs lists transient attributes. Empty name or node match all.
	Attrs(ctx context.Context, name, node string) ([]Attr, error)
	Close() error
}

// A Watch is a running watch of the document.
type Watch interface {
	Next(ctx context.Context) (Change, error)
	Close() error
}

// An AttrUpdate changes one node attribute.
type AttrUpdate struct {
	Node      string // node name
	Name      string
	Value     string // value++, value+=n and -=n compute
	Delete    bool
	Permanent bool   // in the nodes section (lifetime forever) instead of status (reboot)
	Set       string // id of the attribute set; "" is the default one
	Pattern   bool   // Name is a regular expression over existing attributes
	Private   bool   // never written to the CIB
	// Dampen delays the write so that further updates join it; 0 writes at once.
	// SetDampen keeps it for later updates of this attribute.
	Dampen    time.Duration
	SetDampen bool
	User      string
}

// An Attr is one transient node attribute.
type Attr struct {
	Node, Name, Value string
}

// Compare is negative, 0 or positive as v is older than, equal to or newer
// than w.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.AdminEpoch, w.AdminEpoch), cmp.Compare(v.Epoch, w.Epoch),
		cmp.Compare(v.NumUpdates, w.NumUpdates))
}

// MaxRequest bounds the data of one request, in bytes.
const MaxRequest = 16 << 20
