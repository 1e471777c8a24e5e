// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package archive

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/internal/bzip2"
)

// Series is the kind of an input.
type Series string

// The series.
const (
	Input Series = "pe-input" // nothing remarkable
	Warn  Series = "pe-warn"  // something is wrong in the cluster
	Error Series = "pe-error" // something is wrong in the configuration
)

// queueSize bounds how many inputs wait to be written.
const queueSize = 16

type job struct {
	series Series
	path   string
	next   int
	data   []byte
}

// An Archive keeps inputs in a folder.
type Archive struct {
	dir  string
	log  *slog.Logger
	jobs chan job
	done chan struct{}

	mu     sync.Mutex
	next   map[Series]int    // guarded by mu
	last   [sha256.Size]byte // of the input kept last; guarded by mu
	path   string            // of that input; guarded by mu
	closed bool              // guarded by mu
}

// New returns the archive in a folder, which is made where it is not there.
func New(dir string, log *slog.Logger) (*Archive, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	a := &Archive{dir: dir, log: log, jobs: make(chan job, queueSize), done: make(chan struct{}), next: map[Series]int{}}
	go a.write()
	return a, nil
}

// Save keeps an input and gives the file's name. most bounds the series: 0 keeps
// nothing, below 0 is no bound. An input equal to the last one is not kept again.
func (a *Archive) Save(series Series, most int, data []byte) string {
	if most == 0 {
		return ""
	}
	sum := sha256.Sum256(data)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || sum == a.last {
		return a.path
	}
	n, known := a.next[series]
	if !known {
		n = a.readNext(series)
	}
	if most > 0 && n >= most {
		n = 0
	}
	j := job{series: series, path: filepath.Join(a.dir, string(series)+"-"+strconv.Itoa(n)+".bz2"), next: n + 1, data: data}
	select {
	case a.jobs <- j:
	default:
		a.log.Warn("input not kept", "file", j.path, "why", "the disk is too slow")
		return ""
	}
	a.next[series], a.last, a.path = n+1, sum, j.path
	return j.path
}

func (a *Archive) lastFile(s Series) string { return filepath.Join(a.dir, string(s)+".last") }

// readNext is the number that the series goes on with.
func (a *Archive) readNext(s Series) int {
	text, err := os.ReadFile(a.lastFile(s))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			a.log.Warn("sequence not read", "series", string(s), "error", err)
		}
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// write is the goroutine that writes.
func (a *Archive) write() {
	defer close(a.done)
	for j := range a.jobs {
		err := atomicfile.WriteFile(j.path, bzip2.Compress(j.data), 0o640)
		if err == nil {
			err = atomicfile.WriteFile(a.lastFile(j.series), []byte(strconv.Itoa(j.next)+"\n"), 0o640)
		}
		if err != nil {
			a.log.Error("input not kept", "file", j.path, "error", err)
		}
	}
}

// Close waits until everything is written.
func (a *Archive) Close() error {
	a.mu.Lock()
	if !a.closed {
		a.closed = true
		close(a.jobs)
	}
	a.mu.Unlock()
	<-a.done
	return nil
}
