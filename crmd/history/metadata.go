// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package history

import (
	"fmt"

	"github.com/quorate/quorate/agents/metadata"
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

// ParseMetadata draws from an agent's metadata what records need.
func ParseMetadata(text string) (Metadata, error) {
	a, err := metadata.Parse([]byte(text))
	if err != nil {
		return Metadata{}, fmt.Errorf("read agent metadata: %w", err)
	}
	// Before OCF 1.1 the action was reload, and unique parameters those that it
	// could not take over.
	agent, legacy := a.Supports("reload-agent"), a.Supports("reload") && !a.Modern()
	m := Metadata{Reloads: agent || legacy}
	for _, p := range a.Parameters {
		if agent && !p.Reloadable || !agent && legacy && p.Unique {
			m.Restart = append(m.Restart, p.Name)
		}
		if p.Private {
			m.Private = append(m.Private, p.Name)
		}
	}
	return m, nil
}
