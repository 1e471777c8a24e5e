// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd/election"
	"github.com/quorate/quorate/crmd/fencing"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/crmd/join"
	"github.com/quorate/quorate/crmd/peer"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/messaging"
)

// Config is what a controller is given.
type Config struct {
	Self    messaging.NodeID
	Name    string // of this node
	Cluster string // cluster_name of corosync.conf, or ""
	Version string // of the program, for dc-version
	// NewID makes an identifier that nobody else has: 36 characters, a UUID.
	NewID func() string
	// Patience is how long the DC waits for a member's answer before it goes on
	// without it; Grace how long it waits for the controller of a node that is
	// still in the ring to come back before the node counts as failed.
	Patience, Grace time.Duration
	// Isolation is how long the DC waits, where nothing will be fenced, before it
	// acts on a node that left the ring: the node may be cut off only, and be
	// stopping its resources because it has no quorum.
	Isolation time.Duration
	// Deadtime is dc-deadtime until the CIB says otherwise.
	Deadtime time.Duration
	// ElectionTimeout is how long votes are awaited.
	ElectionTimeout time.Duration
	// NodeLimit is the number of operations in flight on one node.
	NodeLimit int
}

// DefaultConfig gives a configuration with the usual times.
func DefaultConfig(self messaging.NodeID, name string, newID func() string) Config {
	return Config{
		Self: self, Name: name, NewID: newID, Version: "2.1.5-quorate",
		Patience: 5 * time.Second, Grace: 3 * time.Second, Isolation: 500 * time.Millisecond, Deadtime: 20 * time.Second,
		ElectionTimeout: 2 * time.Second, NodeLimit: 8,
	}
}

// Time is when an event happened: on the monotonic clock and on the calendar.
type Time struct {
	Mono time.Duration
	Wall time.Time
}

// A Core is one node's controller. It is for one goroutine.
type Core struct {
	cfg   Config
	now   Time
	out   []Effect
	token Token
	boot  string // names this run of the controller
	state fsa.State

	// The group and the ring.
	member  messaging.MemberID // zero while not in the group
	asked   bool               // JoinGroup was asked for
	members []messaging.MemberID
	ring    messaging.RingID
	// ringSince is when the group's ring changed last.
	ringSince time.Duration
	view      messaging.QuorumView
	haveView  bool
	peers     *peer.Cache
	// lostAt is when a node's controller was lost without having left.
	lostAt map[messaging.NodeID]time.Duration
	// ringLostAt is when a node left the ring.
	ringLostAt map[messaging.NodeID]time.Duration
	// expectDown are the nodes that left in good order, were told to, or were
	// fenced. It outlives a change of the DC: the successor of a DC that left in
	// good order must not take it for lost and have it fenced.
	expectDown map[messaging.NodeID]bool
	election   *election.Election
	started    time.Duration
	leaving    bool
	alone      bool // shutting down without a DC
	aloneTried map[string]bool
	// settled tells that the cluster is past its cold start: a DC has computed.
	settled bool

	// Joining.
	dc      messaging.MemberID // zero while there is none
	joined  int                // the join id under which the DC accepted this node, 0 for none
	dcSays  wire.DCState       // the DC's word on what there is to do
	ackedBy int                // an accepted join whose confirmation waits for the executor
	toWrite bool               // before it, this node's history is to be written

	// The CIB as seen.
	root    *etree.Element
	version cib.Version
	seen    index
	stale   bool // the document is not watched now

	lrm   local
	fence *fencing.Coordinator
	calls callbook
	*dcState
}

// dcState is what only a DC has; it is made anew at each takeover.
type dcState struct {
	am          bool
	book        *join.Round
	waived      map[messaging.MemberID]bool // members that are not waited for any more
	features    map[messaging.MemberID]string
	written     map[messaging.NodeID]string        // node_state attributes as last written
	expectGone  map[string]int                     // node uuid → deletions of our own under way
	writes      map[Token]func(cib.Version, error) // under way
	need        cib.Version                        // the document must have reached it
	awaited     []awaited
	told        *wire.DCState // what the members were told last
	doubt       bool          // the document changed since it was verified
	te          engineState
	lastQuorum  string
	lastFailure string
	recheckBy   time.Time
}

// New makes a controller.
func New(cfg Config) *Core {
	c := &Core{
		cfg: cfg, state: fsa.Starting, peers: peer.New(), election: election.New(),
		fence: fencing.New(cfg.Name), dcState: newDCState(), calls: newCallbook(),
		lostAt: map[messaging.NodeID]time.Duration{}, ringLostAt: map[messaging.NodeID]time.Duration{}, aloneTried: map[string]bool{},
		expectDown: map[messaging.NodeID]bool{},
	}
	c.lrm = newLocal(history.NewNode(strconv.FormatUint(uint64(cfg.Self), 10), cfg.Name))
	return c
}

func newDCState() *dcState {
	return &dcState{
		book: join.New(0), waived: map[messaging.MemberID]bool{}, features: map[messaging.MemberID]string{},
		written: map[messaging.NodeID]string{}, expectGone: map[string]int{}, writes: map[Token]func(cib.Version, error){},
		te: newEngineState(),
	}
}

// Take gives the effects since the last call.
func (c *Core) Take() []Effect {
	out := c.out
	c.out = nil
	return out
}

func (c *Core) emit(e Effect) { c.out = append(c.out, e) }

func (c *Core) logf(l Level, msg string, attrs ...any) { c.emit(Log{Level: l, Msg: msg, Attrs: attrs}) }

func (c *Core) nextToken() Token {
	c.token++
	return c.token
}

func (c *Core) send(m *wire.Message) { c.emit(Send{Msg: m}) }

// input steps the state machine.
func (c *Core) input(in fsa.Input, cause string) {
	next, ok := fsa.Next(c.state, in)
	if !ok || next == c.state {
		return
	}
	c.emit(StateChanged{From: c.state, To: next, Input: in, Cause: cause})
	c.state = next
}

// State is the state of the controller.
func (c *Core) State() fsa.State { return c.state }

// Start begins the life of the controller.
func (c *Core) Start(now Time) {
	c.now = now
	c.started = now.Mono
	c.boot = c.cfg.NewID()
	// The answer to a run of a former controller here must not pass for one of
	// this controller's.
	c.fence = fencing.New(c.cfg.Name + "." + c.boot)
}

// step runs f as one event and then does whatever has become possible.
func (c *Core) step(now Time, f func()) {
	c.now = now
	if c.state == fsa.Terminate || c.state == fsa.Halt {
		return
	}
	f()
	c.enter()
	c.confirmJoin()
	c.verify()
	c.maybeCompute()
	c.tellState()
	c.armTimers()
}

// enter joins the group once everything below is there.
func (c *Core) enter() {
	if c.asked || c.leaving || c.root == nil || !c.lrm.ready || !c.haveView {
		return
	}
	c.asked = true
	c.emit(JoinGroup{})
}

// option reads a cluster option from the CIB.
func (c *Core) option(name, otherwise string) string {
	if c.root == nil {
		return otherwise
	}
	section := document.Section(c.root, "crm_config")
	if section == nil {
		return otherwise
	}
	newer := name // of Pacemaker 3, accepted alike
	if what, ok := strings.CutPrefix(name, "stonith-"); ok {
		newer = "fencing-" + what
	}
	for set := range document.Children(section, "cluster_property_set") {
		for nv := range document.Children(set, "nvpair") {
			if n := document.Get(nv, "name"); n == name || n == newer {
				return document.Get(nv, "value")
			}
		}
	}
	return otherwise
}

func (c *Core) durationOption(name string, otherwise time.Duration) time.Duration {
	if d, ok := fencing.Duration(c.option(name, "")); ok {
		return d
	}
	return otherwise
}

func (c *Core) intOption(name string, otherwise int) int {
	if n, err := strconv.Atoi(c.option(name, "")); err == nil {
		return n
	}
	return otherwise
}

func (c *Core) boolOption(name string, otherwise bool) bool {
	switch c.option(name, "") {
	case "true", "on", "yes", "y", "1":
		return true
	case "false", "off", "no", "n", "0":
		return false
	}
	return otherwise
}

func (c *Core) uuid() string { return strconv.FormatUint(uint64(c.cfg.Self), 10) }
