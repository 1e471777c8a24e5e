// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package history

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/cib/document"
)

// Metadata is what a record needs to know of an agent.
type Metadata struct {
	// Reloads tells that the agent takes some changes of parameters without a
	// restart; Restart names the parameters whose change needs one.
	Reloads bool
	Restart []string
	// Private names the parameters whose values are secret.
	Private []string
}

// ParseMetadata reads an agent's metadata.
func ParseMetadata(text string) (Metadata, error) {
	root, err := document.Parse([]byte(stripDoctype(text)))
	if err != nil {
		return Metadata{}, fmt.Errorf("read agent metadata: %w", err)
	}
	modern := document.Child(root, "version") != nil &&
		strings.TrimSpace(document.Child(root, "version").Text()) >= "1.1"
	var m Metadata
	legacy, agent := false, false
	if actions := document.Child(root, "actions"); actions != nil {
		for a := range document.Children(actions, "action") {
			legacy = legacy || document.Get(a, "name") == "reload"
			agent = agent || document.Get(a, "name") == "reload-agent"
		}
	}
	legacy = legacy && !modern
	m.Reloads = legacy || agent
	params := document.Child(root, "parameters")
	if params == nil {
		return m, nil
	}
	for p := range document.Children(params, "parameter") {
		name := document.Get(p, "name")
		switch {
		case agent && !truth(document.Get(p, "reloadable")),
			!agent && legacy && truth(document.Get(p, "unique")):
			m.Restart = append(m.Restart, name)
		}
		if private(name, document.Get(p, "private"), modern) {
			m.Private = append(m.Private, name)
		}
	}
	return m, nil
}

// private tells whether a value is secret. Agents of OCF 1.0 cannot say, so the
// usual names count.
func private(name, attr string, modern bool) bool {
	if attr != "" {
		return truth(attr)
	}
	return !modern && (name == "passwd" || name == "password" || name == "user")
}

func truth(v string) bool {
	switch strings.ToLower(v) {
	case "1", "true", "yes", "on", "y":
		return true
	}
	return false
}

// stripDoctype drops the document type that OCF agents print and that the
// strict reader refuses.
func stripDoctype(text string) string {
	start := strings.Index(text, "<!DOCTYPE")
	if start < 0 {
		return text
	}
	end := strings.IndexByte(text[start:], '>')
	if end < 0 {
		return text
	}
	return text[:start] + text[start+end+1:]
}
