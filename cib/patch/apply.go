// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package patch

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// MaxChanges bounds the changes of one patchset.
const MaxChanges = 1_000_000

// Errors of Apply.
var (
	// ErrFormat: the patchset is malformed.
	ErrFormat = errors.New("patch: malformed patchset")
	// ErrOld: the patchset starts from an older version than the document has.
	ErrOld = errors.New("patch: patchset is older than the document")
	// ErrNew: the patchset starts from a newer version than the document has.
	ErrNew = errors.New("patch: patchset is newer than the document")
	// ErrMismatch: the patchset names something that the document has not.
	// Deleting what is not there is no fault.
	ErrMismatch = errors.New("patch: patchset does not fit the document")
)

// Apply carries a patchset out on the tree and gives the root, which is
// another one if the patchset replaces it. After an error the tree is spoiled:
// apply to a clone.
func Apply(root, diff *etree.Element) (*etree.Element, error) {
	if diff.Tag != "diff" || document.Get(diff, "format") != "2" {
		return nil, fmt.Errorf("%w: <diff format=\"2\"> expected", ErrFormat)
	}
	if err := checkVersion(root, diff); err != nil {
		return nil, err
	}
	n := 0
	for change := range document.Children(diff, "") {
		switch change.Tag {
		case "version":
			continue
		case "change":
		default:
			return nil, fmt.Errorf("%w: unknown element %s", ErrFormat, change.Tag)
		}
		if n++; n > MaxChanges {
			return nil, fmt.Errorf("%w: more than %d changes", ErrFormat, MaxChanges)
		}
		next, err := applyChange(root, change)
		if err != nil {
			return nil, fmt.Errorf("change %d: %w", n, err)
		}
		root = next
	}
	return root, nil
}

// Source gives the version that a patchset starts from; ok is false where it
// names none.
func Source(diff *etree.Element) (admin, epoch, updates uint64, ok bool) {
	return version(diff, "source")
}

// Target gives the version that a patchset leads to.
func Target(diff *etree.Element) (admin, epoch, updates uint64, ok bool) {
	return version(diff, "target")
}

func version(diff *etree.Element, tag string) (admin, epoch, updates uint64, ok bool) {
	v := document.At(diff, "version", tag)
	if v == nil {
		return 0, 0, 0, false
	}
	admin, epoch, updates = document.Versions(v)
	return admin, epoch, updates, true
}

func checkVersion(root, diff *etree.Element) error {
	sa, se, su, ok := Source(diff)
	if !ok {
		return nil
	}
	a, e, u := document.Versions(root)
	have, want := []uint64{a, e, u}, []uint64{sa, se, su}
	switch c := slices.Compare(have, want); {
	case c > 0:
		return fmt.Errorf("%w: it starts from %d.%d.%d, the document is %d.%d.%d", ErrOld, sa, se, su, a, e, u)
	case c < 0:
		return fmt.Errorf("%w: it starts from %d.%d.%d, the document is %d.%d.%d", ErrNew, sa, se, su, a, e, u)
	}
	return nil
}

func applyChange(root, change *etree.Element) (*etree.Element, error) {
	op, path := document.Get(change, "operation"), document.Get(change, "path")
	position := -1
	if p, ok := document.Lookup(change, "position"); ok {
		n, err := strconv.Atoi(p)
		if err != nil || n < -1 {
			return nil, fmt.Errorf("%w: position %q", ErrFormat, p)
		}
		position = n
	}
	if op == "create" && path == "" {
		first := document.Child(change, "")
		if first == nil {
			return nil, fmt.Errorf("%w: nothing to create", ErrFormat)
		}
		return document.Clone(first), nil
	}
	if parent, ok := strings.CutSuffix(path, "/comment"); ok && op == "delete" && position >= 0 {
		return root, deleteComment(find(root, parent), path, position)
	}
	e := find(root, path)
	if e == nil && op == "delete" {
		return root, nil // it is gone already, as Pacemaker sees it
	}
	if e == nil {
		return nil, fmt.Errorf("%w: there is no %s", ErrMismatch, path)
	}
	switch op {
	case "create":
		return root, create(e, change, position)
	case "modify":
		return root, modify(e, change)
	case "delete":
		if e == root {
			return nil, fmt.Errorf("%w: the root cannot be deleted", ErrFormat)
		}
		e.Parent().RemoveChildAt(e.Index())
		return root, nil
	case "move":
		if e == root {
			return nil, fmt.Errorf("%w: the root cannot be moved", ErrFormat)
		}
		parent := e.Parent()
		parent.RemoveChildAt(e.Index())
		return root, place(parent, position, e)
	}
	return nil, fmt.Errorf("%w: unknown operation %q", ErrFormat, op)
}

func deleteComment(parent *etree.Element, path string, at int) error {
	if parent == nil || at >= len(parent.Child) {
		return fmt.Errorf("%w: there is no %s at %d", ErrMismatch, path, at)
	}
	if _, ok := parent.Child[at].(*etree.Element); ok {
		return fmt.Errorf("%w: %s at %d is an element", ErrMismatch, path, at)
	}
	parent.RemoveChildAt(at)
	return nil
}

func create(parent, change *etree.Element, at int) error {
	if len(change.Child) != 1 {
		return fmt.Errorf("%w: a create needs exactly one node, not %d", ErrFormat, len(change.Child))
	}
	t := document.CloneToken(change.Child[0], document.Clone)
	if t == nil {
		return fmt.Errorf("%w: nothing to create", ErrFormat)
	}
	return place(parent, at, t)
}

// place puts a child at a position; none, or one behind the end, is the end.
func place(parent *etree.Element, at int, t etree.Token) error {
	if at < 0 || at > len(parent.Child) {
		at = len(parent.Child)
	}
	put(parent, at, t)
	return nil
}

// modify sets the attributes to those of the result that the change states.
func modify(e, change *etree.Element) error {
	result := document.Child(document.Child(change, "change-result"), "")
	if result == nil {
		return fmt.Errorf("%w: a modify without a result", ErrFormat)
	}
	if result.FullTag() != e.FullTag() {
		return fmt.Errorf("%w: %s cannot become %s", ErrFormat, e.FullTag(), result.FullTag())
	}
	e.Attr = slices.Clone(result.Attr)
	return nil
}
