// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// scanValue reads the value of a key as sscanf(3) would: what follows a number
// does not count, and one of 64 bits that is too large is the largest.
func scanValue(typ, word string) (string, error) {
	var value string
	ok := true
	switch typ {
	case "str":
		return word, nil
	case "flt", "dbl":
		value, ok = scanFloat(word)
	case "u64":
		n, found := scanInt(word)
		magnitude, err := strconv.ParseUint(strings.TrimLeft(n, "+-"), 10, 64)
		switch {
		case err != nil:
			magnitude = math.MaxUint64
		case strings.HasPrefix(n, "-"):
			magnitude = -magnitude
		}
		value, ok = strconv.FormatUint(magnitude, 10), found
	default:
		n, found := scanInt(word)
		if !found {
			ok = false
			break
		}
		signed, _ := strconv.ParseInt(n, 10, 64) // clamped where it does not fit
		bits, _ := strconv.Atoi(typ[1:])
		least, most := int64(0), int64(math.MaxInt64)
		switch {
		case typ[0] == 'u':
			most = 1<<bits - 1
		case bits < 64:
			least, most = -1<<(bits-1), 1<<(bits-1)-1
		default:
			least = math.MinInt64
		}
		if signed < least || signed > most {
			return "", fmt.Errorf("%s is not valid %s integer", word, typ)
		}
		value = strconv.FormatInt(signed, 10)
	}
	if !ok {
		return "", fmt.Errorf("%s is not valid %s type value", word, typ)
	}
	return value, nil
}

// scanInt takes the decimal number at the beginning of a word.
func scanInt(word string) (number string, ok bool) {
	word = strings.TrimLeft(word, " \t\n\v\f\r")
	end := 0
	if word != "" && (word[0] == '-' || word[0] == '+') {
		end = 1
	}
	digits := end
	for end < len(word) && word[end] >= '0' && word[end] <= '9' {
		end++
	}
	return word[:end], end > digits
}

// scanFloat takes the number at the beginning of a word.
func scanFloat(word string) (number string, ok bool) {
	word = strings.TrimLeft(word, " \t\n\v\f\r")
	for end := len(word); end > 0; end-- {
		if _, err := strconv.ParseFloat(word[:end], 64); err == nil {
			return word[:end], true
		}
	}
	return "", false
}
