// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package agents

// maxName bounds the name of an agent, a provider and an action.
const maxName = 128

// ValidName tells whether s may name an agent, a provider or an action: letters,
// digits and ._-@:+ only, not beginning with a dot, so that it is one part of a
// path and nothing else.
func ValidName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '_', c == '-', c == '@', c == ':', c == '+':
		default:
			return false
		}
	}
	return true
}
