// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

// MergeSort sorts by halves, the shorter half first. Where the order is one,
// every stable sort gives the same; the ages of history entries are none as soon
// as one is under way (it is older than an entry of its own controller and newer
// than one of another), and then the way of sorting decides. This is that of
// GLib's lists, which the classic scheduler sorts.
func MergeSort[T any](list []T, cmp func(a, b T) int) {
	if len(list) < 2 {
		return
	}
	half := len(list) / 2
	MergeSort(list[:half], cmp)
	MergeSort(list[half:], cmp)
	first := append(make([]T, 0, half), list[:half]...)
	i, j := 0, half
	for k := range list {
		if i == len(first) {
			return // the rest is in its place
		}
		if j == len(list) || cmp(first[i], list[j]) <= 0 {
			list[k] = first[i]
			i++
		} else {
			list[k] = list[j]
			j++
		}
	}
}
