// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/sim"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/qnet"
	"github.com/quorate/quorate/messaging/quorum"
)

// options is the quorum section of the configuration that a seed plays with, and
// what its documentation promises.
type options struct {
	name    string
	cfg     quorum.Config // without the node
	weights []uint32      // votes of the nodes; nil: one each
	lease   time.Duration
	// algorithm is that of the arbitration server, where there is a device.
	algorithm qnet.Algorithm
	tie       qnet.TieBreaker
	// admin is what an administrator asks for at run time, "" for nothing.
	admin string
	// static tells that any two quorate memberships of the whole run share a
	// node: votes and expected votes stay, and nothing but them counts.
	static bool
	// mayBreak tells that the documentation allows two quorate sides: two_node
	// (fencing decides), last_man_standing without wait_for_all, a device whose
	// master wins, and an administrator who lowers the expected votes.
	mayBreak bool
}

// maxDriftWithLease bounds the clocks where there is a lease, in parts of a
// million: the margin of the lease is for rates that differ by less than 1/64.
const maxDriftWithLease = 7000

// optionKinds are the sections that seeds draw from.
var optionKinds = []string{
	"plain", "votes", "two_node", "auto_tie_breaker", "last_man_standing", "last_man_standing auto_tie_breaker", "allow_downscale",
	"expected_votes_tracking", "device ffsplit", "device lms", "administrator raise", "administrator lower", "administrator votes", "administrator cancel",
}

// onlyOptions is what all seeds play, by QUORATE_SIM_QUORUM; with "+lease" at its
// end there is a lease, too.
var onlyOptions = os.Getenv("QUORATE_SIM_QUORUM")

// drawOptions picks the options of a seed.
func drawOptions(seed uint64, n int, token time.Duration) *options {
	w := sim.New(seed ^ 0x0b_a1_10_75)
	r := w.Rand()
	o := &options{name: "plain", static: true, cfg: quorum.Config{Votes: 1, ExpectedVotes: uint32(n), WaitForAll: seed%2 == 0}}
	kind := optionKinds[r.IntN(len(optionKinds))]
	if n == 2 && r.IntN(3) == 0 {
		kind = "two_node"
	}
	only, lease := strings.CutSuffix(onlyOptions, "+lease")
	kind = cmp.Or(only, kind)
	o.draw(kind, r.IntN, n, w.Between(token/2, 5*token))
	if r.IntN(4) == 0 || lease {
		o.lease = w.Between(token, 2*token)
		o.name += "+lease"
	}
	o.cfg, _ = o.cfg.Normalize()
	if o.cfg.WaitForAll {
		o.name += "+wait_for_all"
	}
	return o
}

func (o *options) draw(kind string, intn func(int) int, n int, window time.Duration) {
	switch kind {
	case "votes":
		o.unequal(intn, n)
	case "two_node":
		o.twoNode(intn, n)
	case "auto_tie_breaker":
		o.tieBreaker(intn, n)
	case "last_man_standing":
		o.lastMan(intn, window)
	case "last_man_standing auto_tie_breaker":
		o.lastManTie(intn, n, window)
	case "allow_downscale":
		o.name, o.cfg.AllowDownscale = kind, true
		o.expectLess(n)
	case "expected_votes_tracking":
		o.name, o.cfg.Tracking = kind, true
		o.expectLess(n)
	case "device ffsplit":
		o.device(intn, n, qnet.FFSplit)
	case "device lms":
		o.device(intn, n, qnet.LMS)
	case "administrator raise", "administrator lower", "administrator votes", "administrator cancel":
		o.administrator(strings.TrimPrefix(kind, "administrator "))
	}
}

func (o *options) unequal(intn func(int) int, n int) {
	o.name, o.cfg.ExpectedVotes = "votes", 0
	for range n {
		v := uint32(intn(4))
		o.weights = append(o.weights, v)
		o.cfg.ExpectedVotes += v
	}
	if o.cfg.ExpectedVotes == 0 {
		o.weights[0], o.cfg.ExpectedVotes = 1, 1
	}
}

func (o *options) twoNode(intn func(int) int, n int) {
	if n != 2 {
		return
	}
	*o = options{name: "two_node", mayBreak: true, cfg: quorum.Config{Votes: 1, ExpectedVotes: 2, TwoNode: true, WaitForAll: intn(3) > 0}}
}

func (o *options) tieBreaker(intn func(int) int, n int) {
	o.name, o.static, o.cfg.AutoTieBreaker = "auto_tie_breaker", false, true
	switch intn(3) {
	case 1:
		o.name, o.cfg.TieHighest = "auto_tie_breaker highest", true
	case 2:
		for range 1 + intn(3) {
			if id := messaging.NodeID(1 + intn(n)); !slices.Contains(o.cfg.TieBreakers, id) {
				o.cfg.TieBreakers = append(o.cfg.TieBreakers, id)
			}
		}
		o.name = fmt.Sprint("auto_tie_breaker list ", o.cfg.TieBreakers)
	}
}

func (o *options) lastMan(intn func(int) int, window time.Duration) {
	o.name, o.static = "last_man_standing", false
	o.cfg.LastManStanding, o.cfg.Window, o.cfg.WaitForAll = true, window, intn(4) > 0
	o.mayBreak = !o.cfg.WaitForAll
}

func (o *options) lastManTie(intn func(int) int, n int, window time.Duration) {
	o.tieBreaker(intn, n)
	o.name = "last_man_standing " + o.name
	o.cfg.LastManStanding, o.cfg.Window, o.cfg.WaitForAll = true, window, true
}

// expectLess expects one vote less than there are: what is expected grows when all
// are there. With an odd number of nodes a majority of one less is a majority of
// all.
func (o *options) expectLess(n int) {
	if n%2 == 1 && n > 1 {
		o.cfg.ExpectedVotes--
	}
}

func (o *options) device(intn func(int) int, n int, a qnet.Algorithm) {
	votes := uint32(1)
	o.name, o.static, o.algorithm = "device ffsplit", false, a
	if a == qnet.LMS {
		o.name, votes = "device lms", uint32(max(n-1, 1))
	}
	o.cfg.Device = quorum.Device{Name: "Qdevice", Votes: votes}
	o.cfg.ExpectedVotes += votes
	o.tie = []qnet.TieBreaker{{Mode: qnet.Lowest}, {Mode: qnet.Highest}, {Mode: qnet.ByID, Node: uint32(1 + intn(n))}}[intn(3)]
	if intn(6) == 0 {
		o.name, o.cfg.Device.MasterWins, o.mayBreak = o.name+" master_wins", true, true
	}
}

func (o *options) administrator(asks string) {
	o.admin, o.name = asks, "administrator: "+asks
	if asks != "cancel" {
		o.static = false
		o.mayBreak = asks != "raise"
	}
}

// of gives a node's own section.
func (o *options) of(id messaging.NodeID) quorum.Config {
	cfg := o.cfg
	cfg.Self = id
	if o.weights != nil {
		cfg.Votes = o.weights[id-1]
	}
	return cfg
}

// breaker gives the node that breaks ties after a quorate view of these members.
func (o *options) breaker(members []messaging.NodeID) messaging.NodeID {
	for _, id := range o.cfg.TieBreakers {
		if slices.Contains(members, id) {
			return id
		}
	}
	switch {
	case len(o.cfg.TieBreakers) > 0:
		return 0
	case o.cfg.TieHighest:
		return slices.Max(members)
	}
	return slices.Min(members)
}
