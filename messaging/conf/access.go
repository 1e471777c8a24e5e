// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// accessDir stands beside corosync.conf; its files have uidgid sections.
const accessDir = "uidgid.d"

// maxAccessFiles bounds the files that are read there.
const maxAccessFiles = 1024

// readAccess reads the files of a folder, in the order of their names. There may
// be no such folder.
func readAccess(dir string) ([]Principal, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("conf: look for uidgid sections: %w", err)
	}
	if len(files) > maxAccessFiles {
		return nil, fmt.Errorf("conf: %s has %d files, %d are read at most", dir, len(files), maxAccessFiles)
	}
	var out []Principal
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("conf: read uidgid sections: %w", err)
		}
		more, err := accessOf(path, text)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// accessOf reads the uidgid sections of a file that has nothing else.
func accessOf(file string, text []byte) ([]Principal, error) {
	root, err := Parse(file, text)
	if err != nil {
		return nil, err
	}
	b := builder{lines: map[string]int{}, cfg: &Config{File: file}}
	for _, k := range root.Keys {
		b.fault(k.Line, "%s: only uidgid sections are allowed in this file", k.Name)
	}
	for _, s := range root.Subs {
		if s.Name != "uidgid" {
			b.fault(s.Line, "%s: only uidgid sections are allowed in this file", s.Name)
			continue
		}
		b.section(s, s.Name, s.Name)
	}
	var all []error
	for _, e := range b.errs {
		all = append(all, e)
	}
	return b.cfg.Access, errors.Join(all...)
}

// subsystem takes a logger_subsys section.
func (b *builder) subsystem(s *Section) {
	state := func(name string) Switch {
		switch v := value(s, name); {
		case v == "":
			return Unset
		case yes(v) || v == "trace":
			return On
		}
		return Off
	}
	b.cfg.Logging.Subsys = append(b.cfg.Logging.Subsys, Subsys{
		Name: value(s, "subsys"), ToLogfile: state("to_logfile"), LogfilePriority: value(s, "logfile_priority"), Debug: state("debug"),
	})
}

// The bounds of nice values, of which the least is the greatest priority, and of
// the priorities of real-time threads.
const (
	MinNice     = -20
	MaxNice     = 19
	MinRealTime = 1
	MaxRealTime = 99
)

// An Urgency is how the threads of the daemon are scheduled.
type Urgency struct {
	// RealTime is the priority of the policy SCHED_RR, 0 for the ordinary one.
	RealTime int
	// Nice is the nice value where real-time scheduling is not wanted, or not to
	// be had.
	Nice int
}

// ReadUrgency is what system.sched_rr and system.priority ask for.
func ReadUrgency(schedRR bool, priority string) (Urgency, error) {
	u := Urgency{Nice: MinNice}
	value, most, least, what := &u.Nice, MinNice, MaxNice, "a nice value"
	if schedRR {
		value, most, least, what = &u.RealTime, MaxRealTime, MinRealTime, "a real-time priority"
	}
	switch priority {
	case "", "max":
		*value = most
		return u, nil
	case "min":
		*value = least
		return u, nil
	}
	n, err := strconv.Atoi(priority)
	if low, high := min(most, least), max(most, least); err != nil || n < low || n > high {
		return u, fmt.Errorf("Invalid system.priority %q: give max, min or %s from %d to %d", priority, what, low, high) //nolint:staticcheck // corosync's form of a fault
	}
	*value = n
	return u, nil
}
