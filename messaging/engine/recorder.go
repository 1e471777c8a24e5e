// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/recorder"
	"github.com/quorate/quorate/messaging/recorder/ring"
	"github.com/quorate/quorate/messaging/totem"
)

// dumpKey makes the recording be written when it is set, as corosync's black box.
const dumpKey = "runtime.blackbox.dump_flight_data"

// Names of recordings, as corosync names those of its black box.
const (
	dumpName = "fdata"
	// maxDumps bounds the recordings that are kept.
	maxDumps = 8
)

// stepCore lets the ring take an event and records it.
func (e *Engine) stepCore(ev totem.Event) []totem.Action {
	done := false
	defer func() {
		if !done {
			ring.Panicked(e.recorder, e.now, ev)
		}
	}()
	before, lost := e.core.State(), uint64(0)
	if _, ok := ev.(*totem.Timer); ok {
		lost = e.core.Stats().TokenLost
	}
	actions := ring.Step(e.recorder, e.core, e.now, ev)
	done = true
	e.traffic.stepped(e.now, before, lost, ev, e.core)
	e.tokenSeen()
	return actions
}

// recording gives the bytes of a file of what was recorded until now.
// final is the core's state now, nil where it cannot be trusted.
func (e *Engine) recording(why string, final []byte) []byte {
	h := recorder.Header{Core: ring.CoreName, Node: uint32(e.cfg.Self), Program: program(), Wall: e.cfg.Clock.Wall(), Why: why}
	return e.recorder.Dump(h, final)
}

// program names this build.
func program() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	words := []string{info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" && s.Value == "true" {
			words = append(words, s.Key+"="+s.Value)
		}
	}
	return strings.Join(words, " ")
}

// Dump writes what the core of the ring went through lately to a file and gives
// its path. The engine waits for a copy of the memory, not for the disk.
func (b *Bus) Dump(ctx context.Context) (string, error) {
	if b.e.cfg.DumpDir == "" || b.e.recorder == nil {
		return "", fmt.Errorf("%w: this daemon keeps no recording", messaging.ErrInvalid)
	}
	var file []byte
	if err := b.e.call(ctx, func() { file = b.e.recording("asked for", b.e.core.AppendState(nil)) }); err != nil {
		return "", err
	}
	return b.e.writeDump(file)
}

// writeDump writes a recording, points the link at it and drops the oldest.
func (e *Engine) writeDump(file []byte) (string, error) {
	dir := e.cfg.DumpDir
	stamp := e.cfg.Clock.Wall().UTC().Format("2006-01-02T15:04:05.000")
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-%d", dumpName, stamp, os.Getpid()))
	if err := atomicfile.WriteFile(path, file, 0o600); err != nil {
		return "", fmt.Errorf("engine: write the recording: %w", err)
	}
	link := filepath.Join(dir, dumpName)
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return path, fmt.Errorf("engine: name the recording: %w", err)
	}
	if err := os.Symlink(filepath.Base(path), link); err != nil {
		return path, fmt.Errorf("engine: name the recording: %w", err)
	}
	e.cfg.Log.Info("recording written", "path", path, "bytes", len(file))
	return path, dropDumps(dir)
}

// dropDumps keeps the newest recordings; their names sort by time.
func dropDumps(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("engine: look for old recordings: %w", err)
	}
	var names []string
	for _, d := range entries {
		if strings.HasPrefix(d.Name(), dumpName+"-") && d.Type().IsRegular() {
			names = append(names, d.Name())
		}
	}
	slices.Sort(names)
	for len(names) > maxDumps {
		if err := os.Remove(filepath.Join(dir, names[0])); err != nil {
			return fmt.Errorf("engine: drop an old recording: %w", err)
		}
		names = names[1:]
	}
	return nil
}

// dumpTrouble writes the recording when the engine ends in trouble or panics,
// and lets the panic go on.
func (e *Engine) dumpTrouble() {
	p := recover()
	why, final := "", []byte(nil)
	switch {
	case p != nil:
		why = fmt.Sprintf("panic: %v", p)
	case e.trouble != nil:
		why, final = e.trouble.Error(), e.core.AppendState(nil)
	}
	if why != "" {
		e.dump(why, final)
	}
	if p != nil {
		panic(p)
	}
}

// dump writes the recording of an engine that ends, if it keeps one.
func (e *Engine) dump(why string, final []byte) {
	if e.cfg.DumpDir == "" || e.recorder == nil {
		return
	}
	if _, err := e.writeDump(e.recording(why, final)); err != nil {
		e.cfg.Log.Error("recording not written", "error", err)
	}
}

// recorded tells how far back the recording goes.
func (e *Engine) recorded() (time.Duration, uint64) {
	from, events := e.recorder.Span()
	if events == 0 {
		return 0, 0
	}
	return e.cfg.Clock.Now() - from, events
}
