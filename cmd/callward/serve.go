package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/callward/callward/ari"
	asteriskconfig "github.com/callward/callward/asterisk-config"
	"github.com/callward/callward/internal/audit"
	"github.com/callward/callward/internal/callflow"
	"github.com/callward/callward/internal/config"
	"github.com/callward/callward/internal/prompts"
	"github.com/callward/callward/internal/queue"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// agentPeriod is how soon a change of who is on duty is seen.
const agentPeriod = time.Second

// storeBusy is how long a call waits for a database that another process holds: a caller hears nothing
// meanwhile.
const storeBusy = time.Second

func serveCommand(m *Main) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Attach to Asterisk and handle calls",
		Long: `Attach to the Asterisk the configuration names and handle the calls it hands over, until Ctrl-C or SIGTERM.

What happens on calls is written to standard error as it happens: steps, decisions, rule ids and audit
entry numbers, never a digit, a name or a number. With log.format: json each line is one JSON object.

Stopping does not end calls: recordings are sealed, the parties go on talking, and the next start takes the
calls over.`,
		Example: "  callward serve --config /etc/callward/callward.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := m.config()
			if err != nil {
				return err
			}
			return m.serve(cmd.Context(), c)
		},
	}
}

// serve joins the rooms and runs until ctx ends.
func (m *Main) serve(ctx context.Context, c *config.Config) error {
	log := m.logger(c.Log)
	if !exists(c.Storage.SQLite.Path) {
		return errNoDatabase(c.Storage.SQLite.Path)
	}
	if err := c.CheckFiles(); err != nil {
		return exitError{exitUsage, err}
	}
	store, err := m.openStoreFor(ctx, c, storeBusy)
	if err != nil {
		return err
	}
	defer store.Close()
	recorder, err := recording.New(recording.Options{
		Dir:     c.Recording.Dir,
		Keys:    func() ([]age.Recipient, error) { return recording.ReadRecipients(c.Recording.Recipients) },
		Clock:   m.Now,
		MinFree: uint64(c.Recording.MinFree),
		Logger:  log,
	})
	if err != nil {
		return err
	}
	defer func() { _ = recorder.Close(m.Now()) }()
	if err := m.recoverRecordings(ctx, c, store, log); err != nil {
		return err
	}
	says, err := m.renderPrompts(ctx, c, log)
	if err != nil {
		return err
	}
	flow, err := m.flow(c, store, recorder, says, log)
	if err != nil {
		return err
	}
	ac, err := m.ariConfig(c, log)
	if err != nil {
		return err
	}
	controller, err := ari.New(ac)
	if err != nil {
		return err
	}
	if err := flow.SyncAgents(ctx); err != nil {
		return fmt.Errorf("read the agents: %w", err)
	}
	// A log that was altered since its last checkpoint stops the start: what it
	// holds can no longer be proven.
	sign, err := m.checkpointer(c, store, log)
	if err != nil {
		return err
	}
	if err := sign(ctx); err != nil {
		return err
	}
	began := m.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		signHourly(ctx, sign, log)
		return nil
	})
	group.Go(func() error {
		flow.KeepAgentsInSync(ctx, agentPeriod)
		return nil
	})
	group.Go(func() error {
		return controller.Serve(ctx, ari.Handler{Call: flow.Inbound, Adopt: flow.Adopt})
	})
	group.Go(func() error {
		if err := controller.Ready(ctx); err != nil {
			return nil // Serve says why
		}
		if err := closeUnseen(ctx, flow, controller, began); err != nil && ctx.Err() == nil {
			log.Warn("calls that ended while nobody watched stay open in the database", "error", err)
		}
		log.Info("ready", "asterisk", c.Asterisk.ARI.URL, "app", c.Asterisk.ARI.App, "profile", c.Policy.Profile, "version", version)
		return nil
	})
	err = group.Wait()
	if errors.Is(err, context.Canceled) || errors.Is(err, ari.ErrStopping) {
		err = nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = errors.Join(err, sign(last))
	log.Info("stopped")
	return err
}

// closeUnseen ends the calls of an earlier run that Asterisk has no more.
func closeUnseen(ctx context.Context, flow *callflow.Flow, controller *ari.Controller, before time.Time) error {
	channels, err := controller.Client().Channels.List(ctx)
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, c := range channels {
		ids[c.ID] = true
	}
	return flow.CloseUnseen(ctx, before, func(id string) bool { return ids[id] })
}

// checkpointPeriod is how often the audit log is signed while serving.
const checkpointPeriod = time.Hour

// checkpointer returns what signs the audit log as it is now.
func (m *Main) checkpointer(c *config.Config, store storage.Store, log *slog.Logger) (func(context.Context) error, error) {
	signer, err := audit.LoadSigner(c.Keys.AuditKey())
	if err != nil {
		return nil, err
	}
	trail := audit.NewLog(store, signer, m.Now)
	return func(ctx context.Context) error {
		point, err := trail.Checkpoint(ctx)
		if err != nil {
			return fmt.Errorf("audit checkpoint: %w", err)
		}
		log.Info("audit checkpoint signed", "entries", point.Size)
		return nil
	}, nil
}

// signHourly signs the audit log until ctx ends.
func signHourly(ctx context.Context, sign func(context.Context) error, log *slog.Logger) {
	tick := time.NewTicker(checkpointPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := sign(ctx); err != nil {
				log.Error("audit log not signed", "error", err)
			}
		}
	}
}

// flow joins the call script to what it needs.
func (m *Main) flow(c *config.Config, store storage.Store, recorder *recording.Recorder, says *voice, log *slog.Logger) (*callflow.Flow, error) {
	rules, err := policy.ByName(c.Policy.Profile)
	if err != nil {
		return nil, err
	}
	return &callflow.Flow{
		Policy:   rules,
		Store:    store,
		Prompts:  says,
		Recorder: recorder,
		Queue:    queue.New(queue.Options{WrapUp: c.Queue.WrapUp, Clock: m.Now}),
		Site: callflow.Site{
			Organisation:       c.Organisation.Name,
			Callback:           c.Organisation.CallbackNumber,
			Languages:          c.Organisation.Languages,
			Location:           c.Organisation.Location(),
			HoldClass:          c.Queue.HoldClass,
			Interpreter:        c.Interpreter.Endpoint,
			RingTimeout:        c.Queue.RingTimeout,
			OfferCallbackAfter: c.Queue.OfferCallbackAfter,
			DiscardUnder:       c.Recording.DiscardUnder,
			PolicyVersion:      c.Policy.TrainingVersion,
			PolicyChangedAt:    c.Policy.Changed(c.Organisation.Location()),
		},
		Clock:   m.Now,
		Log:     log,
		Observe: observer(log),
	}, nil
}

// observer writes what happens on calls to the log.
func observer(log *slog.Logger) func(callflow.Event) {
	return func(e callflow.Event) {
		attrs := []slog.Attr{slog.String("call", e.Call), slog.String("step", e.Step), slog.Time("at", e.At)}
		if e.Action != "" {
			attrs = append(attrs, slog.String("action", e.Action), slog.String("decision", e.Decision),
				slog.Any("rules", e.Rules), slog.String("reason", e.Reason))
		}
		if e.Entry != 0 {
			attrs = append(attrs, slog.Int64("entry", e.Entry))
		}
		if len(e.Detail) > 0 {
			attrs = append(attrs, slog.Any("detail", e.Detail))
		}
		log.LogAttrs(context.Background(), slog.LevelInfo, "call", attrs...)
	}
}

// voice is the prompts as sound, with the versions of their texts.
type voice struct {
	*prompts.Renderer
	*prompts.Catalogue
}

// renderPrompts makes every prompt audible before the first call.
func (m *Main) renderPrompts(ctx context.Context, c *config.Config, log *slog.Logger) (*voice, error) {
	catalogue, err := prompts.Load(asteriskconfig.Prompts)
	if err != nil {
		return nil, err
	}
	renderer := prompts.NewRenderer(catalogue, prompts.RenderOptions{
		Dir: c.Prompts.Dir, Studio: c.Prompts.Studio, Command: c.Prompts.Command, Voices: c.Prompts.Voices,
		Vars: map[string]string{"organisation": c.Organisation.Name, "callback": c.Organisation.CallbackNumber},
	})
	began := time.Now()
	count := 0
	if err := renderer.RenderAll(ctx, func(_, total int) { count = total }); err != nil {
		return nil, fmt.Errorf("prompts.command: %w", err)
	}
	log.Info("prompts are ready", "count", count, "took", time.Since(began).Round(time.Millisecond))
	return &voice{renderer, catalogue}, nil
}

// recoverRecordings settles what a controller that died left behind: files
// without a seal, and rows that still say live.
func (m *Main) recoverRecordings(ctx context.Context, c *config.Config, store storage.Store, log *slog.Logger) error {
	found, err := recording.Recover(c.Recording.Dir)
	if err != nil {
		return fmt.Errorf("recover recordings in %s: %w", c.Recording.Dir, err)
	}
	paths := map[string]recording.Recovered{}
	for _, r := range found {
		paths[r.ID] = r
		log.Warn("recording without a seal recovered", "recording", r.ID, "bytes", r.Bytes)
	}
	return store.Update(ctx, func(tx storage.Tx) error {
		rows, err := tx.Recordings(storage.RecordingFilter{Status: storage.RecordingLive})
		if err != nil {
			return err
		}
		for _, row := range rows {
			row.Status, row.Reason, row.StoppedAt = storage.RecordingBroken, "controller_died", m.Now()
			if r, ok := paths[row.ID]; ok {
				row.Path, row.Bytes, row.StoppedAt = r.Path, r.Bytes, r.LastKept
			} else if _, err := os.Stat(row.Path); err != nil {
				row.Path = ""
			}
			if err := tx.PutRecording(row); err != nil {
				return err
			}
			if _, err := tx.Audit(storage.Entry{
				At: m.Now(), Actor: "callward", Call: row.CallID, Patient: row.Patient, Action: "recording.recovered",
				Outcome: storage.OutcomeEvent, Profile: c.Policy.Profile,
				Detail: map[string]string{"recording": row.ID, "reason": row.Reason},
			}); err != nil {
				return err
			}
		}
		return nil
	})
}
