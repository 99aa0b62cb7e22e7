package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/storage"
)

func recordingCommand(m *Main) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recording",
		Short: "List, open and verify sealed recordings",
	}
	cmd.AddCommand(recordingListCommand(m), recordingOpenCommand(m), recordingVerifyCommand(m))
	return cmd
}

func recordingListCommand(m *Main) *cobra.Command {
	var asJSON bool
	var filter storage.RecordingFilter
	var status, patient string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List recordings, newest first",
		Example: "  callward recording list --status withdrawn",
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withStore(cmd, func(ctx context.Context, c *config.Config, store storage.Store) error {
				filter.Status, filter.Patient = storage.RecordingStatus(status), storage.PatientID(patient)
				list := []storage.Recording{}
				err := store.View(ctx, func(tx storage.Tx) error {
					found, err := tx.Recordings(filter)
					list = append(list, found...)
					return err
				})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(m.Stdout, list)
				}
				rows := [][]string{{"RECORDING", "STATUS", "STARTED", "LENGTH", "LOST", "BYTES"}}
				for _, r := range list {
					rows = append(rows, []string{r.ID, string(r.Status), r.StartedAt.In(c.Organisation.Location()).Format(time.DateTime),
						r.Duration.Round(100 * time.Millisecond).String(), fmt.Sprintf("%d+%d", r.Lost[0], r.Lost[1]), strconv.FormatInt(r.Bytes, 10)})
				}
				return table(m.Stdout, rows)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print as JSON")
	f.StringVar(&filter.CallID, "call", "", "of this call only")
	f.StringVar(&patient, "patient", "", "of this patient (pseudonym) only")
	f.StringVar(&status, "status", "", "live, sealed, withdrawn, discarded, broken, quarantined or disposed")
	f.IntVar(&filter.Limit, "limit", 100, "at most this many")
	return cmd
}

func recordingOpenCommand(m *Main) *cobra.Command {
	var identity, out string
	cmd := &cobra.Command{
		Use:   "open ID|FILE",
		Short: "Decrypt a recording as a WAV stream to standard output",
		Long: `Decrypt a recording as a WAV stream: the patient on the left channel, what the patient heard on the right.
It is all authenticated before the first byte comes out. An ID is looked up in the site's database and the
audit log says who opened it. A FILE (a path, with a / in it) needs no site: the officer's machine has none.

"age -d -i IDENTITY FILE" opens it too.`,
		Example: `  callward recording open 1700000000.42-r1 --identity officer.identity | aplay
  callward recording open ./1700000000.42-r1.wav.age --identity officer.identity --out call.wav`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if identity == "" {
				return usage("whose identity opens it? give --identity FILE")
			}
			ids, err := recording.ReadIdentities(identity)
			if err != nil {
				return err
			}
			if f, ok := m.Stdout.(*os.File); ok && out == "" && term.IsTerminal(int(f.Fd())) {
				return usage("sound does not go to a terminal: pipe it into a player, or give --out FILE")
			}
			if isPath(args[0]) {
				return m.openRecording(args[0], ids, out)
			}
			r, err := m.aboutToOpen(cmd, args[0])
			if err != nil {
				return err
			}
			// A file that was sealed has its hash on file: only that tells a cut end from an altered one.
			if !r.SHA256.IsZero() {
				if _, err := recording.Verify(r.Path, r.SHA256, nil); err != nil {
					return err
				}
			}
			return m.openRecording(r.Path, ids, out)
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "file of the identity that opens it")
	cmd.Flags().StringVar(&out, "out", "", "write to this new file (mode 0600) instead; it is not encrypted")
	return cmd
}

func isPath(arg string) bool { return strings.ContainsRune(arg, '/') }

// aboutToOpen finds a recording of the site and writes down that it is about to be opened.
func (m *Main) aboutToOpen(cmd *cobra.Command, id string) (r storage.Recording, err error) {
	err = m.withStore(cmd, func(ctx context.Context, _ *config.Config, store storage.Store) error {
		return store.Update(ctx, func(tx storage.Tx) error {
			r, err = tx.Recording(id)
			if errors.Is(err, storage.ErrNotFound) {
				return noRecording(id)
			}
			if err != nil {
				return err
			}
			if r.Path == "" || r.Status == storage.RecordingDiscarded || r.Status == storage.RecordingDisposed {
				return fmt.Errorf("recording %s is %s: there is no file to open", id, r.Status)
			}
			_, err = tx.Audit(storage.Entry{Actor: actor(), Call: r.CallID, Patient: r.Patient, Action: "recording.open",
				Outcome: storage.OutcomeEvent, Detail: map[string]string{"recording": r.ID, "status": string(r.Status)}})
			return err
		})
	})
	return r, err
}

func noRecording(id string) error {
	return fmt.Errorf("there is no recording %q: ids are in \"callward recording list\"; for a file give its path, with a / in it", id)
}

func (m *Main) openRecording(path string, ids []age.Identity, out string) error {
	if out == "" {
		return m.decrypt(path, ids, m.Stdout)
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists and is not overwritten: name another file", out)
	}
	if err != nil {
		return err
	}
	err = errors.Join(m.decrypt(path, ids, f), f.Close())
	if err != nil && !errors.Is(err, recording.ErrTruncated) {
		return errors.Join(err, os.Remove(out))
	}
	return err
}

func (m *Main) decrypt(path string, ids []age.Identity, w io.Writer) error {
	info, err := recording.Open(path, ids, w)
	if info.Opened {
		fmt.Fprintf(m.Stderr, "recording %s of call %s, started %s, %s\n", info.ID, info.CallID,
			info.StartedAt.UTC().Format(time.RFC3339), info.Duration.Round(time.Millisecond))
	}
	return err
}

// verified is one line of "recording verify".
type verified struct {
	Recording string `json:"recording"`
	OK        bool   `json:"ok"`
	Opened    bool   `json:"opened"` // every chunk was authenticated, not only the hash compared
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256,omitempty"`
	Fault     string `json:"fault,omitempty"`
}

func recordingVerifyCommand(m *Main) *cobra.Command {
	var identity string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [ID|FILE...]",
		Short: "Check that recordings are what was sealed",
		Long: `Check that recordings are what was sealed: each file's hash against the database, and, with an identity, every
chunk of it. Without arguments all of the site's are checked. A FILE (a path, with a / in it) needs an
identity, for its hash is not known.

Exit codes: 0 all good, 1 at least one is not.`,
		Example: `  callward recording verify
  callward recording verify 1700000000.42-r1 --identity officer.identity --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var ids []age.Identity
			if identity != "" {
				var err error
				if ids, err = recording.ReadIdentities(identity); err != nil {
					return err
				}
			}
			todo, err := m.toVerify(cmd, args)
			if err != nil {
				return err
			}
			return m.verifyRecordings(cmd.Context(), todo, ids, asJSON)
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "file of an identity that opens them, to authenticate every chunk")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// toVerify turns arguments into recordings; a bare file is one without a hash.
func (m *Main) toVerify(cmd *cobra.Command, args []string) ([]storage.Recording, error) {
	var todo []storage.Recording
	var ids []string
	for _, arg := range args {
		if isPath(arg) {
			todo = append(todo, storage.Recording{ID: arg, Path: arg})
			continue
		}
		ids = append(ids, arg)
	}
	if len(args) > 0 && len(ids) == 0 {
		return todo, nil
	}
	err := m.withStore(cmd, func(ctx context.Context, _ *config.Config, store storage.Store) error {
		var found []storage.Recording
		err := store.View(ctx, func(tx storage.Tx) error {
			found = nil
			if len(args) == 0 {
				all, err := tx.Recordings(storage.RecordingFilter{})
				for _, r := range all {
					if r.Path != "" && r.Status != storage.RecordingLive && r.Status != storage.RecordingDiscarded && r.Status != storage.RecordingDisposed {
						found = append(found, r)
					}
				}
				return err
			}
			for _, id := range ids {
				r, err := tx.Recording(id)
				if errors.Is(err, storage.ErrNotFound) {
					return noRecording(id)
				}
				if err != nil {
					return err
				}
				found = append(found, r)
			}
			return nil
		})
		todo = append(todo, found...)
		return err
	})
	return todo, err
}

func (m *Main) verifyRecordings(ctx context.Context, todo []storage.Recording, ids []age.Identity, asJSON bool) error {
	results := []verified{}
	good := true
	for _, r := range todo {
		if err := ctx.Err(); err != nil {
			return err
		}
		v := verified{Recording: r.ID}
		info, err := recording.Verify(r.Path, r.SHA256, ids)
		if r.Status == storage.RecordingBroken && errors.Is(err, recording.ErrTruncated) {
			err = nil // known to end early; what is there authenticates
		}
		v.OK, v.Opened, v.Bytes = err == nil, info.Opened, info.Bytes
		if info.SHA256 != [32]byte{} {
			v.SHA256 = storage.Digest(info.SHA256).String()
		}
		if err != nil {
			v.Fault = err.Error()
		}
		good = good && v.OK
		results = append(results, v)
		if !asJSON {
			printVerified(m.Stdout, v)
		}
	}
	if asJSON {
		if err := printJSON(m.Stdout, results); err != nil {
			return err
		}
	} else if len(todo) == 0 {
		fmt.Fprintln(m.Stdout, "there are no recordings to verify")
	}
	if !good {
		return exitError{code: exitFail}
	}
	return nil
}

func printVerified(w io.Writer, v verified) {
	switch {
	case !v.OK:
		fmt.Fprintf(w, "FAIL  %s: %s\n", v.Recording, v.Fault)
	case v.Opened:
		fmt.Fprintf(w, "OK    %s: every chunk authenticates\n", v.Recording)
	default:
		fmt.Fprintf(w, "OK    %s: is what was sealed\n", v.Recording)
	}
}
