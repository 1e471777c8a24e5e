// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/engine"
)

// maxDisagreements bounds the keys that a node names where its file differs from
// another node's.
const maxDisagreements = 8

// A Reader reads a node's configuration anew while it runs. It is safe for
// concurrent use.
type Reader struct {
	source Source
	cmap   *cmap.Map

	mu      sync.Mutex
	running *conf.Config // guarded by mu
	key     uint64       // guarded by mu; of the key that runs
}

// NewReader makes the reader of a node that runs c, which cfg was built of.
func NewReader(s Source, c *conf.Config, cfg *engine.Config) *Reader {
	return &Reader{source: s, running: c, cmap: cfg.Cmap, key: cfg.Key.ID()}
}

// Read reads the files and gives what would run if they were loaded: keys that
// count at the start only keep their values.
func (r *Reader) Read(ctx context.Context) (*engine.Draft, error) {
	s := r.source
	if s.Refresh != nil {
		m, err := s.Refresh(ctx)
		if err != nil {
			return nil, err
		}
		s.Machine = m
	}
	fresh, err := Load(s)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	running, key := r.running, r.key
	r.mu.Unlock()
	merged, kept, err := running.Amend(fresh)
	if err != nil {
		return nil, err
	}
	cfg, err := Build(s, merged)
	if err != nil {
		return nil, err
	}
	own := shared(fresh, cfg.Key)
	d := &engine.Draft{
		Config: cfg, Wire: wireLinks(merged, &cfg), Digest: conf.Digest(own), Text: conf.Text(own),
		Compare: func(node messaging.NodeID, theirs []byte) []string {
			out := conf.Disagreements(own, conf.ParseText(theirs), node, maxDisagreements)
			for i := range out {
				out[i] = fresh.File + ": " + out[i]
			}
			return out
		},
		Publish: func() error {
			r.mu.Lock()
			r.running, r.key = merged, cfg.Key.ID()
			r.mu.Unlock()
			return Publish(merged, &cfg, r.cmap)
		},
	}
	for _, c := range conf.Changes(running, merged) {
		d.Report.Changed = append(d.Report.Changed, c.String())
	}
	if cfg.Key.ID() != key {
		d.Report.Changed = append(d.Report.Changed, keyEntry+": changed")
	}
	for _, c := range kept {
		d.Report.Kept = append(d.Report.Kept, c.String())
	}
	if s.Logging != nil {
		d.Apply = func() { s.Logging(merged.Logging) }
	}
	return d, nil
}

// shared is what all nodes must agree on: what the file says about the cluster,
// and the key by its public number.
func shared(c *conf.Config, key auth.Key) []messaging.CmapEntry {
	es := append(c.Shared(), messaging.CmapEntry{Key: keyEntry, Type: "str", Value: fmt.Sprintf("%016x", key.ID())})
	slices.SortFunc(es, func(a, b messaging.CmapEntry) int { return strings.Compare(a.Key, b.Key) })
	return es
}

// keyEntry stands for the key among what nodes compare.
const keyEntry = "authkey"
