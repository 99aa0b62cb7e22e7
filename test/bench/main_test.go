// Package bench measures whole processes on a real Asterisk: what a call costs
// in CPU, how long a caller waits for the first word, how soon a recording
// stops, how long a dead controller is missed. "make bench" runs it after the
// benchmarks that each room has of its own, and prints one table of all.
//
// Each figure stands beside what it is to be compared with, taken from the same
// Asterisk in the same run: a plain dialplan call, with Dial and with
// MixMonitor. The phones live in this process, Asterisk and Callward in theirs,
// so the phones' work is on nobody's account, though they share the cores.
//
// Nothing here passes or fails by the clock: a benchmark fails when a call
// does.
package bench

import (
	"context"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/callward/callward/internal/lab/scene"
)

var (
	calls  = flag.Int("calls", 10, "calls at once whose CPU is measured")
	rounds = flag.Int("rounds", 3, "times each figure is taken")
	window = flag.Duration("window", 5*time.Second, "how long CPU is measured in each state")
	pairs  = flag.Int("pairs", 60, "calls to Callward, and as many to the dialplan, for the time to the first sound")
	rate   = flag.Int("rate", 100, "calls a second for the time from StasisStart to PlaybackStarted")
	spell  = flag.Duration("spell", 4*time.Second, "how long calls come in at that rate")
)

// patients has one caller, made up.
const (
	patients = `record_number,family,given,birth_date,phones,street,city,state,zip,language
4471902,Alvarado,Nina,1971-03-14,+12065550142,812 Cedar Street,Seattle,WA,98101,en
`
	birth  = "03141971"
	number = "2065550142"
)

// open sets a scene with n agents on duty or off and callward running. The
// prompts are two seconds long each.
func open(ctx context.Context, b *testing.B, n int, change ...func(*scene.Options)) *scene.Scene {
	b.Helper()
	dir := b.TempDir()
	program := filepath.Join(dir, "callward")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "../../cmd/callward").CombinedOutput()
	require.NoError(b, err, "%s", out)
	o := scene.Options{Dir: filepath.Join(dir, "scene"), Binary: program, Patients: patients, Short: true, Bench: true}
	for i := range n {
		o.Agents = append(o.Agents, scene.Agent{ID: agentID(i), Name: "Maria Lopez", State: "WA"})
	}
	for _, c := range change {
		c(&o)
	}
	s, err := scene.Open(context.WithoutCancel(ctx), o)
	require.NoError(b, err)
	b.Cleanup(func() {
		s.Close()
		if b.Failed() {
			b.Logf("what callward said last:\n%s", s.Events.Tail(40))
			b.Logf("what Asterisk complained of: %v", s.Asterisk.LogProblems())
		}
	})
	require.NoError(b, s.Serve(ctx))
	return s
}

func agentID(i int) string { return fmt.Sprintf("a%02d", i) }

// cpu is the processor time a process has used, all its threads together: the
// sum of utime and stime of /proc/PID/stat, by the process's own CPU clock,
// which counts nanoseconds instead of ticks of 10 ms.
func cpu(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// spent is the CPU of Asterisk and of callward.
type spent struct{ asterisk, callward time.Duration }

func spending(b *testing.B, s *scene.Scene) (c spent) {
	b.Helper()
	var err error
	c.asterisk, err = cpu(s.Asterisk.PID())
	require.NoError(b, err)
	if pid := s.PID(); pid != 0 {
		c.callward, err = cpu(pid)
		require.NoError(b, err)
	}
	return c
}

func (c spent) since(before spent) spent {
	return spent{c.asterisk - before.asterisk, c.callward - before.callward}
}

// pass lets time go by: what is measured here is what happens meanwhile.
func pass(ctx context.Context, b *testing.B, d time.Duration) {
	b.Helper()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		require.NoError(b, context.Cause(ctx))
	}
}

// result reports figures of a benchmark whose time says nothing.
func result(b *testing.B, figures map[string]float64) {
	b.ReportMetric(0, "ns/op")
	for unit, v := range figures {
		b.ReportMetric(v, unit)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
