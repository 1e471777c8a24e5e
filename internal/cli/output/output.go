// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package output

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli/exit"
)

// APIVersion is the version of the XML that Pacemaker 2.1.5 gives.
const APIVersion = "2.25"

// A Format is the kind of output that a tool was asked for.
type Format string

// The formats.
const (
	Text Format = "text"
	XML  Format = "xml"
	HTML Format = "html"
	None Format = "none"
)

// ParseFormat reads the value of --output-as; allowed lists what the tool knows.
func ParseFormat(s string, allowed ...Format) (Format, error) {
	if s == "" {
		return Text, nil
	}
	for _, f := range allowed {
		if string(f) == s {
			return f, nil
		}
	}
	return "", fmt.Errorf("Invalid output format: %s", s) //nolint:staticcheck // shown as it is
}

// A Result is one answer.
type Result struct {
	// Request is the command line: name and arguments.
	Request []string
	// Body are the tool's own elements.
	Body []*etree.Element
	Code exit.Code
	// Message is the status message; the code's own text where it is empty.
	Message string
	Errors  []string
	// API is the version of the XML where it is not APIVersion.
	API string
}

// Element builds the envelope.
func (r Result) Element() *etree.Element {
	api := r.API
	if api == "" {
		api = APIVersion
	}
	root := document.New("pacemaker-result", "api-version", api, "request", quoted(r.Request))
	for _, e := range r.Body {
		root.AddChild(e)
	}
	msg := r.Message
	if msg == "" {
		msg = r.Code.String()
	}
	status := document.Add(root, "status", "code", strconv.Itoa(int(r.Code)), "message", msg)
	if len(r.Errors) > 0 {
		errs := document.Add(status, "errors")
		for _, text := range r.Errors {
			document.Add(errs, "error").SetText(text)
		}
	}
	return root
}

// quoted joins a command line as a shell would read it.
func quoted(args []string) string {
	out := make([]string, 0, len(args))
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n") || strings.HasPrefix(a, "#") ||
			strings.Count(a, "'")%2 == 1 || strings.Count(a, `"`)%2 == 1 {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}

// Write writes the envelope.
func (r Result) Write(w io.Writer) error {
	if _, err := w.Write(document.Format(r.Element())); err != nil {
		return fmt.Errorf("output: write result: %w", err)
	}
	return nil
}
