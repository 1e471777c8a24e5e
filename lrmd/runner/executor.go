// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/queue"
)

// Execute implements [lrmd.Executor].
func (e *Executor) Execute(ctx context.Context, op lrmd.Op) (int, error) {
	var call int
	var err error
	derr := e.do(ctx, func() {
		if e.closing {
			err = lrmd.ErrClosed
			return
		}
		var out []queue.Output
		call, out, err = e.core.Submit(e.cfg.Clock.Now(), op)
		e.apply(out)
	})
	if derr != nil {
		return 0, derr
	}
	return call, err
}

// Cancel implements [lrmd.Executor].
func (e *Executor) Cancel(ctx context.Context, resource, action string, interval time.Duration) (bool, error) {
	var known bool
	err := e.do(ctx, func() {
		var out []queue.Output
		known, out = e.core.Cancel(e.cfg.Clock.Now(), queue.Key{Resource: resource, Action: action, Interval: interval})
		e.apply(out)
	})
	return known, err
}

// Forget implements [lrmd.Executor].
func (e *Executor) Forget(ctx context.Context, resource string) error {
	return e.do(ctx, func() { e.apply(e.core.Forget(e.cfg.Clock.Now(), resource)) })
}

// Watch implements [lrmd.Executor].
func (e *Executor) Watch(ctx context.Context) (lrmd.Watch, error) {
	w := &watch{e: e, results: make(chan lrmd.Result, maxResults)}
	err := e.do(ctx, func() {
		w.snap = e.core.Snapshot()
		w.snap.Boot = e.boot
		e.watches[w] = struct{}{}
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (e *Executor) class(name string) (Class, error) {
	c := e.classes[name]
	if c == nil {
		return nil, fmt.Errorf("%w: no class is called %q", lrmd.ErrNoAgent, name)
	}
	return c, nil
}

// Metadata implements [lrmd.Executor].
func (e *Executor) Metadata(ctx context.Context, a lrmd.Agent) (string, error) {
	c, err := e.class(a.Class)
	if err != nil {
		return "", err
	}
	text, err := c.Metadata(ctx, a.Provider, a.Type)
	if err != nil {
		return "", fmt.Errorf("%w: %w", lrmd.ErrNoAgent, err)
	}
	return text, nil
}

// Agents implements [lrmd.Executor].
func (e *Executor) Agents(ctx context.Context, class, provider string) ([]string, error) {
	c, err := e.class(class)
	if err != nil {
		return nil, err
	}
	return c.List(ctx, provider)
}

// Providers implements [lrmd.Executor].
func (e *Executor) Providers(ctx context.Context, typ string) ([]string, error) {
	type provider interface {
		Providers(ctx context.Context, typ string) ([]string, error)
	}
	for _, c := range e.cfg.Classes {
		if p, ok := c.Class.(provider); ok {
			return p.Providers(ctx, typ)
		}
	}
	return nil, nil
}

// Classes implements [lrmd.Executor]. A class that can tell that it does not
// work on this machine is left out.
func (e *Executor) Classes(ctx context.Context) ([]string, error) {
	type available interface {
		Available(ctx context.Context) bool
	}
	var names []string
	for _, c := range e.cfg.Classes {
		if a, ok := c.Class.(available); !ok || a.Available(ctx) {
			names = append(names, c.Name)
		}
	}
	return names, nil
}

// Healthy tells whether the owner of the queue answers.
func (e *Executor) Healthy(ctx context.Context) error { return e.do(ctx, func() {}) }

// Close ends the executor: what runs has the configured grace, then it is
// killed and the next executor reports it as lost.
func (e *Executor) Close() error {
	e.once.Do(func() { close(e.quit) })
	<-e.done
	e.runs.Wait()
	return nil
}
