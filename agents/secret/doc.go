// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package secret puts the values of secret parameters in their places. The
// configuration holds lrm:// instead of a secret; the secret is a file that only
// root reads, in a folder per resource, beside a file with its MD5 sum, as the
// program cibsecret keeps them on each node.
package secret
