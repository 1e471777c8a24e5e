// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/messaging/engine"
)

// A ClassicLog writes corosync's sentences: to the structured log, and, where
// logging.to_logfile asks for it, to a file in corosync's own form, which
// tutorials and log readers look into.
type ClassicLog struct {
	log  *slog.Logger
	wall func() time.Time
	host string

	mu   sync.Mutex
	file io.WriteCloser // guarded by mu; nil for none
}

// NewClassicLog makes a log; OpenFile adds the file.
func NewClassicLog(log *slog.Logger, wall func() time.Time, host string) *ClassicLog {
	return &ClassicLog{log: log, wall: wall, host: host}
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
	c.file = f
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
	if c.file != nil {
		host, _, _ := strings.Cut(c.host, ".")
		_, _ = fmt.Fprintf(c.file, "%s [%d] %s corosync %-7s %s\n", c.wall().Format("Jan 02 15:04:05"), os.Getpid(), host, a.Level, text)
	}
}

// Close closes the file.
func (c *ClassicLog) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	f := c.file
	c.file = nil
	return f.Close()
}
