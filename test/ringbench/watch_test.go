// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ringbench

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A view is what a client on a node was told of ring and quorum.
type view struct {
	at      time.Time
	quorate bool
	ring    string
	members string // "1,2,3"
}

// A watcher is a client on a node that notes each view.
type watcher struct {
	mu    sync.Mutex
	views []view        // guarded by mu
	come  chan struct{} // closed and made anew with each view; guarded by mu
	stop  context.CancelFunc
	done  chan struct{}
}

// watch starts a client on the machine, which ends with it.
func (m *bareNode) watch(tb testing.TB) *watcher {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	w := &watcher{come: make(chan struct{}), stop: cancel, done: make(chan struct{})}
	cmd := m.command(ctx, m.lab.stack.watch)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	go func() {
		defer close(w.done)
		for s := bufio.NewScanner(out); s.Scan(); {
			w.note(s.Text())
		}
		_ = cmd.Wait()
	}()
	return w
}

func (w *watcher) note(line string) {
	f := strings.Split(line, " ")
	if len(f) != 4 {
		return
	}
	ns, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.views = append(w.views, view{time.Unix(0, ns), f[1] == "1", f[2], f[3]})
	close(w.come)
	w.come = make(chan struct{})
}

// last is the newest view, and what tells of a newer one.
func (w *watcher) last() (view, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.views) == 0 {
		return view{}, w.come
	}
	return w.views[len(w.views)-1], w.come
}

// since is when, after a moment, the client was first told what it still believes.
func (w *watcher) since(moment time.Time, v view) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := v.at
	for _, old := range slices.Backward(w.views) {
		if old.at.Before(moment) || old.ring != v.ring || old.members != v.members || old.quorate != v.quorate {
			break
		}
		at = old.at
	}
	return at
}

// settled waits until the nodes agree on one ring of just these members, and
// gives the moment in which the last of their clients had been told.
func settled(tb testing.TB, moment time.Time, nodes []*bareNode) time.Time {
	tb.Helper()
	var ids []string
	for _, m := range nodes {
		ids = append(ids, strconv.Itoa(m.index))
	}
	want := strings.Join(ids, ",")
	quorate := len(nodes) > len(nodes[0].lab.nodes)/2
	limit := time.After(settleLimit)
	for {
		var latest time.Time
		var wait <-chan struct{}
		var rings []string
		for _, m := range nodes {
			v, come := m.watcher.last()
			if v.members != want || v.quorate != quorate || v.at.Before(moment) {
				wait = come
				continue
			}
			if at := m.watcher.since(moment, v); at.After(latest) {
				latest = at
			}
			if !slices.Contains(rings, v.ring) {
				rings = append(rings, v.ring)
			}
			if wait == nil && len(rings) > 1 {
				wait = come
			}
		}
		if len(rings) == 1 && wait == nil {
			return latest
		}
		select {
		case <-wait:
		case <-limit:
			tb.Fatal(fmt.Sprintf("%s: no ring of %s within %v", nodes[0].lab.stack.name, want, settleLimit), describe(nodes))
		}
	}
}

const settleLimit = 3 * time.Minute

func describe(nodes []*bareNode) string {
	var b strings.Builder
	for _, m := range nodes {
		if m.watcher == nil {
			continue
		}
		v, _ := m.watcher.last()
		fmt.Fprintf(&b, "\nnode%d: quorate=%t ring=%s members=%s\n%s", m.index, v.quorate, v.ring, v.members, m.log())
	}
	return b.String()
}
