// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package wire converts between the messaging layer's values and its protobuf
// types, for server and client alike. It knows neither.
package wire
