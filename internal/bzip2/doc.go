// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package bzip2 compresses in the bzip2 format, which the standard library only
// reads. The inputs of the policy engine are kept so, as clients expect. It is
// simple rather than strong: one Huffman code for each block.
package bzip2
