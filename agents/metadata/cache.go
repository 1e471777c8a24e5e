// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package metadata

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/clock"
)

const (
	// maxCached bounds how many agents a cache remembers.
	maxCached = 4096
	// askAgainAfter is how long an agent that failed to describe itself is left
	// alone: one that hangs would else be started again for each who asks.
	askAgainAfter = time.Minute
)

// A Cache remembers what agents said of themselves until their files change. It
// is safe for concurrent use; an agent is asked by one at a time.
type Cache struct {
	clock clock.Clock
	mu    sync.Mutex
	files map[string]*entry // by path; guarded by mu
}

// An entry is what is known of one agent. What follows turn belongs to whoever
// holds it.
type entry struct {
	turn chan struct{}
	mod  time.Time
	size int64
	text string
	err  error
	at   time.Duration // of the failure
}

// NewCache returns an empty cache; a nil clock is the runtime's.
func NewCache(ck clock.Clock) *Cache {
	if ck == nil {
		ck = clock.Runtime()
	}
	return &Cache{clock: ck, files: map[string]*entry{}}
}

// Get returns what the agent whose program is path says of itself. It calls ask
// where that is not known.
func (c *Cache) Get(ctx context.Context, path string, ask func(context.Context) (string, error)) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("metadata: %w", err)
	}
	e := c.entry(path)
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-e.turn }()
	same := e.mod.Equal(st.ModTime()) && e.size == st.Size()
	switch {
	case same && e.text != "":
		return e.text, nil
	case same && e.err != nil && c.clock.Now()-e.at < askAgainAfter:
		return "", e.err
	}
	text, err := ask(ctx)
	if ctx.Err() != nil {
		return text, err // it may be the caller that failed, not the agent
	}
	e.mod, e.size, e.text, e.err, e.at = st.ModTime(), st.Size(), text, err, c.clock.Now()
	return text, err
}

func (c *Cache) entry(path string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.files[path]
	if e == nil {
		if len(c.files) >= maxCached {
			clear(c.files)
		}
		e = &entry{turn: make(chan struct{}, 1)}
		c.files[path] = e
	}
	return e
}
