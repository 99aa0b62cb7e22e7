// Command report runs the benchmarks behind docs/performance.md one after the
// other, never two at once, and ends with one table: what was measured, the
// bound it was built to, the median of the runs with the least and the most,
// and whether the median keeps the bound. "make bench" calls it.
//
// It ends with an error only when a benchmark could not be run. A bound that is
// not kept is said, not punished: times belong to the machine.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"time"
)

// options are the flags, which "make bench" sets from its variables.
type options struct {
	benchtime string
	count     int
	calls     int
	rounds    int
	rate      int
	only      string
}

func main() {
	var o options
	flag.StringVar(&o.benchtime, "benchtime", "500ms", "how long each benchmark of a room runs")
	flag.IntVar(&o.count, "count", 3, "how often each benchmark of a room runs")
	flag.IntVar(&o.calls, "calls", 10, "calls at once on the real Asterisk")
	flag.IntVar(&o.rounds, "rounds", 3, "times each state of a call is measured")
	flag.IntVar(&o.rate, "rate", 100, "calls a second for StasisStart to PlaybackStarted")
	flag.StringVar(&o.only, "only", "", "only the suites whose name holds this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run runs the suites in order and prints the table.
func run(ctx context.Context, o options, out io.Writer) error {
	began := time.Now()
	before := load()
	found := results{}
	for _, s := range suites(o) {
		if !strings.Contains(s.name, o.only) {
			continue
		}
		fmt.Fprintf(out, "\n== %s: go test %s\n", s.name, strings.Join(s.args, " "))
		if err := s.run(ctx, out, found); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	fmt.Fprintf(out, "\n%d cores, %s; load average %s before, %s after; %s\n\n",
		runtime.NumCPU(), runtime.Version(), before, load(), time.Since(began).Round(time.Second))
	found.table(out)
	return nil
}

// run runs one suite, shows what it prints and keeps what it measures.
func (s suite) run(ctx context.Context, out io.Writer, into results) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test"}, s.args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Stderr = os.Stderr
	lines, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	scan := bufio.NewScanner(lines)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		fmt.Fprintln(out, scan.Text())
		into.add(scan.Text())
	}
	return cmd.Wait()
}

// load is the load average of the last minute; other work on the machine
// changes what is measured.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
