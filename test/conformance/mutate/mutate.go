// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// DefaultSteps is how many changes a seed makes at most, as a rule.
const DefaultSteps = 4

// maxTries bounds how many kinds of change are tried until one fits.
const maxTries = 40

// A Kind is one way to change a state.
type Kind struct {
	Name string
	// apply makes the change and says what it did, "" where it does not fit.
	apply func(s *state) string
}

// Kinds lists all ways to change a state.
func Kinds() []Kind {
	return slices.Concat(nodeKinds, stateKinds, optionKinds, resourceKinds, collectiveKinds, operationKinds,
		constraintKinds, setKinds, ruleKinds, historyKinds, failureKinds, remoteKinds)
}

// A Change is one that was made.
type Change struct {
	Kind string
	What string // in words: which object, which value
}

func (c Change) String() string { return c.Kind + " " + c.What }

// Mutate changes the document as the seed says, in one to most steps; now is the
// time of the state. Where keep is not nil, only the steps that it holds true
// for are taken.
func Mutate(root *etree.Element, seed uint64, most int, now time.Time, keep []bool) []Change {
	first := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable on purpose
	kinds := Kinds()
	var out []Change
	for i := range 1 + first.IntN(most) {
		if keep != nil && (i >= len(keep) || !keep[i]) {
			continue
		}
		s := newState(root, rand.New(rand.NewPCG(seed, uint64(i)+1)), now, i) //nolint:gosec // repeatable on purpose
		for range maxTries {
			k := kinds[s.IntN(len(kinds))]
			if what := k.apply(s); what != "" {
				out = append(out, Change{Kind: k.Name, What: what})
				break
			}
		}
	}
	return out
}

// One makes a change of the named kind, if it fits.
func One(root *etree.Element, kind string, seed uint64, now time.Time) (Change, bool) {
	s := newState(root, rand.New(rand.NewPCG(seed, 1)), now, 0) //nolint:gosec // repeatable on purpose
	for _, k := range Kinds() {
		if k.Name == kind {
			what := k.apply(s)
			return Change{Kind: kind, What: what}, what != ""
		}
	}
	return Change{}, false
}

// state is a document while it is changed.
type state struct {
	*rand.Rand

	root, config, options, nodes, resources, constraints, status *etree.Element

	now    time.Time
	prefix string
	taken  map[string]bool // ids of earlier changes
	ids    int
}

func newState(root *etree.Element, r *rand.Rand, now time.Time, step int) *state {
	s := &state{Rand: r, root: root, now: now, prefix: fmt.Sprintf("mut%d-", step), taken: map[string]bool{}}
	for e := range document.All(root, "") {
		if id := document.ID(e); strings.HasPrefix(id, s.prefix) {
			s.taken[id] = true
		}
	}
	s.config = ensure(root, "configuration")
	s.options = ensure(s.config, "crm_config")
	s.nodes = ensure(s.config, "nodes")
	s.resources = ensure(s.config, "resources")
	s.constraints = ensure(s.config, "constraints")
	s.status = ensure(root, "status")
	return s
}

// ensure gives the child with the tag and makes it where there is none.
func ensure(e *etree.Element, tag string) *etree.Element {
	if k := document.Child(e, tag); k != nil {
		return k
	}
	return document.Add(e, tag)
}

// ensureID is ensure for elements that need an id.
func (s *state) ensureID(e *etree.Element, tag string) *etree.Element {
	if k := document.Child(e, tag); k != nil {
		return k
	}
	return document.Add(e, tag, "id", s.id())
}

// front is ensureID for elements that have to come before others.
func (s *state) front(e *etree.Element, tag string) *etree.Element {
	if k := document.Child(e, tag); k != nil {
		return k
	}
	k := document.New(tag, "id", s.id())
	e.InsertChildAt(0, k)
	return k
}

// id makes a new id.
func (s *state) id() string {
	for {
		s.ids++
		if id := s.prefix + strconv.Itoa(s.ids); !s.taken[id] {
			return id
		}
	}
}

// pick draws one of a list, or the zero value where it is empty.
func pick[T any](s *state, list []T) T {
	var none T
	if len(list) == 0 {
		return none
	}
	return list[s.IntN(len(list))]
}

// oneOf draws one of the words.
func (s *state) oneOf(words ...string) string { return pick(s, words) }

func (s *state) chance(percent int) bool { return s.IntN(100) < percent }

// all lists the elements with a tag below e.
func all(e *etree.Element, tag string) []*etree.Element { return slices.Collect(document.All(e, tag)) }

func children(e *etree.Element, tag string) []*etree.Element {
	return slices.Collect(document.Children(e, tag))
}

// primitives are the configured ones, without those of bundles where top is set.
func (s *state) primitives() []*etree.Element { return all(s.resources, "primitive") }

var resourceTags = []string{"primitive", "group", "clone", "master", "bundle"}

// anyResources are all resources of the configuration.
func (s *state) anyResources() []*etree.Element {
	var out []*etree.Element
	for e := range document.All(s.resources, "") {
		if slices.Contains(resourceTags, e.Tag) {
			out = append(out, e)
		}
	}
	return out
}

// resourceID draws a resource of any kind; sometimes none that is there.
func (s *state) resourceID() string {
	if s.chance(2) {
		return "no-such-resource"
	}
	return document.ID(pick(s, s.anyResources()))
}

// topID draws a resource that is no part of another.
func (s *state) topID() string {
	var top []*etree.Element
	for e := range document.Children(s.resources, "") {
		if slices.Contains(resourceTags, e.Tag) {
			top = append(top, e)
		}
	}
	if s.chance(30) {
		return s.resourceID()
	}
	return document.ID(pick(s, top))
}

// nodeName draws a node; seldom one that is not there.
func (s *state) nodeName() string {
	if s.chance(2) {
		return "no-such-node"
	}
	return document.Get(pick(s, children(s.nodes, "node")), "uname")
}

func (s *state) nodeStates() []*etree.Element { return children(s.status, "node_state") }

func (s *state) score() string {
	return s.oneOf("INFINITY", "-INFINITY", "0", "1", "-1", "10", "100", "-100", "500", "1000", "-1000", "999999", "+INFINITY", "2000000")
}

func (s *state) role() string {
	return s.oneOf("Promoted", "Unpromoted", "Started", "Stopped", "Promoted", "Unpromoted", "Master", "Slave")
}

// agoSeconds is a moment of the past as seconds of the epoch.
func (s *state) ago() string {
	back := pick(s, []int64{0, 1, 5, 30, 59, 60, 61, 119, 120, 300, 600, 3600, 86400, 31536000})
	return strconv.FormatInt(s.now.Unix()-back, 10)
}

// setPair sets a name-value pair in the first set with the tag of an element.
func (s *state) setPair(owner *etree.Element, tag, name, value string) string {
	sets := children(owner, tag)
	set := pick(s, sets)
	if set == nil {
		set = s.front(owner, tag)
	}
	if set.SelectAttr("id-ref") != nil {
		return ""
	}
	if p := document.ChildWith(set, "nvpair", "name", name); p != nil && s.chance(90) {
		if document.Get(p, "value") == value {
			return ""
		}
		document.Set(p, "value", value)
		document.Unset(p, "id-ref")
		if document.ID(p) == "" {
			document.Set(p, "id", s.id())
		}
	} else {
		document.Add(set, "nvpair", "id", s.id(), "name", name, "value", value)
	}
	return document.ID(owner) + " " + tag + " " + name + "=" + value
}

// dropPair removes a name-value pair of a set with the tag.
func (s *state) dropPair(owner *etree.Element, tag string) string {
	var pairs []*etree.Element
	for _, set := range children(owner, tag) {
		pairs = append(pairs, children(set, "nvpair")...)
	}
	p := pick(s, pairs)
	if p == nil {
		return ""
	}
	p.Parent().RemoveChild(p)
	return document.ID(owner) + " " + tag + " " + document.Get(p, "name")
}

func remove(e *etree.Element) string {
	if e == nil || e.Parent() == nil {
		return ""
	}
	e.Parent().RemoveChild(e)
	return e.Tag + " " + document.ID(e) + document.Get(e, "uname")
}

// minor is the minor version of the schema, the second number of 3.x.
func (s *state) schemaAtLeast(major, minor int) bool {
	v, ok := strings.CutPrefix(document.Get(s.root, "validate-with"), "pacemaker-")
	if !ok {
		return false
	}
	a, b, _ := strings.Cut(v, ".")
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x > major || x == major && y >= minor
}
