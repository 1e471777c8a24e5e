// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/internal/cli/exit"
)

// maxFile bounds a CIB file.
const maxFile = 64 << 20

// A file is a CIB in a file.
type file struct {
	path string
	mode fs.FileMode
	mu   sync.Mutex
	root *etree.Element // guarded by mu; never changed in place
}

func openFile(path string) (*file, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Errorf(exit.NoSuch, "Could not connect to the CIB: No such device or address")
	}
	if err != nil {
		return nil, exit.Errorf(exit.NoInput, "%w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, exit.Errorf(exit.NoInput, "%w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, exit.Errorf(exit.NoInput, "%w", err)
	}
	if len(text) > maxFile {
		return nil, exit.Errorf(exit.DataErr, "%s is larger than %d bytes", path, maxFile)
	}
	root, err := document.Parse(text)
	if err != nil {
		return nil, exit.Errorf(exit.DataErr, "%s: %w", path, err)
	}
	return &file{path: path, mode: fi.Mode(), root: root}, nil
}

// Do implements cib.Store.
func (f *file) Do(_ context.Context, req cib.Request) (cib.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.Op == cib.OpQuery {
		return operation.Query(f.root, req)
	}
	out, err := operation.Apply(f.root, req, operation.Meta{
		Client: req.Client, User: req.User, Written: time.Now().Format(operation.WrittenLayout),
	})
	if err != nil {
		return cib.Result{}, err
	}
	if req.DryRun || !out.Changed {
		return out.Result, nil
	}
	if !f.mode.IsRegular() {
		return cib.Result{}, exit.Errorf(exit.CantCreat, "%s is no file that can be written back", f.path)
	}
	if err := atomicfile.WriteFile(f.path, document.Format(out.Root), f.mode.Perm()); err != nil {
		return cib.Result{}, exit.Errorf(exit.CantCreat, "%w", err)
	}
	f.root = out.Root
	return out.Result, nil
}

// Watch implements cib.Store: a file has its present state and no changes.
func (f *file) Watch(context.Context) (cib.Watch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &fileWatch{first: &cib.Change{Version: operation.VersionOf(f.root), Snapshot: document.Format(f.root)}}, nil
}

// SetAttr implements cib.Store. Nothing is dampened in a file.
func (f *file) SetAttr(ctx context.Context, up cib.AttrUpdate) error {
	up.Dampen = 0
	f.mu.Lock()
	root := f.root
	f.mu.Unlock()
	id := attrs.NodeID(root, up.Node)
	if id == "" {
		return exit.Errorf(exit.NoSuch, "node %q is unknown", up.Node)
	}
	writes, err := attrWrites(root, up, id)
	if err != nil {
		return err
	}
	for _, req := range writes {
		if _, err := f.Do(ctx, req); err != nil {
			return err
		}
	}
	return nil
}

func attrWrites(root *etree.Element, up cib.AttrUpdate, id string) ([]cib.Request, error) {
	if !up.Permanent {
		eff, err := new(attrs.Table).Apply(root, attrs.Update{AttrUpdate: up, NodeID: id})
		return eff.Writes, err
	}
	place := attrs.Place{Scope: attrs.ScopeNodes, NodeID: id, NodeName: up.Node, Set: up.Set, Name: up.Name}
	if !up.Delete {
		section, data := place.Update(root, up.Value)
		return []cib.Request{{Op: cib.OpModify, Section: section, Data: document.Compact(data), CanCreate: true}}, nil
	}
	var writes []cib.Request
	for _, nv := range attrs.Find(root, place) {
		writes = append(writes, cib.Request{Op: cib.OpDelete, XPath: document.Path(nv)})
	}
	return writes, nil
}

// Attrs implements cib.Store.
func (f *file) Attrs(_ context.Context, name, node string) ([]cib.Attr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return new(attrs.Table).List(f.root, name, node), nil
}

// Close implements cib.Store.
func (f *file) Close() error { return nil }

type fileWatch struct{ first *cib.Change }

func (w *fileWatch) Next(ctx context.Context) (cib.Change, error) {
	if c := w.first; c != nil {
		w.first = nil
		return *c, nil
	}
	<-ctx.Done()
	return cib.Change{}, fmt.Errorf("watch of a file: %w", ctx.Err())
}

func (w *fileWatch) Close() error { return nil }
