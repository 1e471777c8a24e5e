// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
)

// newLogger writes records as key=value lines. Under the journal each line
// starts with its priority as sd-daemon(3) has it, and without the time, which
// the journal knows better.
//
// The level that is returned can be changed while the daemon runs.
func newLogger(w io.Writer, name, level string, journal bool) (*slog.Logger, *slog.LevelVar, error) {
	var lv slog.Level
	if err := lv.UnmarshalText([]byte(level)); err != nil {
		return nil, nil, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	lowest := &slog.LevelVar{}
	lowest.Set(lv)
	if !journal {
		h := slog.NewTextHandler(w, &slog.HandlerOptions{Level: lowest})
		return slog.New(h).With("daemon", name), lowest, nil
	}
	return slog.New(newJournalHandler(w, lowest)), lowest, nil
}

// isJournal tells whether w is the stream to the journal that systemd names in
// JOURNAL_STREAM, device and inode. A daemon whose output goes elsewhere, though
// something above it runs under systemd, inherits the variable all the same.
func isJournal(w io.Writer, stream string) bool {
	f, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	fi, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// A journalHandler holds one text handler for each priority.
type journalHandler struct {
	level  slog.Leveler
	byPrio map[string]slog.Handler
}

func newJournalHandler(w io.Writer, level slog.Leveler) *journalHandler {
	h := &journalHandler{level: level, byPrio: map[string]slog.Handler{}}
	shared := &lockedWriter{w: w}
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: dropTime}
	for _, prio := range []string{"<7>", "<6>", "<4>", "<3>"} {
		h.byPrio[prio] = slog.NewTextHandler(prefixWriter{shared, prio}, opts)
	}
	return h
}

func dropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}

func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// Enabled implements slog.Handler.
func (h *journalHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.byPrio[priority(r.Level)].Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.each(func(x slog.Handler) slog.Handler { return x.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *journalHandler) WithGroup(name string) slog.Handler {
	return h.each(func(x slog.Handler) slog.Handler { return x.WithGroup(name) })
}

func (h *journalHandler) each(f func(slog.Handler) slog.Handler) *journalHandler {
	n := &journalHandler{level: h.level, byPrio: make(map[string]slog.Handler, len(h.byPrio))}
	for prio, x := range h.byPrio {
		n.byPrio[prio] = f(x)
	}
	return n
}

// lockedWriter keeps the lines of the several handlers apart.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer // guarded by mu
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// prefixWriter puts the priority before each line; a text handler writes one
// whole line at a time.
type prefixWriter struct {
	w    *lockedWriter
	prio string
}

func (p prefixWriter) Write(line []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.prio), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}
