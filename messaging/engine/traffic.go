// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// packetTypes is one more than the largest type of the ring's packets.
const packetTypes = int(wire.TypeHoldCancel) + 1

// A traffic counts what the ring says, and what becomes of its tokens: from
// outside the core, which need not know who asks.
type traffic struct {
	rx, tx  [packetTypes]uint64
	lost    [totem.Recovery + 1]uint64 // tokens, by the state that missed them
	tokenAt time.Duration              // the last one came
	// What consensus timeouts and errors of sending there were when the ring was
	// formed that is there now.
	consensus, errors uint64
	// Ordered messages by what they are for: of all nodes, and of this one.
	services, own [serviceKinds]uint64
}

// typeAt is where the type stands in a packet of the ring.
const typeAt = 1

func count(counts *[packetTypes]uint64, packet []byte) {
	if len(packet) > typeAt && int(packet[typeAt]) < packetTypes {
		counts[packet[typeAt]]++
	}
}

// stepped takes note of an event that the core took in the state before.
func (t *traffic) stepped(now time.Duration, before totem.State, lost uint64, ev totem.Event, core *totem.Core) {
	switch ev := ev.(type) {
	case *totem.Recv:
		count(&t.rx, ev.Packet)
		if len(ev.Packet) > typeAt && wire.Type(ev.Packet[typeAt]) == wire.TypeToken {
			t.tokenAt = now
		}
	case *totem.Timer:
		if ev.ID == totem.TimerToken {
			t.lost[before] += core.Stats().TokenLost - lost
		}
	}
}

// formed takes note of a ring.
func (e *Engine) formed() {
	e.traffic.consensus = e.core.Stats().ConsensusLost
	if e.wire != nil {
		e.traffic.errors = e.wire.Stats().TxErrors
	}
}

// Above these corosync's tools speak of a firewall, or of a broken network card.
const (
	maxGathers    = 3
	maxSendErrors = 30
)

// trafficStatistics are the statistics that traffic counts.
func (e *Engine) trafficStatistics() []statistic {
	t, s := &e.traffic, e.core.Stats()
	var out []statistic
	for key, v := range map[string]uint64{
		"orf_token_tx": t.tx[wire.TypeToken], "memb_merge_detect_tx": t.tx[wire.TypeMergeDetect], "memb_merge_detect_rx": t.rx[wire.TypeMergeDetect],
		"memb_commit_token_tx": t.tx[wire.TypeCommit], "memb_commit_token_rx": t.rx[wire.TypeCommit], "token_hold_cancel_rx": t.rx[wire.TypeHoldCancel],
		"operational_token_lost": t.lost[totem.Operational], "gather_token_lost": t.lost[totem.Gather],
		"commit_token_lost": t.lost[totem.Commit], "recovery_token_lost": t.lost[totem.Recovery],
	} {
		out = append(out, statistic{statsPrefix + "srp." + key, 64, v, true})
	}
	gauge := func(key string, bits int, v uint64) {
		out = append(out, statistic{key: statsPrefix + "srp." + key, bits: bits, value: v})
	}
	gathers, failures := s.ConsensusLost-t.consensus, uint64(0)
	if e.wire != nil && e.core.State() != totem.Operational {
		failures = e.wire.Stats().TxErrors - t.errors
	}
	blocked := uint64(0)
	if gathers > maxGathers || failures > maxSendErrors {
		blocked = 1
	}
	gauge("continuous_gather", 32, gathers)
	gauge("continuous_sendmsg_failures", 32, failures)
	gauge("firewall_enabled_or_nic_failure", 8, blocked)
	gauge("time_since_token_last_received", 64, uint64((e.cfg.Clock.Now()-t.tokenAt)/time.Millisecond))
	gauge("avg_backlog_calc", 32, uint64(s.QueuedMessages))
	gauge("avg_token_workload", 32, 0) // a token goes on in the step that takes it
	return out
}

// A serviceKind is what an ordered message is for, in the terms of corosync's
// services.
type serviceKind int

const (
	cpgJoin serviceKind = iota
	cpgLeave
	cpgMessage
	syncMessage // members, votes and the version of the configuration at once
	voteInfo
	voteChange
	cfgKill
	cfgReload
	serviceKinds
)

// ordered counts a message of the total order; op is what it is if it is the
// engine's own.
func (e *Engine) ordered(from messaging.NodeID, kind serviceKind) {
	e.traffic.services[kind]++
	if from == e.cfg.Self {
		e.traffic.own[kind]++
	}
}

// orderedGroup counts a message of the groups.
func (e *Engine) orderedGroup(from messaging.NodeID, body []byte) {
	switch cpg.KindOf(body) {
	case cpg.KindMcast:
		e.ordered(from, cpgMessage)
	case cpg.KindJoin:
		e.ordered(from, cpgJoin)
	case cpg.KindLeave:
		e.ordered(from, cpgLeave)
	case cpg.KindSync:
		e.ordered(from, syncMessage)
	}
}

// opKinds tell what the engine's own messages are.
var opKinds = map[uint8]serviceKind{
	opExpected: voteChange, opVotes: voteChange, opCancelWFA: voteChange, opReload: cfgReload, opKill: cfgKill, opInfo: voteInfo,
}

// A corosyncService is one of corosync's services as the map lists it: its number
// and which of our messages are its messages.
type corosyncService struct {
	id       uint64
	name     string
	messages [][]serviceKind
}

// services are those that this daemon has. Messages that it has no need of stand
// with no kind.
var services = []corosyncService{
	{0, "cmap", [][]serviceKind{{syncMessage}}},
	{1, "cfg", [][]serviceKind{{}, {cfgKill}, {}, {cfgReload}, {}}},
	{2, "cpg", [][]serviceKind{{cpgJoin}, {cpgLeave}, {syncMessage}, {cpgMessage}, {}, {syncMessage}, {}}},
	{3, "quorum", nil},
	{5, "votequorum", [][]serviceKind{{syncMessage, voteInfo}, {voteChange}, {}, {}}},
}

// servicesPrefix is where the map counts the messages of each service.
const servicesPrefix = "runtime.services."

// serviceEntries are the keys about services that are made when they are read.
func (e *Engine) serviceEntries() []messaging.CmapEntry {
	var out []messaging.CmapEntry
	for _, s := range services {
		key := servicesPrefix + s.name + "."
		out = append(out, cmap.Uint(key+"service_id", 16, s.id))
		for i, kinds := range s.messages {
			var all, own uint64
			for _, k := range kinds {
				all, own = all+e.traffic.services[k], own+e.traffic.own[k]
			}
			out = append(out, cmap.Uint(fmt.Sprintf("%s%d.rx", key, i), 64, all), cmap.Uint(fmt.Sprintf("%s%d.tx", key, i), 64, own))
		}
	}
	return out
}

// listServices says in the map which services there are.
func (e *Engine) listServices() {
	for _, s := range services {
		key := fmt.Sprintf("internal_configuration.service.%d.", s.id)
		e.setCmapStr(key+"name", "corosync_"+s.name)
		e.setCmapUint(key+"ver", 32, 0)
	}
}

// listTriggers puts the keys into the map that do something when they are set.
func (e *Engine) listTriggers() {
	for _, key := range []string{dumpKey, "runtime.blackbox.dump_state", gatherKey} {
		e.setCmapStr(key, "no")
	}
}

// cpgService is the number of the service that clients in groups use.
const cpgService = 2

// clientEntries are the statistics of the clients that are in groups.
func (e *Engine) clientEntries() []messaging.CmapEntry {
	var out []messaging.CmapEntry
	for id, m := range e.members {
		key := fmt.Sprintf("%sipcs.service%d.%d.0x%x.", statsPrefix, cpgService, m.pid, id)
		queued := m.queue.len()
		busy := uint64(0)
		if queued > 0 {
			busy = 1
		}
		given := m.dispatched - min(uint64(queued), m.dispatched)
		requests := m.requests.Load()
		out = append(out, cmap.Str(key+"procname", m.procname), cmap.Uint(key+"requests", 64, requests), cmap.Uint(key+"responses", 64, requests),
			cmap.Uint(key+"dispatched", 64, given), cmap.Uint(key+"sent", 32, given&(1<<32-1)), cmap.Uint(key+"queued", 32, uint64(queued)),
			messaging.CmapEntry{Key: key + "queueing", Type: "i32", Value: strconv.FormatUint(busy, 10)},
			cmap.Uint(key+"flow_control", 32, 0), cmap.Uint(key+"flow_control_count", 64, m.waits.Load()),
			cmap.Uint(key+"invalid_request", 64, 0), cmap.Uint(key+"overload", 64, 0),
			cmap.Uint(key+"recv_retries", 64, 0), cmap.Uint(key+"send_retries", 64, 0))
	}
	return out
}

// maxProcname is how much of a program's name the kernel keeps.
const maxProcname = 15

// procname is the name of a process, or nothing where it cannot be told.
func procname(pid uint32) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	name := strings.TrimSpace(string(b))
	return name[:min(len(name), maxProcname)]
}
