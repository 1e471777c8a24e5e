// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package conformance is what every form of an executor must pass, in process
// and over the socket alike. It is for tests only.
package conformance
