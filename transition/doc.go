// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package transition carries a transition graph out: it fires each action once
// its inputs are done, within limits and timeouts, and reports. It sees neither
// policy engine nor CIB nor executor: who begins a [Run] carries out the actions
// that it fires, and confirms them.
package transition
