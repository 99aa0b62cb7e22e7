package main

import "fmt"

// suite is one call of "go test".
type suite struct {
	name string
	args []string
}

// suites are run in this order: first what needs one core and no disk, then the
// disk, then whole processes.
func suites(o options) []suite {
	room := func(name, pkg, bench string) suite {
		return suite{name, []string{"-run", "^$", "-bench", bench, "-benchmem", "-benchtime", o.benchtime, "-count", fmt.Sprint(o.count), pkg}}
	}
	whole := func(name, bench string) suite {
		return suite{name, []string{"-run", "^$", "-bench", bench, "-benchtime", "1x", "-timeout", "60m", "./test/bench",
			"-calls", fmt.Sprint(o.calls), "-rounds", fmt.Sprint(o.rounds), "-rate", fmt.Sprint(o.rate)}}
	}
	return []suite{
		room("policy", "./policy", "."),
		room("ari", "./ari", "."),
		room("recording", "./internal/recording", "."),
		room("storage", "./storage/...", "."),
		room("audit", "./internal/audit", "."),
		room("importer", "./internal/importer", "."),
		room("lab", "./internal/g711", "."),
		whole("pick-up", "Pickup"),
		whole("rate", "Rate"),
		whole("calls", "Calls"),
		whole("restart", "Kill"),
	}
}

// row is one line of the table: a figure and its bound.
type row struct {
	what  string
	bench string // the benchmark, or the beginning of the names of several: the worst of them counts
	not   string // of those, not the ones whose name holds this
	unit  string
	bound bound
	scale float64 // the figure is multiplied by this; 0 is 1
	as    string  // unit to print instead
}

// bound is what architecture.md asks for; the zero value asks for nothing.
type bound struct {
	limit float64
	least bool // limit is the least that is asked, not the most
	set   bool
}

func most(v float64) bound  { return bound{limit: v, set: true} }
func least(v float64) bound { return bound{limit: v, set: true, least: true} }

func (b bound) String() string {
	switch {
	case !b.set:
		return ""
	case b.least:
		return fmt.Sprintf(">= %s", number(b.limit))
	}
	return fmt.Sprintf("<= %s", number(b.limit))
}

func (b bound) kept(v float64) bool {
	return !b.set || b.least && v >= b.limit || !b.least && v <= b.limit
}

// section is a group of rows.
type section struct {
	title string
	rows  []row
}

var sections = []section{
	{"Waiting", []row{
		{what: "StasisStart to PlaybackStarted, p50", bench: "Rate/watched", unit: "start-to-playback-p50-ms"},
		{what: "StasisStart to PlaybackStarted, p99", bench: "Rate/watched", unit: "start-to-playback-p99-ms", bound: most(5)},
		{what: "  at so many calls a second", bench: "Rate/watched", unit: "calls/s"},
		{what: "INVITE to first sound, dialplan, p50", bench: "Pickup/paired", unit: "dialplan-p50-ms"},
		{what: "INVITE to first sound, callward, p50", bench: "Pickup/paired", unit: "callward-p50-ms"},
		{what: "  more than the dialplan", bench: "Pickup/paired", unit: "more-p50-ms", bound: most(3)},
		{what: "withdrawal key down to last frame kept, p50", bench: "Calls/withdrawal", unit: "down-to-last-frame-ms", bound: most(200)},
		{what: "withdrawal key down to last frame kept, most", bench: "Calls/withdrawal", unit: "down-to-last-frame-max-ms", bound: most(200)},
	}},
	{"CPU of a call, per second", []row{
		{what: "on hold: Asterisk", bench: "Calls/on-hold", unit: "asterisk-ms/s"},
		{what: "on hold: callward", bench: "Calls/on-hold", unit: "callward-ms/s"},
		{what: "on hold: both, against dialplan playback", bench: "Calls/on-hold", unit: "x-dialplan"},
		{what: "conversation: Asterisk", bench: "Calls/conversation", unit: "asterisk-ms/s"},
		{what: "conversation: callward", bench: "Calls/conversation", unit: "callward-ms/s"},
		{what: "conversation: both, against Dial", bench: "Calls/conversation", unit: "x-dialplan"},
		{what: "recorded: Asterisk", bench: "Calls/recorded", unit: "asterisk-ms/s"},
		{what: "recorded: callward", bench: "Calls/recorded", unit: "callward-ms/s"},
		{what: "recorded: callward, part of Asterisk's", bench: "Calls/recorded", unit: "%-of-asterisk", bound: most(6)},
		{what: "recorded: both, against Dial + MixMonitor", bench: "Calls/recorded", unit: "x-dialplan"},
		{what: "dialplan playback: Asterisk", bench: "Calls/dialplan-playback", unit: "asterisk-ms/s"},
		{what: "Dial: Asterisk", bench: "Calls/dialplan-conversation", unit: "asterisk-ms/s"},
		{what: "Dial + MixMonitor: Asterisk", bench: "Calls/dialplan-mixmonitor", unit: "asterisk-ms/s"},
		{what: "no call at all: Asterisk", bench: "Calls/none", unit: "asterisk-ms/s"},
		{what: "no call at all: callward", bench: "Calls/none", unit: "callward-ms/s"},
	}},
	{"CPU of set-up and tear-down", []row{
		{what: "answer, play, hang up: callward", bench: "Rate/callward", unit: "callward-ms/call", bound: most(1)},
		{what: "answer, play, hang up: Asterisk", bench: "Rate/callward", unit: "asterisk-ms/call"},
		{what: "the same by the dialplan: Asterisk", bench: "Rate/dialplan", unit: "asterisk-ms/call"},
		{what: "a whole recorded call, keys to goodbye: callward", bench: "Calls/whole-call", unit: "callward-ms/call"},
	}},
	{"kill -9", []row{
		{what: "start to ready", bench: "Kill/kill", unit: "ready-ms"},
		{what: "start to last call adopted", bench: "Kill/kill", unit: "adopted-ms", bound: most(1000)},
		{what: "start to last call recorded again", bench: "Kill/kill", unit: "recording-again-ms"},
		{what: "lost at the end of a recording, most", bench: "Kill/kill", unit: "lost-max-s", bound: most(4)},
		{what: "frames the patients heard with nobody there", bench: "Kill/kill", unit: "%-of-sound-heard", bound: least(99)},
	}},
	{"Policy", []row{
		{what: "a usual decision, slowest of 12 kinds", bench: "Decide/", not: "denied", unit: "ns/op", bound: most(250)},
		{what: "  its allocations", bench: "Decide/", not: "denied", unit: "allocs/op", bound: most(0)},
		{what: "any decision, slowest", bench: "Decide/", unit: "ns/op", bound: most(2000)},
	}},
	{"Events", []row{
		{what: "decode StasisStart", bench: "DecodeEvent/StasisStart.json", unit: "ns/op"},
		{what: "decode ChannelDtmfReceived", bench: "DecodeEvent/ChannelDtmfReceived.json", unit: "ns/op"},
		{what: "decode and dispatch, 500 calls", bench: "Dispatch", unit: "ns/op"},
	}},
	{"Recording", []row{
		{what: "sealing, part of the raw AEAD's speed", bench: "Sealing", unit: "ratio", scale: 100, as: "%", bound: least(90)},
		{what: "  its allocations", bench: "Sealing", unit: "allocs/op", bound: most(0)},
		{what: "all work on one second of two tracks", bench: "Second", unit: "ns/op", scale: 1e-3, as: "us"},
		{what: "memory, beside the chunk of 64 KiB", bench: "Memory", unit: "KiB/beside-chunk", bound: most(64)},
	}},
	{"Audit", []row{
		{what: "commits, part of bare SQLite's rate", bench: "Commit", unit: "%-of-bare", bound: least(90)},
		{what: "one durable commit", bench: "Commit", unit: "ours-ns/commit", scale: 1e-3, as: "us"},
		{what: "group commit", bench: "GroupCommit", unit: "events/s", bound: least(20000)},
		{what: "verify, by the clock", bench: "Verify", unit: "events/s", bound: least(500000)},
		{what: "verify, a second of CPU", bench: "Verify", unit: "events/cpu-s"},
	}},
}
