// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package atomicfile replaces a file so that a reader, and a machine that loses
// power at any moment, sees either the whole old content or the whole new one.
// When WriteFile has returned nil the new content is durable.
package atomicfile
