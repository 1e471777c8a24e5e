// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/internal/atomicfile"
	"github.com/quorate/quorate/lrmd/queue"
)

const (
	fileName = "journal"
	// maxLine bounds one record in bytes.
	maxLine = 16 << 20
	// rewriteAfter is how many bytes are appended before the file is written
	// anew, if that is worth it.
	rewriteAfter = 4 << 20
)

// A Journal appends records. It is not safe for concurrent use.
type Journal struct {
	path  string
	f     *os.File
	grown int64 // bytes since the file was written anew
	base  int64 // its size then
}

// A State is what a journal says.
type State struct {
	// Boot names the incarnation that wrote it; "" where there is none.
	Boot string
	// Kernel names the boot of the machine: nothing that ran before another one
	// runs now.
	Kernel string
	queue.Saved
	// Running are the processes of runs that have not ended.
	Running []agents.Process
}

// Open reads the journal of a former incarnation in dir, and begins a new one
// for the incarnation boot. What the old one said is gone from the file once
// [Journal.Rewrite] is called.
func Open(dir string) (*Journal, State, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, State{}, fmt.Errorf("journal: %w", err)
	}
	path := filepath.Join(dir, fileName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, State{}, fmt.Errorf("journal: %w", err)
	}
	s, err := Read(f)
	if err != nil {
		_ = f.Close()
		return nil, State{}, fmt.Errorf("journal: read %s: %w", path, err)
	}
	return &Journal{path: path, f: f}, s, nil
}

// Read replays a journal.
func Read(r io.Reader) (State, error) {
	st := newReplay()
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(br)
		if len(line) > 0 {
			var rec record
			if json.Unmarshal(line, &rec) == nil {
				st.apply(rec)
			}
		}
		if errors.Is(err, io.EOF) {
			return st.state(), nil
		}
		if err != nil {
			return State{}, err
		}
	}
}

// readLine reads one line; of a line beyond the bound it returns nothing.
func readLine(br *bufio.Reader) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := br.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(line) > maxLine {
			line, tooLong = nil, true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// Rewrite replaces the file by one that says s and nothing else.
func (j *Journal) Rewrite(s State) error {
	var b []byte
	for _, rec := range s.records() {
		line, err := json.Marshal(rec)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		b = append(append(b, line...), '\n')
	}
	if err := atomicfile.WriteFile(j.path, b, 0o600); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	_ = j.f.Close()
	j.f, j.grown, j.base = f, 0, int64(len(b))
	return nil
}

// Grown tells whether the file should be written anew.
func (j *Journal) Grown() bool { return j.grown > rewriteAfter && j.grown > 4*j.base }

// Save notes a change of the queue.
func (j *Journal) Save(c queue.Change) error {
	return j.append(record{Accepted: c.Accepted, Call: c.CallID, Result: c.Result, Dropped: c.Dropped, Forgotten: c.Forgotten})
}

// Started notes a process of a run.
func (j *Journal) Started(run queue.Run, p agents.Process) error {
	return j.append(record{Run: run, Process: &p})
}

// Ended notes that a run has no process any more.
func (j *Journal) Ended(run queue.Run) error { return j.append(record{Run: run, Ended: true}) }

func (j *Journal) append(rec record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	n, err := j.f.Write(append(b, '\n'))
	j.grown += int64(n)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
