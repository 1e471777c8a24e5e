// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package metadata

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// MaxSize bounds an agent's metadata in bytes.
const MaxSize = 1 << 20

// maxDepth bounds the nesting of an agent's metadata.
const maxDepth = 64

// Errors of reading metadata.
var (
	// ErrTooBig tells that the metadata exceeds MaxSize.
	ErrTooBig = errors.New("metadata: larger than 1 MiB")
	// ErrNotMetadata tells that the text is not an agent's metadata.
	ErrNotMetadata = errors.New("metadata: no resource-agent element")
)

// An Agent is what an agent says of itself.
type Agent struct {
	Name       string
	OCFVersion string // 1.0 or 1.1, as written
	Short      string
	Long       string
	Parameters []Parameter
	Actions    []Action
}

// A Parameter is an instance attribute that an agent knows.
type Parameter struct {
	Name       string
	Short      string
	Long       string
	Type       string
	Default    string
	Required   bool
	Unique     bool // or in a unique group
	Reloadable bool
	Private    bool // secret; before OCF 1.1, which cannot say so, by the usual names
	Deprecated bool
}

// An Action is an operation that an agent knows.
type Action struct {
	Name      string
	Role      string
	Depth     string
	Timeout   time.Duration
	Interval  time.Duration
	Automatic bool // fence agents: done when a node joins
	OnTarget  bool
}

type xmlText struct {
	Lang string `xml:"lang,attr"`
	Text string `xml:",chardata"`
}

type xmlAgent struct {
	XMLName   xml.Name
	Name      string    `xml:"name,attr"`
	ShortAttr string    `xml:"shortdesc,attr"`
	Version   string    `xml:"version"`
	Short     []xmlText `xml:"shortdesc"`
	Long      []xmlText `xml:"longdesc"`
	Params    []struct {
		Name        string    `xml:"name,attr"`
		Unique      string    `xml:"unique,attr"`
		UniqueGroup string    `xml:"unique-group,attr"`
		Required    string    `xml:"required,attr"`
		Reloadable  string    `xml:"reloadable,attr"`
		Private     string    `xml:"private,attr"`
		Deprecated  string    `xml:"deprecated,attr"`
		DeprecatedE *struct{} `xml:"deprecated"`
		Short       []xmlText `xml:"shortdesc"`
		Long        []xmlText `xml:"longdesc"`
		Content     struct {
			Type    string `xml:"type,attr"`
			Default string `xml:"default,attr"`
		} `xml:"content"`
	} `xml:"parameters>parameter"`
	Actions []struct {
		Name      string `xml:"name,attr"`
		Role      string `xml:"role,attr"`
		Depth     string `xml:"depth,attr"`
		Timeout   string `xml:"timeout,attr"`
		Interval  string `xml:"interval,attr"`
		Automatic string `xml:"automatic,attr"`
		OnTarget  string `xml:"on_target,attr"`
	} `xml:"actions>action"`
}

// Parse reads an agent's metadata.
func Parse(text []byte) (Agent, error) {
	if len(text) > MaxSize {
		return Agent{}, ErrTooBig
	}
	if err := checkDepth(text); err != nil {
		return Agent{}, err
	}
	var x xmlAgent
	if err := decoder(text).Decode(&x); err != nil {
		return Agent{}, fmt.Errorf("metadata: %w", err)
	}
	if x.XMLName.Local != "resource-agent" {
		return Agent{}, ErrNotMetadata
	}
	return x.agent(), nil
}

func decoder(text []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "us-ascii", "ascii", "utf8":
			return in, nil
		case "iso-8859-1", "latin1", "iso-8859-15", "windows-1252":
			return latin1(in)
		}
		return nil, fmt.Errorf("unknown encoding %q", charset)
	}
	return d
}

func latin1(in io.Reader) (io.Reader, error) {
	b, err := io.ReadAll(io.LimitReader(in, MaxSize))
	if err != nil {
		return nil, err
	}
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return strings.NewReader(string(r)), nil
}

func checkDepth(text []byte) error {
	d := decoder(text)
	depth := 0
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
		switch tok.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return fmt.Errorf("metadata: nested deeper than %d", maxDepth)
			}
		case xml.EndElement:
			depth--
		}
	}
}

func (x xmlAgent) agent() Agent {
	a := Agent{
		Name: x.Name, OCFVersion: strings.TrimSpace(x.Version),
		Short: pick(x.Short), Long: pick(x.Long),
	}
	if a.Short == "" {
		a.Short = x.ShortAttr
	}
	for _, p := range x.Params {
		a.Parameters = append(a.Parameters, Parameter{
			Name: p.Name, Short: pick(p.Short), Long: pick(p.Long),
			Type: p.Content.Type, Default: p.Content.Default,
			Required: truth(p.Required), Unique: truth(p.Unique) || p.UniqueGroup != "",
			Reloadable: truth(p.Reloadable), Private: a.private(p.Name, p.Private),
			Deprecated: truth(p.Deprecated) || p.DeprecatedE != nil,
		})
	}
	for _, c := range x.Actions {
		a.Actions = append(a.Actions, Action{
			Name: c.Name, Role: c.Role, Depth: c.Depth,
			Timeout: span(c.Timeout), Interval: span(c.Interval),
			Automatic: truth(c.Automatic), OnTarget: truth(c.OnTarget),
		})
	}
	return a
}

// Modern tells whether the agent follows OCF 1.1 or later.
func (a Agent) Modern() bool { return a.OCFVersion >= "1.1" }

// private tells whether a parameter's value is secret.
func (a Agent) private(name, attr string) bool {
	if attr != "" || a.Modern() {
		return truth(attr)
	}
	return name == "passwd" || name == "password" || name == "user"
}

// Supports tells whether the agent names the action.
func (a Agent) Supports(action string) bool {
	for _, c := range a.Actions {
		if c.Name == action {
			return true
		}
	}
	return false
}

// HasParameter tells whether the agent names the parameter.
func (a Agent) HasParameter(name string) bool {
	for _, p := range a.Parameters {
		if p.Name == name {
			return true
		}
	}
	return false
}

// pick prefers the English text, then one without language, then the first.
func pick(ts []xmlText) string {
	best := ""
	for _, want := range []string{"en", ""} {
		for _, t := range ts {
			if t.Lang == want || want != "" && strings.HasPrefix(t.Lang, want) {
				return strings.TrimSpace(t.Text)
			}
		}
	}
	if len(ts) > 0 {
		best = strings.TrimSpace(ts[0].Text)
	}
	return best
}

func truth(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "1", "true", "yes", "y", "on":
		return true
	}
	return false
}

// span reads 20, 20s, 20sec, 1min, 500ms, 1h; what it cannot read is 0.
func span(s string) time.Duration {
	s = strings.TrimSpace(s)
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == 0 || i > 12 {
		return 0
	}
	var n int64
	for _, c := range s[:i] {
		n = n*10 + int64(c-'0')
	}
	unit := time.Second
	switch strings.ToLower(strings.TrimSpace(s[i:])) {
	case "", "s", "sec":
	case "ms", "msec":
		unit = time.Millisecond
	case "us", "usec":
		unit = time.Microsecond
	case "m", "min":
		unit = time.Minute
	case "h", "hr":
		unit = time.Hour
	default:
		return 0
	}
	if n > int64(365*24*time.Hour/unit) {
		return 365 * 24 * time.Hour
	}
	return time.Duration(n) * unit
}
