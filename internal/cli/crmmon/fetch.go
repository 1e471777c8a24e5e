// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmmon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/cibsource"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/statusview"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/pengine/status"
)

// How long a picture may take to get.
const (
	cibTimeout     = 10 * time.Second
	controlTimeout = 2 * time.Second
)

// A source is where the state comes from: the node's daemons or a file.
type source struct {
	store   cib.Store
	control crmd.Controller // nil for a file
	cluster bool
}

func open(io *cli.IO) (*source, error) {
	store, err := cibsource.Open(io)
	if err != nil {
		return nil, err
	}
	s := &source{store: store, cluster: cibsource.File(io) == ""}
	if s.cluster {
		if s.control, err = cibsource.Controller(io); err != nil {
			return nil, errors.Join(err, store.Close())
		}
	}
	return s, nil
}

func (s *source) close() {
	_ = s.store.Close()
	if s.control != nil {
		_ = s.control.Close()
	}
}

// view gets the present state.
func (s *source) view(ctx context.Context, show statusview.Options) (*statusview.View, error) {
	ask, cancel := context.WithTimeout(ctx, cibTimeout)
	defer cancel()
	root, err := cibsource.Read(ask, s.store)
	if err != nil {
		return nil, err
	}
	c, err := status.Unpack(root, status.Settings{Now: time.Now()})
	if err != nil {
		return nil, exit.Errorf(exit.DataErr, "%w", err)
	}
	v := &statusview.View{Cluster: c, Options: show}
	if s.cluster {
		s.askController(ctx, v)
	}
	return v, nil
}

// askController adds what only the controller knows. A controller that is away
// leaves the picture without it.
func (s *source) askController(ctx context.Context, v *statusview.View) {
	ask, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	v.Daemon = &statusview.Daemon{State: "running", Updated: time.Now()}
	if _, err := s.control.Status(ask); err != nil {
		v.Daemon.State = "starting_daemons"
		v.FencingUnknown = true
		return
	}
	events, err := s.control.FenceHistory(ask, "*")
	v.Fencing, v.FencingUnknown = events, err != nil
}

// explain gives the exit code and the lines for an error of the source.
func explain(tool string, simple bool, err error) (exit.Code, []string) {
	code := cibsource.Code(err)
	why := code.String()
	switch {
	case errors.Is(err, ipc.ErrUnavailable):
		why = "Connection refused"
	case errors.Is(err, ipc.ErrDenied):
		why = "Permission denied"
	case code != exit.Disconnect && code != exit.Timeout:
		return code, []string{err.Error()}
	}
	prefix := ""
	if simple {
		prefix = "CLUSTER CRIT: "
	}
	return code, []string{
		"error: Could not connect to launcher: " + why,
		fmt.Sprintf("%s: %sConnection to cluster failed: %s", tool, prefix, why),
	}
}

// legacyXML writes the elements in the older envelope.
func legacyXML(w io.Writer, body []*etree.Element) error {
	root := document.New("crm_mon", "version", cli.PacemakerVersion)
	for _, e := range body {
		root.AddChild(e)
	}
	_, err := w.Write(document.Format(root))
	return err
}

// A replacement collects a file's new content and puts it in place whole.
type replacement struct {
	bytes.Buffer
	path string
}

func (r *replacement) commit() error {
	if err := atomicfile.WriteFile(r.path, r.Bytes(), 0o644); err != nil {
		return exit.Errorf(exit.CantCreat, "%w", err)
	}
	return nil
}
