// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A rule says what a key's value may be and which type it has in cmap. max 0
// means text; enum, where given, lists the words allowed and bad is corosync's
// sentence about others.
type rule struct {
	typ      string
	min, max uint64
	enum     []string
	bad      string
}

func number(typ string, min, max uint64) rule { return rule{typ: typ, min: min, max: max} }

var (
	text   = rule{typ: "str"}
	u32    = number("u32", 0, 1<<32-1)
	u8     = number("u8", 0, 255)
	flag   = number("u8", 0, 1)
	yesno  = rule{typ: "str", enum: []string{"yes", "no", "on", "off", "1", "0"}, bad: "Should be yes or no"}
	millis = number("u32", 0, 1<<31-1)
)

// schema lists the keys that are known, by the path of their section. Keys of
// old releases are known too: files from tutorials load without a warning. It is
// made when it is first used: every tool links this package.
var schema = sync.OnceValue(func() map[string]map[string]rule {
	return map[string]map[string]rule{
		"": {"compatibility": text},
		"totem": {
			"version":        number("u32", 0, 1<<32-1),
			"cluster_name":   text,
			"config_version": number("u64", 0, 1<<63-1),
			"transport":      {typ: "str", enum: []string{"knet", "udpu", "udp", "iba"}, bad: "Invalid transport type. Should be udpu, knet or udp"},
			"crypto_model":   {typ: "str", enum: []string{"nss", "openssl", "gcrypt"}, bad: "Invalid crypto model. Should be nss, openssl or gcrypt"},
			"crypto_cipher":  {typ: "str", enum: []string{"none", "aes256", "aes192", "aes128", "3des"}, bad: "Invalid cipher type. Should be none, aes256, aes192 or aes128"},
			"crypto_hash":    {typ: "str", enum: []string{"none", "md5", "sha1", "sha256", "sha384", "sha512"}, bad: "Invalid hash type. Should be none, md5, sha1, sha256, sha384 or sha512"},
			"crypto_type":    text, "secauth": yesno, "keyfile": text, "key": text,
			"ip_version": {typ: "str", enum: []string{"ipv4", "ipv6", "ipv4-6", "ipv6-4"}, bad: "Invalid ip_version type"},
			"link_mode":  {typ: "str", enum: []string{"passive", "active", "rr"}, bad: "Invalid link_mode. Should be passive, active or rr"},
			"rrp_mode":   {typ: "str", enum: []string{"none", "passive", "active"}, bad: "Invalid rrp_mode. Should be none, passive or active"},
			"netmtu":     number("u32", MinMTU, MaxMTU), "knet_mtu": u32, "knet_pmtud_interval": number("u32", 1, 86400),
			"knet_compression_model": {typ: "str", enum: []string{"none", "zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"}, bad: "Invalid compression model. Should be none, zlib, lz4, lz4hc, lzo2, lzma, bzip2 or zstd"}, "knet_compression_threshold": u32, "knet_compression_level": number("i32", 0, 1<<31-1),
			"ip_dscp": {typ: "str", enum: dscp(), bad: "Invalid ip_dscp. Should be 0 to 63, cs0 to cs7, af11 to af43 or ef"}, "block_unlisted_ips": yesno, "cancel_token_hold_on_retransmit": yesno,
			"clear_node_high_bit": yesno, "nodeid": number("u32", 1, 1<<32-1), "threads": u32, "vsftype": text,
			"token": millis, "token_coefficient": millis, "token_warning": number("u32", 0, 100), "token_retransmit": millis,
			"token_retransmits_before_loss_const": number("u32", 1, 1000), "hold": millis, "join": millis, "send_join": millis,
			"consensus": millis, "merge": millis, "downcheck": millis, "fail_recv_const": u32, "seqno_unchanged_const": u32,
			"heartbeat_failures_allowed": u32, "max_network_delay": millis, "window_size": number("u32", 1, 4096),
			"max_messages": number("u32", 1, 4096), "miss_count_const": number("u32", 1, 1000),
			"max_network_delay_const": millis, "rrp_problem_count_timeout": millis, "rrp_problem_count_threshold": u32,
			"rrp_problem_count_mcast_threshold": u32, "rrp_token_expired_timeout": millis, "rrp_autorecovery_check_timeout": millis,
			"link_down_timeout": millis, "node_down_timeout": millis, "heartbeat_interval": millis,
		},
		"totem.interface": {
			"linknumber": number("u8", 0, MaxLinks-1), "ringnumber": number("u8", 0, MaxLinks-1),
			"bindnetaddr": text, "mcastaddr": text, "broadcast": yesno, "mcastport": number("u16", 1, 65535), "ttl": u8,
			"knet_link_priority": u8, "knet_ping_interval": u32, "knet_ping_timeout": u32, "knet_ping_precision": u32,
			"knet_pong_count": u32, "knet_transport": {typ: "str", enum: []string{"udp", "sctp"}, bad: "Invalid knet_transport. Should be udp"}, "addr": text,
		},
		"totem.interface.member": {"memberaddr": text},
		"nodelist":               {},
		"nodelist.node":          {"nodeid": number("u32", 1, 1<<32-1), "name": text, "quorum_votes": u32},
		"quorum": {
			"provider":       text,
			"expected_votes": u32, "votes": u32, "two_node": flag, "wait_for_all": flag, "last_man_standing": flag,
			"last_man_standing_window": millis, "auto_tie_breaker": flag, "auto_tie_breaker_node": text, "allow_downscale": flag,
			"expected_votes_tracking": flag, "leaving_timeout": millis, "disallowed": flag, "lease": millis,
		},
		"quorum.device":            {"model": text, "votes": u32, "timeout": millis, "sync_timeout": millis, "master_wins": flag},
		"quorum.device.net":        {"host": text, "port": number("u16", 1, 65535), "algorithm": text, "tls": text, "tie_breaker": text, "force_ip_version": text, "keep_active_partition_tie_breaker": text, "connect_timeout": millis, "heartbeat_interval": millis},
		"quorum.device.disk":       {"path": text, "interval": number("u32", 10, 1<<31-1), "misses": number("u32", 4, 1000)},
		"quorum.device.heuristics": {"mode": text, "timeout": millis, "sync_timeout": millis, "interval": millis},
		"logging": {
			"timestamp": {typ: "str", enum: []string{"on", "off", "hires"}, bad: "Invalid timestamp. Should be on, off or hires"}, "fileline": yesno, "function_name": yesno, "blackbox": yesno, "to_stderr": yesno, "to_syslog": yesno,
			"to_logfile": yesno, "logfile": text, "logfile_priority": text, "syslog_facility": text, "syslog_priority": text,
			"debug": {typ: "str", enum: []string{"yes", "no", "on", "off", "trace"}, bad: "Should be on, off or trace"}, "to_file": yesno, "to_systemd": yesno,
		},
		"logging.logger_subsys": {
			"subsys": text, "debug": text, "to_logfile": yesno, "to_syslog": yesno, "to_stderr": yesno, "logfile": text,
			"logfile_priority": text, "syslog_facility": text, "syslog_priority": text,
		},
		"system": {
			"qb_ipc_type":                {typ: "str", enum: []string{"native", "shm", "socket"}, bad: "Invalid system.qb_ipc_type"},
			"sched_rr":                   {typ: "str", enum: []string{"yes", "no"}, bad: "Invalid system.sched_rr value"},
			"move_to_root_cgroup":        {typ: "str", enum: []string{"yes", "no", "auto"}, bad: "Invalid system.move_to_root_cgroup"},
			"allow_knet_handle_fallback": {typ: "str", enum: []string{"yes", "no"}, bad: "Invalid system.allow_knet_handle_fallback"},
			"priority":                   text, "state_dir": text,
		},
		"resources": {"watchdog_device": text, "watchdog_timeout": u32},
		"uidgid":    {"uid": text, "gid": text},
		"nozzle":    {"name": text, "ipaddr": text, "ipprefix": text, "macaddr": text},
		"pload":     {"count": u32, "size": u32},
		"service":   {"name": text, "ver": text, "use_mgmtd": text, "use_logd": text, "clustername": text},
		"aisexec":   {"user": text, "group": text},
		"amf":       {"mode": text},
		"event":     {"delivery_queue_size": text, "delivery_queue_resume": text},
	}
})

// dscp lists the values of ip_dscp.
func dscp() []string {
	out := []string{"ef"}
	for n := range 64 {
		out = append(out, strconv.Itoa(n))
	}
	for n := range 8 {
		out = append(out, fmt.Sprintf("cs%d", n))
	}
	for n := range 12 {
		out = append(out, fmt.Sprintf("af%d%d", n/3+1, n%3+1))
	}
	return out
}

// dscpValue is the code point of a value of ip_dscp.
func dscpValue(s string) int {
	n, err := strconv.Atoi(s)
	switch {
	case err == nil:
		return n
	case s == "ef":
		return 46
	case strings.HasPrefix(s, "cs"):
		return int(s[2]-'0') * 8
	}
	return int(s[2]-'0')*8 + int(s[3]-'0')*2
}

// lookup finds the rule of a key. ok is false where the key is unknown.
func lookup(section, key string) (r rule, ok bool) {
	if section == "nodelist.node" && isRingAddr(key) {
		return text, true
	}
	if strings.HasPrefix(section, "resources.") || section == "quorum.device.heuristics" && (strings.HasPrefix(key, "exec_") || strings.HasPrefix(key, "ping_")) {
		return text, true
	}
	r, ok = schema()[section][key]
	return r, ok
}

func isRingAddr(key string) bool {
	n, ok := strings.CutPrefix(key, "ring")
	if !ok {
		return false
	}
	n, ok = strings.CutSuffix(n, "_addr")
	return ok && len(n) == 1 && n[0] >= '0' && n[0] < '0'+MaxLinks
}

// check tells whether value obeys the rule; the text says why not.
func (r rule) check(key, value string) (fault string) {
	if r.enum != nil {
		if slices.Contains(r.enum, value) {
			return ""
		}
		return fmt.Sprintf("%s, but %q was given for key %q%s", r.bad, value, key, meant(value, r.enum))
	}
	if r.max == 0 {
		return ""
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n < r.min || n > r.max {
		return fmt.Sprintf("Value of key \"%s\" is expected to be integer in range (%d..%d), but \"%s\" was given", key, r.min, r.max, value)
	}
	return ""
}

// keysOf lists the known keys of a section.
func keysOf(section string) []string {
	out := slices.Collect(maps.Keys(schema()[section]))
	if section == "nodelist.node" {
		out = append(out, "ring0_addr", "ring1_addr")
	}
	return out
}

// subsections lists the known sections within one.
func subsections(section string) []string {
	var out []string
	for path := range schema() {
		if at := strings.LastIndexByte(path, '.'); path != "" && path[:max(at, 0)] == section {
			out = append(out, path[at+1:])
		}
	}
	return out
}

// meant asks whether the candidate that is most like name was meant; it is empty
// where none is like it.
func meant(name string, candidates []string) string {
	best, dist := "", 3
	if len(name) < 5 {
		dist = 2
	}
	for _, k := range candidates {
		d := distance(name, k)
		if d < dist || d == dist && best != "" && k < best {
			best, dist = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is the number of single edits between two words; two letters that
// changed places are one.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j-1]+cost, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
