// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/pengine/simulate"
)

// profileDir times the scheduling of each file of a directory.
func (f *flags) profileDir(stdio *cli.IO) error {
	entries, err := os.ReadDir(f.profile)
	if err != nil {
		return exit.Errorf(codeOf(err), "crm_simulate: Could not read '%s': %s", f.profile, reason(err))
	}
	began := false
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), ".xml") {
			continue
		}
		path := f.profile + "/" + e.Name()
		if info, err := os.Stat(filepath.Clean(path)); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if !began {
			f.o.Out.Begin(simulate.PartTimings)
			began = true
		}
		f.profileFile(stdio, path)
	}
	if began {
		f.o.Out.End()
	}
	return nil
}

// profileFile times one file; what cannot be read is told and left out.
func (f *flags) profileFile(stdio *cli.IO, path string) {
	begin := time.Now()
	text, err := ReadFile(path)
	if err != nil {
		stdio.Errorf("crm_simulate: %s: %s\n", path, reason(err))
		return
	}
	root, err := document.Parse(text)
	if err != nil {
		stdio.Errorf("crm_simulate: %s: %s\n", path, err)
		return
	}
	if root, err = simulate.Prepare(root, func(line string) { stdio.Errorf("%s\n", line) }); err != nil {
		return
	}
	for range f.repeat {
		if err := simulate.Profile(root, f.o); err != nil {
			stdio.Errorf("crm_simulate: %s: %s\n", path, err)
			return
		}
	}
	f.o.Out.Item(simulate.Timing{File: path, Seconds: time.Since(begin).Seconds()})
}
