// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// ErrBadGraph is the answer to a text that is no transition graph.
var ErrBadGraph = errors.New("graph: not a transition graph")

// Bounds of a graph's text.
const (
	MaxSize    = 256 << 20 // bytes
	MaxActions = 1 << 20   // synapses, actions and inputs together
	maxDepth   = 16
)

// Marshal writes the graph as XML, in Pacemaker's form.
func Marshal(g *Graph) []byte {
	var w writer
	w.open(0, "transition_graph", g.Attributes, len(g.Synapses) == 0)
	for _, s := range g.Synapses {
		w.synapse(s)
	}
	if len(g.Synapses) > 0 {
		w.close(0, "transition_graph")
	}
	return w.Bytes()
}

type writer struct{ bytes.Buffer }

func (w *writer) open(depth int, tag string, attrs []Attr, empty bool) {
	w.WriteString(indent[:2*depth])
	w.WriteByte('<')
	w.WriteString(tag)
	for _, a := range attrs {
		w.WriteByte(' ')
		w.WriteString(a.Name)
		w.WriteString("=\"")
		w.escape(a.Value)
		w.WriteByte('"')
	}
	if empty {
		w.WriteByte('/')
	}
	w.WriteString(">\n")
}

func (w *writer) close(depth int, tag string) {
	w.WriteString(indent[:2*depth])
	w.WriteString("</")
	w.WriteString(tag)
	w.WriteString(">\n")
}

// indent is enough for the deepest element that is written.
const indent = "          "

var escapes = map[rune]string{'<': "&lt;", '>': "&gt;", '&': "&amp;", '"': "&quot;", '\t': "&#9;", '\n': "&#10;", '\r': "&#13;"}

// plain tells whether a text needs no escapes.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c >= utf8.RuneSelf, c == '<', c == '>', c == '&', c == '"':
			return false
		}
	}
	return true
}

func (w *writer) escape(s string) {
	if plain(s) {
		w.WriteString(s)
		return
	}
	for _, r := range s {
		if e, ok := escapes[r]; ok {
			w.WriteString(e)
		} else if r >= ' ' && r != '\uFFFE' && r != '\uFFFF' {
			w.WriteRune(r)
		} else {
			w.WriteRune('\uFFFD')
		}
	}
}

func (w *writer) synapse(s *Synapse) {
	attrs := []Attr{{"id", strconv.Itoa(s.ID)}}
	if s.Priority > 0 {
		attrs = append(attrs, Attr{"priority", strconv.Itoa(s.Priority)})
	}
	w.open(1, "synapse", attrs, false)
	w.open(2, "action_set", nil, len(s.Actions) == 0)
	for _, a := range s.Actions {
		w.action(a)
	}
	if len(s.Actions) > 0 {
		w.close(2, "action_set")
	}
	w.open(2, "inputs", nil, len(s.Inputs) == 0)
	for _, in := range s.Inputs {
		w.open(3, "trigger", nil, false)
		w.open(4, string(in.Kind), header(in.ActionID, "", in.Operation, in.OperationKey, in.InternalKey, in.OnNode, in.OnNodeUUID, in.RouterNode, ""), true)
		w.close(3, "trigger")
	}
	if len(s.Inputs) > 0 {
		w.close(2, "inputs")
	}
	w.close(1, "synapse")
}

// header gives the attributes that actions and inputs share.
func header(id int, mode, op, key, internal, node, uuid, router, lock string) []Attr {
	var out []Attr
	for _, a := range []Attr{
		{"mode", mode},
		{"id", strconv.Itoa(id)},
		{"operation", op},
		{"operation_key", key},
		{"internal_operation_key", internal},
		{"on_node", node},
		{"on_node_uuid", uuid},
		{"router_node", router},
		{"shutdown-lock", lock},
	} {
		if a.Value != "" {
			out = append(out, a)
		}
	}
	return out
}

func (w *writer) action(a *Action) {
	attrs := header(a.ID, a.Mode, a.Operation, a.OperationKey, a.InternalKey, a.OnNode, a.OnNodeUUID, a.RouterNode, a.ShutdownLock)
	w.open(3, string(a.Kind), attrs, false)
	if p := a.Primitive; p != nil {
		var pa []Attr
		for _, x := range []Attr{{"id", p.ID}, {"long-id", p.LongID}, {"class", p.Class}, {"provider", p.Provider}, {"type", p.Type}} {
			if x.Value != "" {
				pa = append(pa, x)
			}
		}
		w.open(4, "primitive", pa, true)
	}
	w.open(4, "attributes", a.Attributes, len(a.Params) == 0)
	for _, p := range a.Params {
		w.open(5, "param", []Attr{{"name", p.Name}, {"value", p.Value}}, true)
	}
	if len(a.Params) > 0 {
		w.close(4, "attributes")
	}
	if len(a.Downed) > 0 {
		w.open(4, "downed", nil, false)
		for _, d := range a.Downed {
			w.open(5, "node", []Attr{{"id", d.Node}}, true)
		}
		w.close(4, "downed")
	}
	if len(a.MaintenanceNodes) > 0 {
		w.open(4, "maintenance", nil, false)
		for _, m := range a.MaintenanceNodes {
			in := "0"
			if m.InMaintenance {
				in = "1"
			}
			w.open(5, "node", []Attr{{"id", m.Node}, {"node_in_maintenance", in}}, true)
		}
		w.close(4, "maintenance")
	}
	w.close(3, string(a.Kind))
}

// Parse reads what Marshal writes, and Pacemaker's graphs.
func Parse(text []byte) (*Graph, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("%d bytes: %w", len(text), ErrBadGraph)
	}
	p := parser{dec: xml.NewDecoder(bytes.NewReader(text))}
	for {
		tok, err := p.dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrBadGraph, err) //nolint:errorlint // the sentinel is ours
		}
		if err := p.token(tok); err != nil {
			return nil, err
		}
	}
	if p.g == nil {
		return nil, ErrBadGraph
	}
	return p.g, nil
}

type parser struct {
	dec     *xml.Decoder
	g       *Graph
	path    []string
	synapse *Synapse
	action  *Action
	count   int
}

func (p *parser) token(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		p.path = append(p.path, t.Name.Local)
		if p.count++; p.count > MaxActions || len(p.path) > maxDepth {
			return fmt.Errorf("too many elements: %w", ErrBadGraph)
		}
		return p.element(t)
	case xml.EndElement:
		p.path = p.path[:len(p.path)-1]
	}
	return nil
}

// element handles one start tag by its place.
func (p *parser) element(e xml.StartElement) error {
	attrs := attrMap(e)
	parent := ""
	if n := len(p.path); n > 1 {
		parent = p.path[n-2]
	}
	switch {
	case len(p.path) == 1:
		if e.Name.Local != "transition_graph" {
			return fmt.Errorf("root is <%s>: %w", e.Name.Local, ErrBadGraph)
		}
		p.g = &Graph{Attributes: attrList(e)}
	case parent == "transition_graph" && e.Name.Local == "synapse":
		id, err1 := number(attrs["id"], true)
		prio, err2 := number(attrs["priority"], false)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		p.synapse = &Synapse{ID: id, Priority: prio}
		p.g.Synapses = append(p.g.Synapses, p.synapse)
	case parent == "action_set" && p.synapse != nil:
		return p.newAction(e.Name.Local, attrs)
	case parent == "trigger" && p.synapse != nil:
		return p.newInput(e.Name.Local, attrs)
	case p.action != nil:
		p.detail(parent, e, attrs)
	}
	return nil
}

func (p *parser) newAction(tag string, at map[string]string) error {
	kind, err := kindOf(tag)
	if err != nil {
		return err
	}
	id, err := number(at["id"], true)
	if err != nil {
		return err
	}
	p.action = &Action{
		Kind: kind, ID: id, Operation: at["operation"], OperationKey: at["operation_key"], InternalKey: at["internal_operation_key"],
		OnNode: at["on_node"], OnNodeUUID: at["on_node_uuid"], RouterNode: at["router_node"], Mode: at["mode"], ShutdownLock: at["shutdown-lock"],
	}
	p.synapse.Actions = append(p.synapse.Actions, p.action)
	return nil
}

func (p *parser) newInput(tag string, at map[string]string) error {
	kind, err := kindOf(tag)
	if err != nil {
		return err
	}
	id, err := number(at["id"], true)
	if err != nil {
		return err
	}
	p.action = nil
	p.synapse.Inputs = append(p.synapse.Inputs, Input{
		ActionID: id, Kind: kind, Operation: at["operation"], OperationKey: at["operation_key"],
		InternalKey: at["internal_operation_key"], OnNode: at["on_node"], OnNodeUUID: at["on_node_uuid"], RouterNode: at["router_node"],
	})
	return nil
}

func (p *parser) detail(parent string, e xml.StartElement, at map[string]string) {
	a := p.action
	switch {
	case parent == "attributes" && e.Name.Local == "param":
		a.Params = append(a.Params, Attr{at["name"], at["value"]})
	case e.Name.Local == "attributes":
		a.Attributes = attrList(e)
	case e.Name.Local == "primitive":
		a.Primitive = &Primitive{ID: at["id"], LongID: at["long-id"], Class: at["class"], Provider: at["provider"], Type: at["type"]}
	case parent == "downed":
		a.Downed = append(a.Downed, Downed{Node: at["id"]})
	case parent == "maintenance":
		a.Maintenance = append(a.Maintenance, at["id"])
		a.MaintenanceNodes = append(a.MaintenanceNodes, MaintenanceNode{at["id"], at["node_in_maintenance"] == "1"})
	}
}

func kindOf(tag string) (Kind, error) {
	switch k := Kind(tag); k {
	case RscOp, CrmEvent, PseudoEvent:
		return k, nil
	}
	return "", fmt.Errorf("unknown kind of action <%s>: %w", tag, ErrBadGraph)
}

func number(s string, required bool) (int, error) {
	if s == "" && !required {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no number: %w", s, ErrBadGraph)
	}
	return int(n), nil
}

func attrMap(e xml.StartElement) map[string]string {
	m := make(map[string]string, len(e.Attr))
	for _, a := range e.Attr {
		m[a.Name.Local] = a.Value
	}
	return m
}

func attrList(e xml.StartElement) []Attr {
	out := make([]Attr, 0, len(e.Attr))
	for _, a := range e.Attr {
		out = append(out, Attr{a.Name.Local, a.Value})
	}
	return out
}
