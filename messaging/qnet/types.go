// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnet

import "fmt"

// DefaultPort is the server's TCP port.
const DefaultPort = 5403

// ServerName is the common name of the server's certificate.
const ServerName = "Qnetd Server"

// Type is the type of a message.
type Type uint16

// The messages. Requests have even numbers from Preinit on, apart from StartTLS
// and ServerError, which have no answer.
const (
	Preinit Type = iota
	PreinitReply
	StartTLS
	Init
	InitReply
	ServerError
	SetOption
	SetOptionReply
	EchoRequest
	EchoReply
	NodeList
	NodeListReply
	AskForVote
	AskForVoteReply
	VoteInfo
	VoteInfoReply
	HeuristicsChange
	HeuristicsChangeReply
	endOfTypes
)

var typeNames = [endOfTypes]string{
	"preinit", "preinit reply", "starttls", "init", "init reply", "server error", "set option", "set option reply", "echo request", "echo reply",
	"node list", "node list reply", "ask for vote", "ask for vote reply", "vote info", "vote info reply", "heuristics change", "heuristics change reply",
}

// String names a message.
func (t Type) String() string {
	if t < endOfTypes {
		return typeNames[t]
	}
	return fmt.Sprintf("message %d", uint16(t))
}

// TLS tells whether a side can or must use TLS.
type TLS uint8

// The answers.
const (
	TLSUnsupported TLS = 0
	TLSSupported   TLS = 1
	TLSRequired    TLS = 2
)

// String gives the word that the status tools print.
func (t TLS) String() string {
	return word(int(t), "Unsupported", "Supported", "Required")
}

// ErrorCode is the reason of a refusal.
type ErrorCode uint16

// The reasons.
const (
	NoError ErrorCode = iota
	UnsupportedNeededMessage
	UnsupportedNeededOption
	TLSIsRequired
	UnsupportedMessage
	MessageTooLong
	PreinitRequired
	MissingOption
	UnexpectedMessage
	Undecodable
	InternalError
	InitRequired
	UnsupportedAlgorithm
	InvalidHeartbeat
	UnsupportedAlgorithmMessage
	TieBreakerDiffers
	AlgorithmDiffers
	DuplicateNodeID
	InvalidConfigNodeList
	InvalidMembershipNodeList
)

var errorTexts = []string{
	"no error", "a needed message is not supported", "a needed option is not supported", "TLS is required", "the message is not supported",
	"the message is too long", "preinit is required", "the message lacks a required option", "the message is unexpected", "the message cannot be decoded",
	"internal error", "init is required", "the algorithm is not supported", "the heartbeat interval is invalid", "the algorithm has no use for the message",
	"the tie-breaker differs from that of the cluster's other nodes", "the algorithm differs from that of the cluster's other nodes",
	"another node of the cluster has the same node id", "the configured node list is invalid", "the membership node list is invalid",
}

// String explains a refusal.
func (e ErrorCode) String() string {
	if int(e) < len(errorTexts) {
		return errorTexts[e]
	}
	return fmt.Sprintf("error %d", uint16(e))
}

// Algorithm decides which partition gets the vote.
type Algorithm uint16

// The algorithms.
const (
	Test       Algorithm = 0
	FFSplit    Algorithm = 1
	TwoNodeLMS Algorithm = 2
	LMS        Algorithm = 3
)

// String gives the words that the status tools print.
func (a Algorithm) String() string {
	return word(int(a), "Test", "Fifty-Fifty split", "2 Node LMS", "LMS")
}

// ListType is the kind of a node list.
type ListType uint8

// The kinds.
const (
	InitialConfig ListType = 0
	ChangedConfig ListType = 1
	Membership    ListType = 2
	Quorum        ListType = 3
)

// Vote is what the server answers.
type Vote uint8

// The answers. Zero is none.
const (
	Ack          Vote = 1
	Nack         Vote = 2
	AskLater     Vote = 3
	WaitForReply Vote = 4
	NoChange     Vote = 5
)

// String gives the words that the status tools print.
func (v Vote) String() string {
	return word(int(v)-1, "ACK", "NACK", "Ask later", "Wait for reply", "No change")
}

// NodeState is a node's state in a quorum node list.
type NodeState uint8

// The states. Zero is none.
const (
	Member  NodeState = 1
	Dead    NodeState = 2
	Leaving NodeState = 3
)

// Heuristics is the result of a node's checks.
type Heuristics uint8

// The results. Zero is none.
const (
	Pass Heuristics = 1
	Fail Heuristics = 2
)

// String gives the word that the status tools print.
func (h Heuristics) String() string { return word(int(h), "Undefined", "Pass", "Fail") }

// TieMode tells which node breaks ties.
type TieMode uint8

// The ways. Zero is none.
const (
	Lowest  TieMode = 1
	Highest TieMode = 2
	ByID    TieMode = 3
)

// A TieBreaker is the node that decides between equal halves.
type TieBreaker struct {
	Mode TieMode
	Node uint32 // with ByID
}

// String gives the words that the status tools print.
func (t TieBreaker) String() string {
	if t.Mode == ByID {
		return fmt.Sprintf("Node with node ID %d", t.Node)
	}
	return word(int(t.Mode)-1, "Node with lowest node ID", "Node with highest node ID")
}

// A RingID names a membership.
type RingID struct {
	Node uint32
	Seq  uint64
}

// String gives the ring id as the status tools print it.
func (r RingID) String() string { return fmt.Sprintf("%x.%x", r.Node, r.Seq) }

// A Node is one entry of a node list.
type Node struct {
	ID         uint32
	DataCentre uint32    // 0 for none
	State      NodeState // 0 for none
}

func word(i int, words ...string) string {
	if i >= 0 && i < len(words) {
		return words[i]
	}
	return "Unknown"
}
