// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package invariant ends the process when something holds that the code has
// ruled out. It is for broken promises of our own code, in production too:
// going on with a broken state is how data is lost. It is never for remote or
// local input, which must be answered with an error.
package invariant
