// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package replica

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/messaging"
)

// Protocol is the version of the messages.
const Protocol = 1

// kind tells what a message is for.
type kind uint8

const (
	kindWrite  kind = 1 // one write request
	kindAttr   kind = 2 // one attribute update
	kindFlush  kind = 3 // the dampening of attributes is over
	kindAck    kind = 4 // the sender delivered up to Position
	kindState  kind = 5 // what the sender has, at a meeting
	kindPart   kind = 6 // a piece of the chosen document
	kindResync kind = 7 // digests differ, or a meeting is stuck: meet anew
	kindAsk    kind = 8 // every member is to tell what it delivered
	kindGoOn   kind = 9 // the meeting goes on without the members in Out
)

// message is what the replicas send each other. Fields may be added; numbers
// are for ever.
type message struct {
	Proto uint8 `codec:"p"`
	Kind  kind  `codec:"k"`
	// Seq is the origin's number of its write or update.
	Seq  uint64          `codec:"s,omitempty"`
	Req  *cib.Request    `codec:"r,omitempty"`
	Meta *operation.Meta `codec:"m,omitempty"`
	Attr *attrs.Update   `codec:"a,omitempty"`
	Name string          `codec:"n,omitempty"` // flush: attribute
	Tag  string          `codec:"t,omitempty"` // the group that the message is about
	Pos  uint64          `codec:"o,omitempty"` // ack: delivered up to here
	Chk  string          `codec:"c,omitempty"` // digest at the latest check, or of a part
	ChkN uint64          `codec:"cn,omitempty"`
	St   *state          `codec:"st,omitempty"`
	Part *part           `codec:"pt,omitempty"`
	// All asks every member for an echo of a write, because a neighbour hangs.
	All bool `codec:"l,omitempty"`
	// Out are members that did not state what they have.
	Out []messaging.MemberID `codec:"x,omitempty"`
}

// state is what a member has.
type state struct {
	Version cib.Version `codec:"v"`
	Digest  string      `codec:"d"` // of document and table
	Lineage string      `codec:"l,omitempty"`
	// Running: the member stood in the group Lineage, and its status is of the
	// present.
	Running bool `codec:"r,omitempty"`
	// Quorate: the DC of that group has set have-quorum in the document.
	Quorate bool `codec:"q,omitempty"`
	Min     int  `codec:"i"` // protocols that the member speaks
	Max     int  `codec:"a"`
}

// part is one piece of one of the two parts of a document.
type part struct {
	Status bool   `codec:"s,omitempty"`
	Index  int    `codec:"i"`
	Total  int    `codec:"n"`
	Data   []byte `codec:"d"`
}

// statusPart is the content of the status part.
type statusPart struct {
	XML     []byte                   `codec:"x"`
	Entries []attrs.Entry            `codec:"e,omitempty"`
	Dampen  map[string]time.Duration `codec:"d,omitempty"`
}

// errMessage: a body is no message.
var errMessage = errors.New("replica: malformed message")

func handle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.MaxInitLen = 1024
	return h
}

func encode(v any) []byte {
	var buf bytes.Buffer
	if err := codec.NewEncoder(&buf, handle()).Encode(v); err != nil {
		panic("replica: encode: " + err.Error()) // plain structs always encode
	}
	return buf.Bytes()
}

func decode(body []byte, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errMessage, r)
		}
	}()
	if err := codec.NewDecoder(bytes.NewReader(body), handle()).Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errMessage, err)
	}
	return nil
}

func decodeMessage(body []byte) (message, error) {
	var m message
	if err := decode(body, &m); err != nil {
		return m, err
	}
	ok := false
	switch m.Kind {
	case kindWrite:
		ok = m.Req != nil && m.Meta != nil
	case kindAttr:
		ok = m.Attr != nil
	case kindFlush, kindAck, kindResync, kindAsk, kindGoOn:
		ok = true
	case kindState:
		ok = m.St != nil
	case kindPart:
		ok = m.Part != nil && m.Part.Total > 0 && m.Part.Total <= maxParts && m.Part.Index >= 0 && m.Part.Index < m.Part.Total
	}
	if !ok {
		return m, fmt.Errorf("%w: kind %d", errMessage, m.Kind)
	}
	return m, nil
}
