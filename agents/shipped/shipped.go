// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/agents"
)

//go:embed meta/*.xml
var meta embed.FS

// A Call is one run of an agent.
type Call struct {
	// Getenv looks up the environment.
	Getenv         func(string) string
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	name, action string
}

// An action does one thing and answers as an agent.
type action func(context.Context, *Call) agents.ExitCode

// An agent is a row of the table.
type agent struct {
	name    string
	actions map[string]action
	// fence tells that the agent reads its action from standard input.
	fence bool
}

// table lists the agents; the file meta/NAME.xml describes each.
func table() []agent {
	return []agent{
		{name: "Dummy", actions: dummyActions()},
		{name: "Stateful", actions: statefulActions()},
		{name: "IPaddr2", actions: addressActions()},
		{name: "IPaddr", actions: addressActions()},
		{name: "Filesystem", actions: filesystemActions()},
		{name: "ping", actions: pingActions()},
		{name: "webdemo", actions: webActions()},
		{name: "fence_quorate_lab", actions: labActions(), fence: true},
	}
}

// Names lists the agents.
func Names() []string {
	var names []string
	for _, a := range table() {
		names = append(names, a.name)
	}
	return names
}

// Run runs an agent; what is the name of a file is cut to its last part. It
// returns the exit code.
func (c *Call) Run(ctx context.Context, name, act string) agents.ExitCode {
	c.name, c.action = filepath.Base(name), act
	for _, a := range table() {
		if a.name != c.name {
			continue
		}
		if a.fence {
			return c.runFence(ctx, a)
		}
		return c.run(ctx, a)
	}
	c.reason("%s is not one of the agents that Quorate ships: %s", name, strings.Join(Names(), ", "))
	return agents.NotInstalled
}

func (c *Call) run(ctx context.Context, a agent) agents.ExitCode {
	switch c.action {
	case "meta-data", "metadata":
		return c.metadata(a.name)
	case "usage", "help":
		c.usage(c.Stdout, a)
		return agents.OK
	}
	f := a.actions[c.action]
	if f == nil {
		c.usage(c.Stderr, a)
		return agents.Unimplemented
	}
	return f(ctx, c)
}

func (c *Call) metadata(name string) agents.ExitCode {
	b, err := meta.ReadFile("meta/" + name + ".xml")
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	if _, err := c.Stdout.Write(b); err != nil {
		return agents.GenericError
	}
	return agents.OK
}

func (c *Call) usage(w io.Writer, a agent) {
	var names []string
	for n := range a.actions {
		names = append(names, n)
	}
	fmt.Fprintf(w, "usage: %s {%s|meta-data}\n", a.name, strings.Join(sorted(names), "|"))
}

// param is an instance attribute, or def where it is not set.
func (c *Call) param(name, def string) string {
	if v := c.Getenv("OCF_RESKEY_" + name); v != "" {
		return v
	}
	return def
}

// flag is an instance attribute that is true or false.
func (c *Call) flag(name string, def bool) bool {
	switch strings.ToLower(c.param(name, "")) {
	case "":
		return def
	case "1", "true", "yes", "y", "on", "ja":
		return true
	}
	return false
}

// number is an instance attribute that is a number of at least 0.
func (c *Call) number(name string, def int) (int, bool) {
	v := c.param(name, "")
	if v == "" {
		return def, true
	}
	n, err := strconv.Atoi(v)
	return n, err == nil && n >= 0
}

// seconds is an instance attribute that is a time: a number of seconds, or with
// a unit.
func (c *Call) seconds(name string, def time.Duration) (time.Duration, bool) {
	v := strings.TrimSpace(c.param(name, ""))
	if v == "" {
		return def, true
	}
	if n, err := strconv.ParseFloat(v, 64); err == nil && n >= 0 && n < 1e9 {
		return time.Duration(n * float64(time.Second)), true
	}
	d, err := time.ParseDuration(strings.Replace(v, "sec", "s", 1))
	return d, err == nil && d >= 0
}

func (c *Call) instance() string {
	if v := c.Getenv("OCF_RESOURCE_INSTANCE"); v != "" {
		return v
	}
	return "default"
}

// probe tells whether this is a monitor given once.
func (c *Call) probe() bool {
	i := c.param("CRM_meta_interval", "0")
	return c.action == "monitor" && (i == "0" || i == "")
}

// reason tells the cluster why something failed.
func (c *Call) reason(format string, args ...any) {
	fmt.Fprintf(c.Stderr, "ocf-exit-reason:"+format+"\n", args...)
}

// fail gives a reason and returns the code.
func (c *Call) fail(code agents.ExitCode, format string, args ...any) agents.ExitCode {
	c.reason(format, args...)
	return code
}

// log says something for the log.
func (c *Call) log(format string, args ...any) { fmt.Fprintf(c.Stderr, format+"\n", args...) }

// stateFile is where an agent keeps what must not outlive the machine's boot.
func (c *Call) stateFile(suffix string) (string, error) {
	dir := c.Getenv("HA_RSCTMP")
	if dir == "" {
		dir = "/run/resource-agents"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	inst := strings.ReplaceAll(c.instance(), "/", "_")
	return filepath.Join(dir, c.name+"-"+inst+"."+suffix), nil
}
