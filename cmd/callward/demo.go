package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/callward/callward/internal/lab/scene"
)

// demoMark says that a folder was made by the demo and may be made anew.
const demoMark = ".callward-demo"

// The cast. All of it is made up.
const (
	demoPatients = `record_number,family,given,birth_date,phones,street,city,state,zip,language
4471902,Alvarado,Nina,1971-03-14,+12065550142,812 Cedar Street,Seattle,WA,98101,en
4471903,Okafor,Samuel,1958-11-02,+12065550177,40 Harbor Lane,Tacoma,WA,98402,en
4471904,Reyes,Marta,1990-07-29,+15035550121,2209 Alder Court,Portland,OR,97205,es
`
	demoBirthKeys = "03141971"
	demoPhoneKeys = "2065550142"
	demoCallerID  = "2065550142"
)

type demoOptions struct {
	dir    string
	asJSON bool
	stay   bool
}

func demoCommand(m *Main) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play one whole call on a real Asterisk, fetched without root",
		Long: `Fetch a real Asterisk into the user's cache (once; no root, nothing is installed), make a site with
synthetic patients in a run directory, start callward, and play one call from the first ring to the sealed
recording: a scripted patient and a scripted agent over SIP/TLS and SRTP.

Where the host has no apt, name an Asterisk 22.10 or newer: CALLWARD_ASTERISK=/path/to/asterisk.

Exit codes: 0 everything was as it must be, 1 something was not (the report says what).`,
		Example: `  callward demo
  callward demo --json | jq .checks
  callward demo --stay     # then call it with a softphone of your own`,
		RunE: func(cmd *cobra.Command, args []string) error { return m.demo(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", filepath.Join("run", "demo"), "run directory; one made by an earlier demo is made anew")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON document instead of the timeline")
	f.BoolVar(&o.stay, "stay", false, "keep everything running afterwards, and print how to call in")
	return cmd
}

func (m *Main) demo(ctx context.Context, o demoOptions) (err error) {
	dir, err := freshDemoDir(o.dir)
	if err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	bar := newBar(m.Stderr)
	began := time.Now()
	s, err := scene.Open(ctx, scene.Options{
		Dir: dir, Binary: binary, Name: "Lakeside Clinic", Callback: "+12065550100",
		Agents:   []scene.Agent{{ID: "maria", Name: "Maria Lopez", State: "WA"}},
		Patients: demoPatients, Progress: bar.show,
	})
	bar.done()
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Serve(ctx); err != nil {
		return err
	}
	play := newPlay(s, m.Now)
	if !o.asJSON {
		play.out = m.Stdout
		fmt.Fprintf(m.Stdout, "One patient's call on Asterisk %s (ready after %.1f s). Everything below happens on real SIP/TLS and SRTP.\n\n",
			s.Install.Version, time.Since(began).Seconds())
	}
	playErr := play.run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	report := play.finish(ctx, playErr)
	if o.asJSON {
		if err := printJSON(m.Stdout, report); err != nil {
			return err
		}
	} else {
		report.print(m.Stdout)
	}
	if o.stay {
		m.stay(ctx, s, o.asJSON)
	}
	if !report.OK {
		return exitError{exitFail, playErr}
	}
	return nil
}

// freshDemoDir makes the run directory, over an earlier demo's but over nothing
// else.
func freshDemoDir(name string) (string, error) {
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0:
	case err != nil:
		return "", err
	case !exists(filepath.Join(dir, demoMark)):
		return "", fmt.Errorf("%s holds something that no demo made: name another folder with --dir", dir)
	default:
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", unwritable(err)
	}
	return dir, os.WriteFile(filepath.Join(dir, demoMark), nil, 0o600)
}

// stay keeps the stage until Ctrl-C.
func (m *Main) stay(ctx context.Context, s *scene.Scene, quiet bool) {
	out := m.Stdout
	if quiet {
		out = m.Stderr
	}
	site := s.Asterisk.Site
	fmt.Fprintf(out, `
Everything keeps running until Ctrl-C. Call it with any softphone that speaks SIP over TLS with SRTP (SDES):

  as the patient   sip:clinic@%s;transport=tls   user %s   password %s
  as the agent     register at the same address   user %s   password %s
  trust            %s (the authority of this run)
  patient's keys   birth date %s, telephone %s

  callward commands for this site: CALLWARD_CONFIG=%s callward ...
`, s.Asterisk.SIPAddr, site.Patients[0].ID, site.Patients[0].Password, site.Agents[0].ID, site.Agents[0].Password,
		s.Asterisk.CAFile, demoBirthKeys, demoPhoneKeys, s.Config)
	<-ctx.Done()
}

// bar shows progress on a terminal, and a line per stage elsewhere.
type bar struct {
	w     io.Writer
	tty   bool
	width int
	stage string
	shown time.Time
}

func newBar(w io.Writer) *bar {
	b := &bar{w: w, width: 30}
	if f, ok := w.(*os.File); ok {
		b.tty = term.IsTerminal(int(f.Fd()))
	}
	return b
}

var stageWords = map[string]string{
	"index": "reading the package index", "download": "fetching Asterisk", "unpack": "unpacking",
	"check": "checking", "prompts": "rendering the prompts", "asterisk": "starting Asterisk", "site": "making keys, database and patients",
}

func (b *bar) show(stage string, done, total int64) {
	words := stageWords[stage]
	if words == "" {
		words = stage
	}
	if !b.tty {
		if stage != b.stage {
			fmt.Fprintln(b.w, words+" ...")
		}
		b.stage = stage
		return
	}
	if stage == b.stage && done < total && time.Since(b.shown) < 50*time.Millisecond {
		return
	}
	b.stage, b.shown = stage, time.Now()
	part := 0
	percent := ""
	if total > 0 {
		part = int(int64(b.width) * min(done, total) / total)
		percent = fmt.Sprintf("%3d %%", 100*min(done, total)/total)
	}
	line := ""
	for i := range b.width {
		if i < part {
			line += "█"
		} else {
			line += "░"
		}
	}
	fmt.Fprintf(b.w, "\r\x1b[K%-36s %s %s", words, line, percent)
}

func (b *bar) done() {
	if b.tty && b.stage != "" {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// ageCommand is how a person opens a sealed recording with the stock program.
func ageCommand(identity, path string) string {
	return fmt.Sprintf("age -d -i %s %s > call.wav", relative(identity), relative(path))
}

// relative is a path as a person would type it here.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
