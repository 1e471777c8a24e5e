// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/agents/fence"
	cibclient "github.com/quorate/quorate/cib/client"
	"github.com/quorate/quorate/crmd/core"
	"github.com/quorate/quorate/crmd/engine"
	"github.com/quorate/quorate/crmd/haexporter"
	"github.com/quorate/quorate/crmd/server"
	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/internal/ipc"
	lrmdclient "github.com/quorate/quorate/lrmd/client"
	"github.com/quorate/quorate/messaging"
	messagingclient "github.com/quorate/quorate/messaging/client"
	pengineclient "github.com/quorate/quorate/pengine/client"
	transitionclient "github.com/quorate/quorate/transition/client"
)

// Run is the body of the daemon: it returns when this node has left the cluster.
func Run(ctx context.Context, env *daemon.Env) error {
	cfg, closeAll, err := connect(env)
	defer closeAll()
	if err != nil {
		return err
	}
	lis, err := ipc.Listen(env.Paths.Socket("crmd"))
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	lazy := &engine.Lazy{Node: host}
	serveCtx, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- ipc.Serve(serveCtx, server.New(lazy, env.Log), lis) }()
	defer func() {
		stopServing()
		if err := <-served; err != nil {
			env.Log.Warn("socket not closed well", "error", err.Error())
		}
	}()
	env.SetHealth(lazy.Health)
	env.Ready()

	st, err := whoAmI(ctx, env, cfg.Bus)
	if err != nil {
		return nil // stopped before there was a ring: nothing to leave
	}
	cfg.Core = coreConfig(st, host)
	e := engine.New(cfg)
	lazy.Set(e)
	env.Metrics.MustRegister(haexporter.New(haexporter.Config{
		Snapshot: e.Snapshot, Status: cfg.Bus.Status, Now: env.Clock.Wall,
	}))
	go drain(ctx, env, e)
	return e.Run(context.WithoutCancel(ctx))
}

// connect prepares the connections to the daemons below; none of them need be
// there yet.
func connect(env *daemon.Env) (cfg engine.Config, closeAll func(), err error) {
	var closers []func() error
	closeAll = func() {
		for _, c := range closers {
			_ = c()
		}
	}
	bus, err1 := messagingclient.Dial(env.Paths.Socket("messagingd"))
	store, err2 := cibclient.Dial(env.Paths.Socket("cibd"))
	executor, err3 := lrmdclient.Dial(env.Paths.Socket("lrmd"))
	policy, err4 := pengineclient.Dial(env.Paths.Socket("pengined"))
	transitions, err5 := transitionclient.Dial(env.Paths.Socket("transitiond"))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return cfg, closeAll, err
	}
	closers = append(closers, bus.Close, store.Close, executor.Close, policy.Close, transitions.Close)
	devices := fence.New(fence.Config{
		Dirs: fence.Dirs(env.Paths.Root), Env: os.Environ(), Exec: exec.Runner{Clock: env.Clock},
	})
	return engine.Config{
		Bus: bus, Store: store, Exec: executor, Policy: policy, Engine: transitions,
		Fencer: &engine.AgentFencer{Class: devices, Clock: env.Clock},
		Clock:  env.Clock, Log: env.Log, Observer: engine.NewMetrics(env.Metrics),
	}, closeAll, nil
}

// Pauses between questions to a messaging daemon that does not answer yet.
const (
	firstPause = 50 * time.Millisecond
	longPause  = time.Second
)

// whoAmI asks messaging for this node's id and name until it answers.
func whoAmI(ctx context.Context, env *daemon.Env, bus messaging.Bus) (messaging.Status, error) {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		st, err := bus.Status(ctx)
		if err == nil && st.Self != 0 {
			return st, nil
		}
		t := env.Clock.NewTimer(pause)
		select {
		case <-ctx.Done():
			return st, ctx.Err()
		case <-t.C():
		}
	}
}

func coreConfig(st messaging.Status, host string) core.Config {
	name := st.Name
	if name == "" {
		name = host
	}
	cfg := core.DefaultConfig(st.Self, name, newUUID)
	cfg.Cluster = st.ClusterName
	cfg.NodeLimit = 2 * runtime.NumCPU()
	return cfg
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// drain asks for this node's resources to be stopped when the daemon is told to
// end.
func drain(ctx context.Context, env *daemon.Env, e *engine.Engine) {
	<-ctx.Done()
	// The controller itself gives up after shutdown-escalation.
	if err := e.RequestShutdown(context.WithoutCancel(ctx)); err != nil {
		env.Log.Error("node not drained", "error", err.Error())
		_ = e.Close()
	}
}
