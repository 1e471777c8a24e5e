// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	fetchPeriod  = 50 * time.Millisecond
	fetchTimeout = 400 * time.Millisecond
	maxPage      = 4 << 10
)

// A Client is a user of the web service: from the nodes' network it fetches the
// page each 50 ms, each time with a connection of its own.
type Client struct {
	url  string
	http *http.Client
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex
	answers []answer // of the successes, by the time they came; guarded by mu
	since   time.Time
}

type answer struct {
	asked, came time.Time
	page        string
}

// An Outage is a time in which no page came.
type Outage struct {
	From, To time.Time // the last answer before and the first one after
	Before   string    // who answered before; "" if nobody had
	After    string    // "" if nobody does yet
}

// Duration is how long the service was away.
func (o Outage) Duration() time.Duration { return o.To.Sub(o.From) }

// String tells the outage in words.
func (o Outage) String() string {
	return fmt.Sprintf("%v (%s, then %s)", o.Duration().Round(time.Millisecond), o.Before, o.After)
}

// Fetch starts a client of http://address/.
func (l *Lab) Fetch(address netip.Addr) *Client {
	c := &Client{
		url: "http://" + netip.AddrPortFrom(address, 80).String() + "/", quit: make(chan struct{}), done: make(chan struct{}), since: time.Now(),
		http: &http.Client{
			Timeout:   fetchTimeout,
			Transport: &http.Transport{DialContext: l.hub.dial, DisableKeepAlives: true},
		},
	}
	go c.run()
	return c
}

// Stop ends the client.
func (c *Client) Stop() {
	select {
	case <-c.quit:
	default:
		close(c.quit)
	}
	<-c.done
}

func (c *Client) run() {
	defer close(c.done)
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(fetchPeriod)
	defer tick.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-tick.C:
			wg.Go(func() { _, _ = c.Get() }) // at most fetchTimeout/fetchPeriod at a time
		}
	}
}

// Get fetches the page once more, now.
func (c *Client) Get() (string, error) {
	asked := time.Now()
	page, err := c.once()
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answers = append(c.answers, answer{asked, time.Now(), page})
	}
	return page, err
}

func (c *Client) once() (string, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, c.url, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	return strings.TrimSpace(string(body)), err
}

// AnsweredSince tells who answered first a request made after that time; "" if
// nobody did.
func (c *Client) AnsweredSince(t time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.answers {
		if a.asked.After(t) {
			return a.page
		}
	}
	return ""
}

// Outages lists the times longer than least without an answer, from the first
// answer on, or from the start where none came.
func (c *Client) Outages(least time.Duration) []Outage {
	c.mu.Lock()
	defer c.mu.Unlock()
	answers := slices.Clone(c.answers)
	slices.SortFunc(answers, func(a, b answer) int { return a.came.Compare(b.came) })
	var out []Outage
	last := answer{came: c.since}
	if len(answers) > 0 {
		last = answers[0]
	}
	add := func(a answer) {
		if o := (Outage{last.came, a.came, last.page, a.page}); o.Duration() > least {
			out = append(out, o)
		}
		last = a
	}
	for _, a := range answers {
		add(a)
	}
	add(answer{came: time.Now()})
	return out
}

// Takeover is the outage between the last page of one node and the first page
// of another; ok is false while nobody else has answered.
func (c *Client) Takeover(from string) (o Outage, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answers := slices.Clone(c.answers)
	slices.SortFunc(answers, func(a, b answer) int { return a.came.Compare(b.came) })
	for _, a := range answers {
		switch {
		case a.page == from:
			o = Outage{From: a.came, Before: from}
		case !o.From.IsZero() && o.After == "":
			o.To, o.After = a.came, a.page
		}
	}
	return o, o.After != ""
}

// Longest is the longest outage; its duration is 0 where there was none.
func (c *Client) Longest() Outage {
	var longest Outage
	for _, o := range c.Outages(3 * fetchPeriod) {
		if o.Duration() > longest.Duration() {
			longest = o
		}
	}
	return longest
}
