package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const printed = `goos: linux
BenchmarkDecide/PlaceCall-2         	 6553938	        54.38 ns/op	       0 B/op	       0 allocs/op
BenchmarkDecide/StartRecording-2    	 1767504	       260.5 ns/op	       0 B/op	       0 allocs/op
BenchmarkDecide/StartRecording-2    	 1767504	       240.5 ns/op	       0 B/op	       0 allocs/op
BenchmarkDecide/StartRecording-2    	 1767504	       245.0 ns/op	       0 B/op	       0 allocs/op
BenchmarkDecide/Verify/denied-2     	  158995	      1923 ns/op	    2504 B/op	       9 allocs/op
BenchmarkCalls/recorded-2           	       1	         4.382 %-of-asterisk	        19.96 asterisk-ms/s
BenchmarkCalls/recorded#01-2        	       1	         7.1 %-of-asterisk	        18.00 asterisk-ms/s
BenchmarkCalls/recorded#02-2        	       1	         7.5 %-of-asterisk	        18.00 asterisk-ms/s
BenchmarkVerify-2   	       2	 571677323 ns/op	    600000 events/s
PASS
ok  	github.com/callward/callward/policy	4.4s
`

func found() results {
	r := results{}
	for line := range strings.Lines(printed) {
		r.add(strings.TrimSpace(line))
	}
	return r
}

func TestResults(t *testing.T) {
	r := found()
	assert.Equal(t, []float64{240.5, 245, 260.5}, r.figure(row{bench: "Decide/", not: "denied", unit: "ns/op"}), "the worst of several")
	assert.Equal(t, []float64{1923}, r.figure(row{bench: "Decide/", unit: "ns/op"}))
	assert.Equal(t, []float64{4.382, 7.1, 7.5}, r.figure(row{bench: "Calls/recorded", unit: "%-of-asterisk"}), "runs of one name belong together")
	assert.Equal(t, []float64{300000}, r.figure(row{bench: "Verify", unit: "events/s", scale: 0.5}))
	assert.Empty(t, r.figure(row{bench: "Calls/on-hold", unit: "asterisk-ms/s"}))
}

func TestTable(t *testing.T) {
	var out strings.Builder
	found().table(&out)
	lines := map[string]string{}
	for line := range strings.Lines(out.String()) {
		what, _, _ := strings.Cut(line, "  ")
		lines[what] = strings.Join(strings.Fields(line), " ")
	}
	assert.Equal(t, "a usual decision, slowest of 12 kinds <= 250 245 ns 240 - 260 kept", lines["a usual decision, slowest of 12 kinds"])
	assert.Equal(t, "recorded: callward, part of Asterisk's <= 6 7.1 % 4.38 - 7.5 NOT KEPT", lines["recorded: callward, part of Asterisk's"])
	assert.Equal(t, "verify, by the clock >= 500000 600000 /s kept", lines["verify, by the clock"])
	assert.NotContains(t, out.String(), "KILL")
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{"0": 0, "1": 1, "0.012": 0.012, "12.3": 12.34, "1235": 1234.6, "-35.2": -35.23, "100": 100, "500000": 500000} {
		assert.Equal(t, want, number(v))
	}
}

// Every row is measured by a suite: each unit is known, and none is listed twice.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sections {
		for _, w := range s.rows {
			key := w.bench + w.not + w.unit
			assert.False(t, seen[key], key)
			seen[key] = true
			assert.NotEmpty(t, w.what)
		}
	}
}
