// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/engine"
)

// A ClassicLog writes corosync's sentences: to the structured log, and, where
// logging.to_logfile asks for it, to a file in corosync's own form, which
// tutorials and log readers look into.
type ClassicLog struct {
	log  *slog.Logger
	wall func() time.Time
	host string

	mu     sync.Mutex
	file   io.WriteCloser // guarded by mu; nil for none
	path   string         // guarded by mu; of file
	lowest int            // guarded by mu; what is less severe does not go into the file
	stamp  string         // guarded by mu; layout of the time
	subsys []conf.Subsys  // guarded by mu
}

// The layouts of the time by logging.timestamp.
var stamps = map[string]string{"on": "Jan 02 15:04:05 ", "hires": "Jan 02 15:04:05.000 ", "off": ""}

// severities orders the levels of syslog, the most severe last.
var severities = []string{"debug", "info", "notice", "warning", "err", "crit", "alert", "emerg"}

func severity(level string) int {
	if level == "error" {
		level = "err"
	}
	return slices.Index(severities, level)
}

// Configure does what the logging section says about the file.
func (c *ClassicLog) Configure(l conf.Logging, abs func(string) string) error {
	c.mu.Lock()
	c.stamp = stamps[cmp.Or(l.Timestamp, "on")]
	c.lowest = severity(cmp.Or(l.LogfilePriority, "info"))
	if l.Debug {
		c.lowest = 0
	}
	c.subsys = slices.Clone(l.Subsys)
	c.mu.Unlock()
	if !l.ToLogfile || l.Logfile == "" {
		return c.Close()
	}
	return c.OpenFile(abs(l.Logfile))
}

// Reopen opens the file anew, after somebody moved it away.
func (c *ClassicLog) Reopen() error {
	c.mu.Lock()
	path := c.path
	c.mu.Unlock()
	if path == "" {
		return nil
	}
	return c.OpenFile(path)
}

// NewClassicLog makes a log; OpenFile adds the file.
func NewClassicLog(log *slog.Logger, wall func() time.Time, host string) *ClassicLog {
	return &ClassicLog{log: log, wall: wall, host: host, stamp: stamps["on"], lowest: severity("info")}
}

// OpenFile appends to a file from now on.
func (c *ClassicLog) OpenFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("node: folder of the log file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("node: log file: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil {
		_ = c.file.Close()
	}
	c.file, c.path = f, path
	return nil
}

// Write takes one sentence.
func (c *ClassicLog) Write(a engine.Announcement) {
	const msg = "corosync"
	text := fmt.Sprintf("[%-6s] %s", a.Subsys, a.Text)
	switch a.Level {
	case "error":
		c.log.Error(msg, "text", text)
	case "warning":
		c.log.Warn(msg, "text", text)
	default:
		c.log.Info(msg, "text", text)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil && c.wantsLocked(a) {
		host, _, _ := strings.Cut(c.host, ".")
		_, _ = fmt.Fprintf(c.file, "%s[%d] %s corosync %-7s %s\n", c.wall().Format(c.stamp), os.Getpid(), host, a.Level, text)
	}
}

// wantsLocked tells whether a sentence goes into the file: the section of its
// subsystem counts before what is said for all.
func (c *ClassicLog) wantsLocked(a engine.Announcement) bool {
	lowest := c.lowest
	for _, s := range c.subsys {
		if s.Name != a.Subsys {
			continue
		}
		if !s.ToLogfile.Or(true) {
			return false
		}
		if s.LogfilePriority != "" {
			lowest = severity(s.LogfilePriority)
		}
		if s.Debug.Or(false) {
			lowest = 0
		}
	}
	return severity(a.Level) >= lowest
}

// Close closes the file.
func (c *ClassicLog) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	f := c.file
	c.file, c.path = nil, ""
	return f.Close()
}
