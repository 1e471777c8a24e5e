// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package agenttool has the entries of the operator program by which agents come
// in: quorate ocf NAME ACTION runs one of the agents that Quorate ships.
package agenttool
