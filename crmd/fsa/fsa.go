// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fsa

import "maps"

// State is a state of the controller.
type State string

// The states.
const (
	Starting         State = "S_STARTING"
	Pending          State = "S_PENDING"
	Election         State = "S_ELECTION"
	Integration      State = "S_INTEGRATION"
	FinalizeJoin     State = "S_FINALIZE_JOIN"
	PolicyEngine     State = "S_POLICY_ENGINE"
	TransitionEngine State = "S_TRANSITION_ENGINE"
	Idle             State = "S_IDLE"
	NotDC            State = "S_NOT_DC"
	ReleaseDC        State = "S_RELEASE_DC"
	Recovery         State = "S_RECOVERY"
	Stopping         State = "S_STOPPING"
	Terminate        State = "S_TERMINATE"
	Halt             State = "S_HALT"
)

// Input is what happened.
type Input string

// The inputs.
const (
	InPending        Input = "I_PENDING"         // the group is joined
	InElection       Input = "I_ELECTION"        // votes are awaited
	InElectionDC     Input = "I_ELECTION_DC"     // this node won
	InNotDC          Input = "I_NOT_DC"          // another node is DC and has accepted this one
	InReleaseDC      Input = "I_RELEASE_DC"      // another node is DC from here on
	InReleaseSuccess Input = "I_RELEASE_SUCCESS" // the DC's duties are laid down
	InNodeJoin       Input = "I_NODE_JOIN"       // a member is to be integrated
	InIntegrated     Input = "I_INTEGRATED"      // all members have answered the offer
	InFinalized      Input = "I_FINALIZED"       // all members have confirmed
	InPECalc         Input = "I_PE_CALC"         // a computation is wanted
	InPESuccess      Input = "I_PE_SUCCESS"      // there is a graph to carry out
	InTESuccess      Input = "I_TE_SUCCESS"      // nothing is left to do
	InStop           Input = "I_STOP"            // this node leaves
	InTerminate      Input = "I_TERMINATE"       // this node has left
	InError          Input = "I_ERROR"           // a lower daemon went away
	InHalt           Input = "I_HALT"            // this node was fenced or must not go on
)

type row map[Input]State

// everywhere holds what every state does with an input that its own row does
// not name.
var everywhere = row{
	InStop:      Stopping,
	InTerminate: Terminate,
	InError:     Recovery,
	InHalt:      Halt,
}

// dc holds what all states of a DC have in common.
var dc = row{
	InNodeJoin:  Integration,
	InElection:  Election,
	InReleaseDC: ReleaseDC,
}

var table = map[State]row{
	Starting: {InPending: Pending},
	Pending: {
		InPending: Pending, InElection: Election, InElectionDC: Integration, InNotDC: NotDC, InReleaseDC: Pending,
	},
	Election: {
		InElection: Election, InElectionDC: Integration, InPending: Pending, InNotDC: NotDC, InReleaseDC: ReleaseDC,
	},
	Integration:      with(dc, row{InIntegrated: FinalizeJoin, InElectionDC: Integration}),
	FinalizeJoin:     with(dc, row{InFinalized: PolicyEngine, InElectionDC: Integration}),
	PolicyEngine:     with(dc, row{InPECalc: PolicyEngine, InPESuccess: TransitionEngine, InElectionDC: PolicyEngine}),
	TransitionEngine: with(dc, row{InPECalc: PolicyEngine, InTESuccess: Idle, InElectionDC: TransitionEngine}),
	Idle:             with(dc, row{InPECalc: PolicyEngine, InElectionDC: Idle}),
	NotDC: {
		InElection: Election, InElectionDC: Integration, InPending: Pending, InNotDC: NotDC, InReleaseDC: NotDC,
	},
	ReleaseDC: {InReleaseSuccess: Pending, InElection: Election, InElectionDC: Integration},
	Recovery:  {InPending: Pending, InError: Recovery},
	Stopping:  {InStop: Stopping, InError: Stopping},
	Terminate: {InStop: Terminate, InError: Terminate, InHalt: Terminate},
	Halt:      {InError: Halt, InStop: Halt},
}

func with(base, more row) row {
	r := maps.Clone(base)
	maps.Copy(r, more)
	return r
}

// Next gives the state after an input. ok is false where the state has no use
// for the input: it stays.
func Next(s State, in Input) (next State, ok bool) {
	if to, ok := table[s][in]; ok {
		return to, true
	}
	if to, ok := everywhere[in]; ok && s != Terminate && s != Halt {
		return to, true
	}
	return s, false
}

// IsDC tells whether a controller in this state does the DC's duties.
func (s State) IsDC() bool {
	switch s {
	case Integration, FinalizeJoin, PolicyEngine, TransitionEngine, Idle:
		return true
	}
	return false
}

// States lists all states, in the order of their life.
func States() []State {
	return []State{
		Starting, Pending, Election, Integration, FinalizeJoin, PolicyEngine, TransitionEngine, Idle,
		NotDC, ReleaseDC, Recovery, Stopping, Terminate, Halt,
	}
}

// Inputs lists all inputs.
func Inputs() []Input {
	return []Input{
		InPending, InElection, InElectionDC, InNotDC, InReleaseDC, InReleaseSuccess, InNodeJoin, InIntegrated,
		InFinalized, InPECalc, InPESuccess, InTESuccess, InStop, InTerminate, InError, InHalt,
	}
}
