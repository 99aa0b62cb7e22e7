package main

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/storage"
)

// The commands below are what the scripts need beside callward itself.

// site makes a site in ./site with the officer's identity in ./officer.
func site(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(ts.Exec("callward", "init", "--dir", "site", "--name", "Mill Street Clinic",
		"--callback-number", "+12065550100", "--officer-identity", "officer"))
}

// exit runs a program and wants its exit code: exit 3 callward policy eval FILE.
func exit(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exit CODE program [args...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// mode wants a file to have a mode: mode 600 FILE.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// flip changes one bit in the middle of the only file that matches.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s matches %d files", args[0], len(found))
	}
	data, err := os.ReadFile(found[0])
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(found[0], data, 0o600))
}

// seed fills the site's database: one patient, p-seed, with a visit and an invoice, and one call with a
// consent and a recording of a second of sound, really sealed.
func seed(ts *testscript.TestScript, neg bool, args []string) {
	ctx := context.Background()
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	m := &Main{Now: func() time.Time { return now }}
	c, err := config.Load(ts.Getenv("CALLWARD_CONFIG"), nil)
	ts.Check(err)
	store, err := m.openStore(ctx, c)
	ts.Check(err)
	defer store.Close()

	keys, err := recording.ReadRecipients(c.Recording.Recipients)
	ts.Check(err)
	rec, err := recording.New(recording.Options{Dir: c.Recording.Dir, Recipients: keys, Clock: m.Now, MinFree: 1})
	ts.Check(err)
	session, err := rec.Start(recording.Header{CallID: "call-1", Segment: 1, ConsentID: "1", PromptVersion: "x", Language: "en"}, now)
	ts.Check(err)
	frame := make([]byte, 160)
	for i := range 50 {
		at := now.Add(time.Duration(i+1) * 20 * time.Millisecond)
		session.Push(recording.TrackPatient, frame, at)
		session.Push(recording.TrackHeard, frame, at)
	}
	result, err := session.Stop(now.Add(time.Second))
	ts.Check(err)
	ts.Check(rec.Close(now))

	ts.Check(store.Update(ctx, func(tx storage.Tx) error {
		var errs []error
		do := func(err error) { errs = append(errs, err) }
		_, err := tx.PutPatient(storage.Patient{
			ID: "p-seed", Name: "Ada Lovelace", BirthDate: "1985-12-10", Language: "en",
			Identifiers: []storage.Identifier{
				{Kind: storage.KindBirthDate, Value: "1985-12-10"}, {Kind: storage.KindPhone, Value: "+12065550111"},
			},
		})
		do(err)
		_, err = tx.PutVisit(storage.Visit{ID: "visit-1", Patient: "p-seed", Date: "2026-02-03", Start: now.AddDate(0, -1, 0), Status: storage.VisitFinished})
		do(err)
		_, err = tx.PutInvoice(storage.Invoice{Number: "INV7001", Patient: "p-seed", Date: "2026-02-04"})
		do(err)
		do(tx.PutCall(storage.Call{ID: "call-1", Step: "ended", StartedAt: now, EndedAt: now.Add(time.Minute), Disposition: "completed"}))
		consent, err := tx.AddConsent(storage.Consent{CallID: "call-1", Patient: "p-seed", Party: "call-1", PartyKind: "patient",
			Purpose: "recording", Answer: storage.AnswerYes, By: "dtmf", At: now})
		do(err)
		do(tx.PutRecording(storage.Recording{ID: result.ID, CallID: "call-1", Segment: 1, ConsentID: consent, Patient: "p-seed",
			Status: storage.RecordingSealed, Path: result.Path, StartedAt: result.StartedAt, StoppedAt: result.StoppedAt,
			Duration: result.Duration, Bytes: result.Bytes, SHA256: result.SHA256}))
		for _, e := range []storage.Entry{
			{Actor: "callward", Call: "call-1", Patient: "p-seed", Action: "StartRecording", Outcome: storage.OutcomeAllow,
				Rules: []string{"recording.consent.required"}, Profile: "default"},
			{Actor: "callward", Call: "call-2", Action: "Disclose", Outcome: storage.OutcomeDeny,
				Rules: []string{"identity.verify.before_phi"}, Profile: "default"},
		} {
			_, err := tx.Audit(e)
			do(err)
		}
		return errors.Join(errs...)
	}))
}

// scriptedAsterisk answers ARI requests from files: GET /ari/asterisk/info from DIR/asterisk/info.json, or
// with 500 where there is a DIR/asterisk/info.500.
// It writes its certificate to ./asterisk.pem and its address into the environment.
func scriptedAsterisk(ts *testscript.TestScript, neg bool, args []string) {
	dir := os.DirFS(ts.MkAbs(args[0]))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		want, _ := os.ReadFile(ts.MkAbs("site/ari.password"))
		if user != "callward" || password != strings.TrimSpace(string(want)) {
			http.Error(w, `{"message":"Authentication required"}`, http.StatusUnauthorized)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/ari/")
		if _, err := fs.Stat(dir, name+".500"); err == nil {
			http.Error(w, `{"message":"Allocation failed"}`, http.StatusInternalServerError)
			return
		}
		data, err := fs.ReadFile(dir, name+".json")
		if err != nil {
			http.Error(w, `{"message":"Not found"}`, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(data)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused handshake is what a script provokes
	server.StartTLS()
	ts.Defer(server.Close)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	ts.Check(os.WriteFile(ts.MkAbs("asterisk.pem"), cert, 0o644))
	ts.Setenv("CALLWARD_ASTERISK_ARI_URL", server.URL)
	ts.Setenv("CALLWARD_ASTERISK_ARI_CA_FILE", ts.MkAbs("asterisk.pem"))
}
