package main

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// results are the figures found: by benchmark, by unit, one of each run.
type results map[string]map[string][]float64

// repeats is what go test adds to a name: the cores, and a number when the same
// name was run before.
var repeats = regexp.MustCompile(`(#\d+)?(-\d+)?$`)

// add takes a line of "go test -bench" and keeps its figures; other lines are
// passed over.
func (r results) add(line string) {
	words := strings.Fields(line)
	if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
		return
	}
	if _, err := strconv.Atoi(words[1]); err != nil {
		return
	}
	name := repeats.ReplaceAllString(strings.TrimPrefix(words[0], "Benchmark"), "")
	for i := 2; i+1 < len(words); i += 2 {
		v, err := strconv.ParseFloat(words[i], 64)
		if err != nil {
			return
		}
		if r[name] == nil {
			r[name] = map[string][]float64{}
		}
		r[name][words[i+1]] = append(r[name][words[i+1]], v)
	}
}

// figure is the runs of one row, sorted: of the benchmark it names or, when it
// names several, of the one with the worst median.
func (r results) figure(w row) []float64 {
	var worst []float64
	for name, units := range r {
		several := strings.HasSuffix(w.bench, "/")
		if name != w.bench && !(several && strings.HasPrefix(name, w.bench)) || w.not != "" && strings.Contains(name, w.not) {
			continue
		}
		v := slices.Sorted(slices.Values(units[w.unit]))
		if len(v) == 0 {
			continue
		}
		if w.scale != 0 {
			for i := range v {
				v[i] *= w.scale
			}
		}
		if worst == nil || (median(v) > median(worst)) != w.bound.least {
			worst = v
		}
	}
	return worst
}

// table prints what was found.
func (r results) table(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "WHAT\tBOUND\tMEDIAN\tLEAST - MOST\t")
	for _, s := range sections {
		titled := false
		for _, w := range s.rows {
			v := r.figure(w)
			if len(v) == 0 {
				continue
			}
			if !titled {
				fmt.Fprintf(t, "%s\t\t\t\t\n", strings.ToUpper(s.title))
				titled = true
			}
			unit := w.as
			if unit == "" {
				unit = plainUnit(w.unit)
			}
			verdict := ""
			if w.bound.set {
				verdict = "kept"
				if !w.bound.kept(median(v)) {
					verdict = "NOT KEPT"
				}
			}
			spread := ""
			if len(v) > 1 {
				spread = number(v[0]) + " - " + number(v[len(v)-1])
			}
			fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\n", w.what, w.bound, number(median(v)), unit, spread, verdict)
		}
	}
}

// units are the ends of the benchmarks' units and what is printed for them.
var units = []struct{ end, text string }{
	{"-ms/call", "ms"}, {"-ms/s", "ms/s"}, {"-ms", "ms"}, {"events/cpu-s", "/s"}, {"-s", "s"}, {"ns/op", "ns"}, {"allocs/op", ""},
	{"x-dialplan", "x"}, {"KiB/beside-chunk", "KiB"}, {"events/s", "/s"}, {"calls/s", "/s"},
}

func plainUnit(unit string) string {
	if strings.HasPrefix(unit, "%") {
		return "%"
	}
	for _, u := range units {
		if strings.HasSuffix(unit, u.end) {
			return u.text
		}
	}
	return unit
}

func median(sorted []float64) float64 { return sorted[(len(sorted)-1)/2] }

// number has three digits that count, and no more.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
