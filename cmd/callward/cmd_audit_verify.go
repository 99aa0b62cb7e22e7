package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/callward/callward/internal/audit"
	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/storage"
)

// auditVerified is what "audit verify --json" prints.
type auditVerified struct {
	OK bool `json:"ok"`
	audit.Report
}

func auditVerifyCommand(m *Main) *cobra.Command {
	var database, checkpoint, key string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Find changed, removed, reordered or cut-off entries",
		Long: `Find changed, removed, reordered or cut-off entries in the audit log of a database, or of a copy of one. It
needs no server and no key that opens health information; with --database and --key not even a site.

A checkpoint kept elsewhere (see "callward audit checkpoint") is what proves that the end was not cut off.

Exit codes: 0 nothing was found, 1 something was.`,
		Example: `  callward audit verify --checkpoint monday.note
  callward audit verify --database copy.db --key audit.pub --checkpoint monday.note --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if database == "" || key == "" {
				c, err := m.config()
				if err != nil {
					return err
				}
				if database == "" {
					database = c.Storage.SQLite.Path
				}
				if key == "" {
					key = c.Keys.AuditPub()
				}
			}
			if !exists(database) {
				return errNoDatabase(database)
			}
			public, err := audit.LoadVerifierKey(key)
			if err != nil {
				return err
			}
			report, err := audit.Verify(cmd.Context(), database, checkpoint, public)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(m.Stdout, auditVerified{report.OK(), report})
			} else {
				err = printAudit(m.Stdout, report, checkpoint != "")
			}
			if err == nil && !report.OK() {
				return exitError{code: exitFail}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&database, "database", "", "database, or a copy of one (default the site's)")
	f.StringVar(&checkpoint, "checkpoint", "", "checkpoint that was kept elsewhere")
	f.StringVar(&key, "key", "", "public key of checkpoints (default the site's audit.pub)")
	f.BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func printAudit(w io.Writer, r audit.Report, outside bool) error {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "FAIL  %s\n", p)
	}
	if r.More > 0 {
		fmt.Fprintf(w, "FAIL  and %d more\n", r.More)
	}
	if !r.OK() {
		return nil
	}
	fmt.Fprintf(w, "OK    %d entries, root %s\n", r.Entries, r.Root)
	if r.Anchored > 0 {
		fmt.Fprintf(w, "      the first %d are those signed at %s\n", r.Anchored, r.AnchoredAt.UTC().Format(time.RFC3339))
	}
	if n := r.Entries - r.Anchored; n > 0 {
		fmt.Fprintf(w, "      %d since then are signed by nobody yet\n", n)
	}
	if !outside {
		fmt.Fprintln(w, "      no checkpoint from elsewhere was given: an end that was cut off would not be seen")
	}
	return nil
}

func auditCheckpointCommand(m *Main) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Sign the log as it stands, and print the signature to keep elsewhere",
		Long: `Sign the log as it stands and print the signed note. Keep it where whoever can write to the database cannot:
a mail to somebody outside, a print, another system. A log that no longer contains what was signed before is
not signed.`,
		Example: "  callward audit checkpoint --out monday.note",
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withStore(cmd, func(ctx context.Context, c *config.Config, store storage.Store) error {
				signer, err := audit.LoadSigner(c.Keys.AuditKey())
				if err != nil {
					return err
				}
				point, err := audit.NewLog(store, signer, m.Now).Checkpoint(ctx)
				if err != nil {
					return err
				}
				if out == "" {
					_, err := m.Stdout.Write(point.Note)
					return err
				}
				if err := writeNew(out, 0o644, point.Note); err != nil {
					if os.IsExist(err) {
						return fmt.Errorf("%s exists and is not overwritten: name another file", out)
					}
					return unwritable(err)
				}
				_, err = fmt.Fprintf(m.Stdout, "%d entries are signed in %s: keep it elsewhere\n", point.Size, out)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write to this new file instead of standard output")
	return cmd
}
