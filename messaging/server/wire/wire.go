// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package wire

import (
	"time"

	"google.golang.org/grpc/codes"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging"
	pb "github.com/quorate/quorate/proto/messaging/v1"
)

// MaxPart bounds the bytes of one part of a message: larger ones travel in
// several, so that they do not block others on the same connection for long.
const MaxPart = 1 << 20

// Errors names the layer's sentinels on the wire.
func Errors() ipc.ErrorTable {
	return ipc.ErrorTable{
		{Err: messaging.ErrCutOff, Code: codes.ResourceExhausted, Reason: "CUT_OFF"},
		{Err: messaging.ErrClosed, Code: codes.Aborted, Reason: "CLOSED"},
		{Err: messaging.ErrTooBig, Code: codes.InvalidArgument, Reason: "TOO_BIG"},
		{Err: messaging.ErrRefused, Code: codes.FailedPrecondition, Reason: "REFUSED"},
		{Err: messaging.ErrAgain, Code: codes.Aborted, Reason: "AGAIN"},
		{Err: messaging.ErrReadOnly, Code: codes.PermissionDenied, Reason: "READ_ONLY"},
		{Err: messaging.ErrNoKey, Code: codes.NotFound, Reason: "NO_KEY"},
		{Err: messaging.ErrNoNode, Code: codes.NotFound, Reason: "NO_NODE"},
		{Err: messaging.ErrInvalid, Code: codes.InvalidArgument, Reason: "INVALID"},
	}
}

// FromEvents converts events for sending; large messages become several parts.
func FromEvents(evs []messaging.Event) []*pb.Event {
	out := make([]*pb.Event, 0, len(evs))
	for _, ev := range evs {
		switch ev := ev.(type) {
		case *messaging.Message:
			out = appendMessage(out, ev)
		case *messaging.ConfigChange:
			out = append(out, &pb.Event{Kind: &pb.Event_ConfigChange{ConfigChange: &pb.ConfigChange{
				Ring: fromRing(ev.Ring), Members: fromMembers(ev.Members), Joined: fromChanges(ev.Joined), Left: fromChanges(ev.Left),
			}}})
		}
	}
	return out
}

func appendMessage(out []*pb.Event, m *messaging.Message) []*pb.Event {
	from, body := FromMember(m.From), m.Body
	for {
		part := body[:min(len(body), MaxPart)]
		body = body[len(part):]
		out = append(out, &pb.Event{Kind: &pb.Event_Message{Message: &pb.Message{From: from, Body: part, More: len(body) > 0}}})
		if len(body) == 0 {
			return out
		}
	}
}

// ToConfigChange converts a received change.
func ToConfigChange(c *pb.ConfigChange) *messaging.ConfigChange {
	out := &messaging.ConfigChange{Ring: toRing(c.GetRing()), Joined: toChanges(c.GetJoined()), Left: toChanges(c.GetLeft())}
	for _, m := range c.GetMembers() {
		out.Members = append(out.Members, ToMember(m))
	}
	return out
}

// FromMember converts a member's id.
func FromMember(m messaging.MemberID) *pb.MemberID {
	return &pb.MemberID{Node: uint32(m.Node), Client: m.Client}
}

// ToMember converts a received id.
func ToMember(m *pb.MemberID) messaging.MemberID {
	return messaging.MemberID{Node: messaging.NodeID(m.GetNode()), Client: m.GetClient()}
}

func fromMembers(ms []messaging.MemberID) []*pb.MemberID {
	out := make([]*pb.MemberID, 0, len(ms))
	for _, m := range ms {
		out = append(out, FromMember(m))
	}
	return out
}

func fromChanges(cs []messaging.MemberChange) []*pb.MemberChange {
	out := make([]*pb.MemberChange, 0, len(cs))
	for _, c := range cs {
		out = append(out, &pb.MemberChange{Member: FromMember(c.Member), Reason: pb.Reason(c.Reason)})
	}
	return out
}

func toChanges(cs []*pb.MemberChange) []messaging.MemberChange {
	var out []messaging.MemberChange
	for _, c := range cs {
		out = append(out, messaging.MemberChange{Member: ToMember(c.GetMember()), Reason: messaging.Reason(c.GetReason())})
	}
	return out
}

func fromRing(r messaging.RingID) *pb.RingID { return &pb.RingID{Rep: uint32(r.Rep), Seq: r.Seq} }

func toRing(r *pb.RingID) messaging.RingID {
	return messaging.RingID{Rep: messaging.NodeID(r.GetRep()), Seq: r.GetSeq()}
}

// FromView converts a view.
func FromView(v messaging.QuorumView) *pb.QuorumView {
	out := &pb.QuorumView{
		Ring: fromRing(v.Ring), Quorate: v.Quorate, ExpectedVotes: v.ExpectedVotes, TotalVotes: v.TotalVotes, Quorum: v.Quorum,
		Self: uint32(v.Self), WaitForAll: v.WaitForAll, Flags: v.Flags,
	}
	for _, n := range v.Nodes {
		out.Nodes = append(out.Nodes, &pb.Node{Id: uint32(n.ID), Name: n.Name, Addr: n.Addr, Votes: n.Votes, Member: n.Member})
	}
	return out
}

// ToView converts a received view.
func ToView(v *pb.QuorumView) messaging.QuorumView {
	out := messaging.QuorumView{
		Ring: toRing(v.GetRing()), Quorate: v.GetQuorate(), ExpectedVotes: v.GetExpectedVotes(), TotalVotes: v.GetTotalVotes(),
		Quorum: v.GetQuorum(), Self: messaging.NodeID(v.GetSelf()), WaitForAll: v.GetWaitForAll(), Flags: v.GetFlags(),
	}
	for _, n := range v.GetNodes() {
		out.Nodes = append(out.Nodes, messaging.Node{ID: messaging.NodeID(n.GetId()), Name: n.GetName(), Addr: n.GetAddr(), Votes: n.GetVotes(), Member: n.GetMember()})
	}
	return out
}

// FromStatus converts a status.
func FromStatus(s messaging.Status) *pb.StatusResponse {
	out := &pb.StatusResponse{
		View: FromView(s.View), Self: uint32(s.Self), Name: s.Name, ClusterName: s.ClusterName, Transport: s.Transport,
		Version: s.Version, State: s.State, RotationNs: int64(s.Rotation),
	}
	for _, l := range s.Links {
		out.Links = append(out.Links, &pb.Link{
			Number: uint32(l.Number), LocalAddr: l.LocalAddr, Peer: uint32(l.Peer), PeerAddr: l.PeerAddr, Connected: l.Connected, Enabled: l.Enabled,
		})
	}
	return out
}

// ToStatus converts a received status.
func ToStatus(s *pb.StatusResponse) messaging.Status {
	out := messaging.Status{
		View: ToView(s.GetView()), Self: messaging.NodeID(s.GetSelf()), Name: s.GetName(), ClusterName: s.GetClusterName(),
		Transport: s.GetTransport(), Version: s.GetVersion(), State: s.GetState(), Rotation: time.Duration(s.GetRotationNs()),
	}
	for _, l := range s.GetLinks() {
		out.Links = append(out.Links, messaging.Link{
			Number: int(l.GetNumber()), LocalAddr: l.GetLocalAddr(), Peer: messaging.NodeID(l.GetPeer()), PeerAddr: l.GetPeerAddr(),
			Connected: l.GetConnected(), Enabled: l.GetEnabled(),
		})
	}
	return out
}

// FromEntry converts a key.
func FromEntry(e messaging.CmapEntry) *pb.CmapEntry {
	return &pb.CmapEntry{Key: e.Key, Type: e.Type, Value: e.Value}
}

// ToEntry converts a received key.
func ToEntry(e *pb.CmapEntry) messaging.CmapEntry {
	return messaging.CmapEntry{Key: e.GetKey(), Type: e.GetType(), Value: e.GetValue()}
}

// FromChange converts a change of a key.
func FromChange(c messaging.CmapChange) *pb.CmapChange {
	return &pb.CmapChange{Event: pb.CmapEvent(c.Event), Entry: FromEntry(c.Entry)}
}

// ToChange converts a received change.
func ToChange(c *pb.CmapChange) messaging.CmapChange {
	return messaging.CmapChange{Event: messaging.CmapEvent(c.GetEvent()), Entry: ToEntry(c.GetEntry())}
}

// FromGroups converts the list of groups.
func FromGroups(gs []messaging.GroupInfo) *pb.GroupsResponse {
	out := &pb.GroupsResponse{}
	for _, g := range gs {
		p := &pb.Group{Name: g.Name}
		for _, m := range g.Members {
			p.Members = append(p.Members, &pb.GroupMember{Id: FromMember(m.ID), Pid: m.PID, Addr: m.Addr})
		}
		out.Groups = append(out.Groups, p)
	}
	return out
}

// ToGroups converts a received list.
func ToGroups(r *pb.GroupsResponse) []messaging.GroupInfo {
	var out []messaging.GroupInfo
	for _, g := range r.GetGroups() {
		info := messaging.GroupInfo{Name: g.GetName()}
		for _, m := range g.GetMembers() {
			info.Members = append(info.Members, messaging.GroupMember{ID: ToMember(m.GetId()), PID: m.GetPid(), Addr: m.GetAddr()})
		}
		out = append(out, info)
	}
	return out
}
