// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package iso8601 reads the dates, durations and intervals of the CIB: ISO 8601
// in its calendar, ordinal and week forms, and the short forms 10s, 500ms, 5min
// that administrators write. It is pure: it knows no clock.
package iso8601
