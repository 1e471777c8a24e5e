// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An option is one that was given.
type option struct {
	name string // one letter
	arg  string
}

// getopt reads arguments as getopt(3) does: letters may be grouped, operands may
// stand between options, "--" ends them. A colon in spec after a letter means
// that it has an argument. long maps long names to letters; nil means that long
// options are unknown letters, as with tools that know none.
func getopt(tool string, args []string, spec string, long map[string]string) (opts []option, operands []string, err error) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			return opts, append(operands, args[i+1:]...), nil
		case strings.HasPrefix(a, "--") && long != nil:
			name, value, has := strings.Cut(a[2:], "=")
			name, letter, err := longName(tool, name, long)
			if err != nil {
				return nil, nil, err
			}
			if strings.Contains(spec, letter+":") && !has {
				if i++; i >= len(args) {
					return nil, nil, fmt.Errorf("%s: option '--%s' requires an argument", tool, name)
				}
				value = args[i]
			}
			opts = append(opts, option{letter, value})
		case len(a) > 1 && a[0] == '-':
			used, err := group(tool, a[1:], args[i+1:], spec, &opts)
			if err != nil {
				return nil, nil, err
			}
			i += used
		default:
			operands = append(operands, a)
		}
	}
	return opts, operands, nil
}

// longName finds the letter of a long option, whose name may be cut as long as it
// means one letter.
func longName(tool, name string, long map[string]string) (full, letter string, err error) {
	if letter, ok := long[name]; ok {
		return name, letter, nil
	}
	for _, known := range slices.Sorted(maps.Keys(long)) {
		switch {
		case !strings.HasPrefix(known, name):
		case letter != "" && letter != long[known]:
			return "", "", fmt.Errorf("%s: option '--%s' is ambiguous", tool, name)
		default:
			full, letter = known, long[known]
		}
	}
	if letter == "" {
		return "", "", fmt.Errorf("%s: unrecognized option '--%s'", tool, name)
	}
	return full, letter, nil
}

// group reads letters that stand together; it tells how many of the following
// arguments they took.
func group(tool, letters string, rest []string, spec string, opts *[]option) (used int, err error) {
	for j := 0; j < len(letters); j++ {
		l := letters[j : j+1]
		at := strings.Index(spec, l)
		if at < 0 || l == ":" {
			return 0, fmt.Errorf("%s: invalid option -- '%s'", tool, l)
		}
		if at+1 >= len(spec) || spec[at+1] != ':' {
			*opts = append(*opts, option{name: l})
			continue
		}
		arg := letters[j+1:]
		if arg == "" {
			if len(rest) == 0 {
				return 0, fmt.Errorf("%s: option requires an argument -- '%s'", tool, l)
			}
			arg, used = rest[0], 1
		}
		*opts = append(*opts, option{l, arg})
		return used, nil
	}
	return used, nil
}
