// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package output writes the envelope that the tools answer in when they are
// asked for XML: <pacemaker-result>, with the request, the tool's own elements
// and the status. Front ends read it instead of the text, also when the tool
// failed.
package output
