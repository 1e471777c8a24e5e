// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package fsa is the controller's state machine: one table of states and inputs
// and a function that looks the next state up. It only computes; what a state
// means is done by crmd/core. The names are Pacemaker's, as people grep them.
package fsa
