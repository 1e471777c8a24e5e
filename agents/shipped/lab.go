// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/quorate/quorate/agents"
)

// fence_quorate_lab asks a fencing service of a test lab to cut a node's power.
// The protocol is in its metadata.
func labActions() map[string]action {
	return map[string]action{
		"on": labPower, "off": labPower, "reboot": labPower, "status": labStatus,
		"list": labList, "list-status": labList, "monitor": labMonitor, "validate-all": labValidate,
	}
}

const (
	// labDefaultTimeout bounds one request unless the parameter timeout does.
	labDefaultTimeout = 30 * time.Second
	// maxFenceInput bounds the parameters read, in bytes.
	maxFenceInput = 64 << 10
	// maxLabAnswer bounds an answer, in bytes.
	maxLabAnswer = 1 << 20
)

// runFence reads key=value lines as fence agents do, and runs the action that
// they name.
func (c *Call) runFence(ctx context.Context, a agent) agents.ExitCode {
	params := map[string]string{}
	sc := bufio.NewScanner(io.LimitReader(c.Stdin, maxFenceInput))
	for sc.Scan() {
		if k, v, ok := strings.Cut(strings.TrimSpace(sc.Text()), "="); ok && !strings.HasPrefix(k, "#") {
			params[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	if c.action == "" {
		c.action = params["action"]
	}
	if c.action == "" {
		c.action = "reboot"
	}
	outer := c.Getenv
	c.Getenv = func(name string) string {
		if k, ok := strings.CutPrefix(name, "OCF_RESKEY_"); ok {
			return params[k]
		}
		return outer(name)
	}
	if c.action == "metadata" || c.action == "meta-data" {
		return c.metadata(a.name)
	}
	f := a.actions[c.action]
	if f == nil {
		fmt.Fprintf(c.Stderr, "%s: no action %q\n", a.name, c.action)
		return agents.GenericError
	}
	return f(ctx, c)
}

// labBase is the address of the service.
func (c *Call) labBase() (string, error) {
	ip := c.param("ip", c.param("ipaddr", ""))
	if ip == "" {
		return "", errors.New("parameter ip is not set: give the address of the fencing service")
	}
	return "http://" + net.JoinHostPort(ip, c.param("ipport", "8888")), nil
}

// labAsk makes one request; it returns the body of a good answer.
func (c *Call) labAsk(ctx context.Context, method, verb string, withNode bool) (string, error) {
	base, err := c.labBase()
	if err != nil {
		return "", err
	}
	u := base + "/" + verb
	if withNode {
		node := c.param("plug", c.param("port", c.param("nodename", "")))
		if node == "" {
			return "", errors.New("parameter plug is not set: give the node")
		}
		u += "?node=" + url.QueryEscape(node)
	}
	timeout, ok := c.seconds("timeout", labDefaultTimeout)
	if !ok || timeout == 0 {
		timeout = labDefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, u, nil)
	if err != nil {
		return "", err
	}
	// No proxy from the environment: the service is next door.
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxLabAnswer))
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(body))
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("fencing service answers %s: %s", resp.Status, text)
	}
	return text, nil
}

func (c *Call) labFail(err error) agents.ExitCode {
	fmt.Fprintf(c.Stderr, "%s: %v\n", c.name, err)
	return agents.GenericError
}

func labPower(ctx context.Context, c *Call) agents.ExitCode {
	if _, err := c.labAsk(ctx, http.MethodPost, c.action, true); err != nil {
		return c.labFail(err)
	}
	return agents.OK
}

// labStatus answers 2 for a node that is off.
func labStatus(ctx context.Context, c *Call) agents.ExitCode {
	text, err := c.labAsk(ctx, http.MethodGet, "status", true)
	switch {
	case err != nil:
		return c.labFail(err)
	case text == "off":
		return agents.InvalidParam
	case text == "on":
		return agents.OK
	}
	return c.labFail(fmt.Errorf("fencing service answers %q, which is neither on nor off", text))
}

func labList(ctx context.Context, c *Call) agents.ExitCode {
	text, err := c.labAsk(ctx, http.MethodGet, "list", false)
	if err != nil {
		return c.labFail(err)
	}
	for node := range strings.FieldsSeq(text) {
		fmt.Fprintf(c.Stdout, "%s,\n", node)
	}
	return agents.OK
}

func labMonitor(ctx context.Context, c *Call) agents.ExitCode {
	if _, err := c.labAsk(ctx, http.MethodGet, "list", false); err != nil {
		return c.labFail(err)
	}
	return agents.OK
}

func labValidate(_ context.Context, c *Call) agents.ExitCode {
	if _, err := c.labBase(); err != nil {
		return c.labFail(err)
	}
	return agents.OK
}
