// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package xpath

import (
	"errors"
	"fmt"
	"slices"

	"github.com/antchfx/xpath"
	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// Bounds of one evaluation.
const (
	MaxExpression = 8 << 10
	MaxSteps      = 20_000_000
	MaxMatches    = 1_000_000
)

// Errors of Select.
var (
	// ErrSyntax: the text is no XPath 1.0 expression that selects nodes.
	ErrSyntax = errors.New("xpath: invalid expression")
	// ErrBound: the evaluation would take too long or give too much.
	ErrBound = errors.New("xpath: expression is too expensive")
)

// A Match is one node that an expression selects: an element, or one of its
// attributes (Attr is its name, "" for the element) or pieces of text.
type Match struct {
	Element *etree.Element
	Attr    string
	Text    bool // the match is text inside of Element
	Value   string
}

// Select gives what the expression selects in the document with the root, in
// document order.
func Select(root *etree.Element, expr string) ([]Match, error) {
	return selectBounded(root, expr, MaxSteps)
}

// Elements gives the elements that the expression selects.
func Elements(root *etree.Element, expr string) ([]*etree.Element, error) {
	matches, err := Select(root, expr)
	if err != nil {
		return nil, err
	}
	var found []*etree.Element
	for _, m := range matches {
		if m.Attr == "" && !m.Text && m.Element != nil {
			found = append(found, m.Element)
		}
	}
	return found, nil
}

// overrun is what the navigator throws when the budget is spent.
type overrun struct{}

func selectBounded(root *etree.Element, expr string, steps int) (found []Match, err error) {
	if len(expr) > MaxExpression {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrSyntax, MaxExpression)
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case overrun:
			found, err = nil, fmt.Errorf("%w: more than %d steps", ErrBound, steps)
		default:
			// The library panics for some malformed expressions.
			found, err = nil, fmt.Errorf("%w: %v", ErrSyntax, r)
		}
	}()
	compiled, err := xpath.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	budget := steps
	top := &navigator{root: root, attr: element, text: element, budget: &budget}
	it, ok := compiled.Evaluate(top).(*xpath.NodeIterator)
	if !ok {
		return nil, fmt.Errorf("%w: it selects no nodes", ErrSyntax)
	}
	for it.MoveNext() {
		n, ok := it.Current().(*navigator)
		if !ok {
			continue
		}
		if len(found) >= MaxMatches {
			return nil, fmt.Errorf("%w: more than %d matches", ErrBound, MaxMatches)
		}
		found = append(found, n.match())
	}
	return inOrder(root, found), nil
}

// inOrder sorts matches by their place in the document and drops doubles.
func inOrder(root *etree.Element, found []Match) []Match {
	if len(found) < 2 {
		return found
	}
	place := map[*etree.Element]int{nil: -1}
	n := 0
	for e := range document.All(root, "") {
		place[e] = n
		n++
	}
	slices.SortStableFunc(found, func(a, b Match) int { return place[a.Element] - place[b.Element] })
	return slices.CompactFunc(found, func(a, b Match) bool { return a == b && !a.Text })
}
