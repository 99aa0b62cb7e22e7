package callflow

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// batch is how much audio the recorder takes per wake-up: wake-ups are the
// whole cost of recording (docs/performance.md).
const batch = 200 * time.Millisecond

// live is a recording that is running.
//
//	stateDiagram-v2
//	  [*] --> live: StartRecording allowed, both streams up
//	  live --> paused: somebody joins
//	  paused --> live: the newcomer said yes
//	  live --> stopped: withdrawn, newcomer refused, fault, call over
//	  paused --> stopped
//	  stopped --> [*]: sealed, or discarded when withdrawn early
type live struct {
	session   *recording.Session
	streams   []*ari.Stream
	row       storage.Recording
	allowedAt time.Time
	announced time.Time
	lost      chan error
	ended     chan struct{} // closed when the streams are taken down
	paused    bool
}

// stopped is a recording whose audio has ended and whose facts are to be kept.
type stopped struct {
	live   *live
	result recording.Result
	err    error
	took   time.Duration // from the order to stop to the sealed file
}

func (k *contact) recordingFacts(now time.Time, writable, withThird bool) policy.RecordingFacts {
	ready := k.f.Recorder.Ready()
	state := policy.RecorderOff
	if k.rec != nil {
		if state = policy.RecorderWriting; k.rec.paused {
			state = policy.RecorderPaused
		}
	}
	key := policy.KeyReady
	if errors.Is(ready, recording.ErrKey) {
		key = policy.KeyUnavailable
	}
	return policy.RecordingFacts{
		At: now, AuditWritable: writable, CallID: k.row.ID, Emergency: policy.No, Relay: policy.No,
		Purpose: purpose, Parties: k.parties(withThird), Recorder: state,
		Writer: policy.Writer{
			Means: policy.MeansSealedRecorder, Sealed: true, Algorithm: policy.ChaCha20Poly1305,
			KeyState: key, PerFileKey: true,
		},
		DiskFree:       !errors.Is(ready, recording.ErrDiskFull) && !errors.Is(ready, recording.ErrWrite),
		PlaintextFound: policy.No,
		AnnouncePrompt: k.f.Prompts.Version(k.row.Language, "consent_evidence"),
	}
}

// startRecording begins a segment if the policy allows it. It never fails the
// call: without a recording the call goes on unrecorded.
func (k *contact) startRecording(ctx context.Context) {
	now := k.now()
	segment := k.segments + 1
	id := recording.FileID(k.row.ID, segment)
	row := storage.Recording{
		ID: id, CallID: k.row.ID, Segment: segment, ConsentID: k.consentID, Patient: k.row.VerifiedPatient,
		Status: storage.RecordingLive, StartedAt: now,
	}
	build := func(w bool) policy.Request {
		return &policy.StartRecording{RecordingFacts: k.recordingFacts(now, w, true)}
	}
	allowed := k.f.Policy.Decide(build(true)).Allowed()
	d := k.decide(ctx, "recording.start", build, func(tx storage.Tx, _ int64) error {
		if !allowed {
			return nil
		}
		return tx.PutRecording(row)
	})
	if !d.Allowed() {
		if d.Obliges(policy.TellParties) && k.saidYes() { // others were told that nothing is recorded
			k.tellFault(ctx)
		}
		return
	}
	k.segments, k.row.RecordingID = segment, id
	rec, err := k.openRecording(ctx, row)
	if err != nil && (ctx.Err() != nil || errors.Is(err, errBraked)) {
		// Nothing broke: the call ended, or the patient pressed the key.
		row.Status, row.Reason, row.StoppedAt = storage.RecordingDiscarded, "not_begun", k.now()
		k.row.RecordingID = ""
		_ = k.event(ctx, "recording.stopped", map[string]string{"recording": id, "status": string(row.Status), "reason": row.Reason},
			func(tx storage.Tx, _ int64) error { return tx.PutRecording(row) })
		return
	}
	if err != nil {
		k.log.Error("recording did not start; the call goes on without", "recording", id, "error", err)
		row.Status, row.Reason, row.StoppedAt = storage.RecordingBroken, faultReason(err), k.now()
		_ = k.must(ctx, "recording.failed", map[string]string{"recording": id, "reason": row.Reason}, func(tx storage.Tx, _ int64) error {
			return tx.PutRecording(row)
		})
		k.row.RecordingID = ""
		k.tellFault(ctx)
		return
	}
	k.rec = rec
	_ = k.event(ctx, "recording.started", map[string]string{"recording": id, "segment": strconv.Itoa(segment)})
}

// errBraked: the patient withdrew before the first frame.
var errBraked = errors.New("callflow: recording stopped before it began")

// openRecording joins the recorder to both directions of the patient's leg:
// what the patient says and what the patient hears, whatever becomes of the
// other legs.
func (k *contact) openRecording(ctx context.Context, row storage.Recording) (*live, error) {
	rec := &live{row: row, allowedAt: row.StartedAt, lost: make(chan error, 2), ended: make(chan struct{})}
	session, err := k.f.Recorder.Start(recording.Header{
		ID: row.ID, CallID: row.CallID, Segment: row.Segment, ConsentID: itoa(row.ConsentID),
		PromptVersion: k.consentVersion(), Language: k.row.Language, StartedAt: row.StartedAt,
	}, row.StartedAt)
	if err != nil {
		return nil, err
	}
	rec.session = session
	if !k.brake.guard(session) {
		_, _ = session.Discard(k.now())
		return nil, errBraked
	}
	for _, t := range []struct {
		track int
		dir   ari.Direction
		role  string
	}{{recording.TrackPatient, ari.SpyIn, "rec-in"}, {recording.TrackHeard, ari.SpyOut, "rec-out"}} {
		stream, err := k.call.Stream(ctx, ari.StreamOptions{
			Direction: t.dir, Role: t.role + strconv.Itoa(row.Segment), Batch: batch,
		}, func(ulaw []byte, at time.Time) { session.Push(t.track, ulaw, at) })
		if err != nil {
			_, _ = session.Discard(k.now())
			rec.stopStreams(ctx)
			return nil, err
		}
		rec.streams = append(rec.streams, stream)
		go func() {
			select {
			case err := <-stream.Lost():
				rec.lost <- err
			case <-rec.ended:
			}
		}()
	}
	return rec, nil
}

func (r *live) stopStreams(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	close(r.ended)
	for _, s := range r.streams {
		_ = s.Stop(ctx)
	}
}

func (k *contact) consentVersion() string {
	for i := len(k.consents) - 1; i >= 0; i-- {
		if k.consents[i].Answer == policy.AnswerYes {
			return k.consents[i].PromptVersion
		}
	}
	return ""
}

// announceRecording says the consent again as the first words of the file
// (recording.consent.evidence). A file that cannot hold them is not kept up.
func (k *contact) announceRecording(ctx context.Context) error {
	if k.rec == nil {
		return nil
	}
	at := k.now()
	heard, err := k.sayListening(ctx, k.vars(), "consent_evidence")
	if err != nil || k.rec == nil {
		return err
	}
	if !heard {
		k.stopRecording(ctx, k.now(), "consent_not_repeated")
		k.tellFault(ctx)
		return nil
	}
	k.rec.announced = at
	k.reviewRecording(ctx, policy.EventCheck)
	return nil
}

// reviewRecording asks whether the recording may go on after something
// happened, and does what the answer asks.
func (k *contact) reviewRecording(ctx context.Context, why policy.RecordingEvent) policy.Decision {
	if k.rec == nil {
		return policy.Decision{}
	}
	d := k.decideContinue(ctx, why)
	switch {
	case d.Allowed():
		if k.rec.paused && !k.brake.isPulled() {
			if err := k.rec.session.Resume(k.now()); err == nil {
				k.rec.paused = false
				_ = k.event(ctx, "recording.resumed", map[string]string{"recording": k.rec.row.ID})
			}
		}
	case d.Obliges(policy.PauseRecording) && !d.Obliges(policy.StopRecording):
		k.pauseRecording(ctx)
	default:
		k.stopRecording(ctx, k.now(), "not_allowed_"+string(why))
	}
	return d
}

func (k *contact) decideContinue(ctx context.Context, why policy.RecordingEvent) policy.Decision {
	now := k.now()
	rec := k.rec
	return k.decide(ctx, "recording."+string(why), func(w bool) policy.Request {
		return &policy.ContinueRecording{
			RecordingFacts: k.recordingFacts(now, w, true), Event: why, AllowedAt: rec.allowedAt,
			SegmentStartedAt: rec.row.StartedAt, AnnouncedAt: rec.announced, ConsentStored: k.consentID != 0,
		}
	})
}

func (k *contact) pauseRecording(ctx context.Context) {
	if k.rec == nil || k.rec.paused {
		return
	}
	if err := k.rec.session.Pause(k.now()); err != nil {
		k.log.Error("recording cannot be paused; it is stopped", "recording", k.rec.row.ID, "error", err)
		k.stopRecording(ctx, k.now(), "pause_failed")
		return
	}
	k.rec.paused = true
	_ = k.event(ctx, "recording.paused", map[string]string{"recording": k.rec.row.ID})
}

// haltRecording takes no more audio from at on and seals the file. It asks
// nobody and waits for no store.
func (k *contact) haltRecording(at time.Time) *stopped {
	rec := k.rec
	if rec == nil {
		return nil
	}
	under := time.Duration(0)
	if !k.withdrawn.IsZero() && k.f.Policy.Decide(&policy.ContinueRecording{
		RecordingFacts: k.recordingFacts(at, true, true), Event: policy.EventWithdrawn, AllowedAt: rec.allowedAt,
		SegmentStartedAt: rec.row.StartedAt, AnnouncedAt: rec.announced, ConsentStored: true,
	}).Obliges(policy.DiscardSegment) {
		under = k.f.Site.DiscardUnder
	}
	k.rec = nil
	began := k.now()
	res, err := rec.session.StopOrDiscard(at, under)
	return &stopped{live: rec, result: res, err: err, took: k.now().Sub(began)}
}

// stopRecording ends the recording, if there is one, for a reason of ours.
func (k *contact) stopRecording(ctx context.Context, at time.Time, reason string) {
	if s := k.haltRecording(at); s != nil {
		k.settleRecording(ctx, s, "", reason)
	}
}

// settleRecording keeps the facts of an ended recording and takes down its
// streams.
func (k *contact) settleRecording(ctx context.Context, s *stopped, why policy.RecordingEvent, reason string) {
	row := s.live.row
	res := s.result
	row.Status, row.Reason, row.Path = storage.RecordingSealed, reason, res.Path
	row.LastFrameAt, row.StoppedAt, row.Duration, row.Bytes = res.LastFrameAt, res.StoppedAt, res.Duration, res.Bytes
	row.Frames, row.Lost, row.Late, row.SHA256 = res.Frames, res.Lost, res.Late, res.SHA256
	switch {
	case res.Discarded:
		row.Status = storage.RecordingDiscarded
	case s.err != nil || res.Truncated:
		row.Status = storage.RecordingBroken
		k.log.Error("recording ended by a fault; what was sealed is kept", "recording", row.ID, "error", s.err)
	case why == policy.EventWithdrawn:
		row.Status = storage.RecordingWithdrawn
	}
	detail := map[string]string{
		"recording": row.ID, "status": string(row.Status), "reason": reason,
		"duration_ms": milliseconds(row.Duration), "lost": strconv.Itoa(row.Lost[0] + row.Lost[1]),
		"seal_ms": milliseconds(s.took),
	}
	if why == policy.EventWithdrawn {
		row.WithdrawnAt = k.withdrawn
		detail["after_key_ms"] = milliseconds(max(0, res.LastFrameAt.Sub(k.withdrawn)))
		if k.rec == nil {
			k.rec = s.live // for the facts of the decision only
			k.decideContinue(ctx, why)
			k.rec = nil
		}
	}
	k.row.RecordingID = ""
	_ = k.must(ctx, "recording.stopped", detail, func(tx storage.Tx, _ int64) error { return tx.PutRecording(row) })
	s.live.stopStreams(ctx)
}

// faultRecording ends a recording that broke and tells both parties; the call
// goes on.
func (k *contact) faultRecording(ctx context.Context, err error) {
	if k.rec == nil {
		return
	}
	k.log.Error("recording broke; the call goes on without", "recording", k.rec.row.ID, "error", err)
	k.stopRecording(ctx, k.now(), faultReason(err))
	k.tellFault(ctx)
}

// tellFault tells everybody that nothing is recorded any more.
func (k *contact) tellFault(ctx context.Context) { k.tell(ctx, "recording_stopped_fault") }

func faultReason(err error) string {
	switch {
	case errors.Is(err, recording.ErrDiskFull):
		return "disk_full"
	case errors.Is(err, recording.ErrKey):
		return "key_missing"
	case errors.Is(err, recording.ErrStalled):
		return "stalled"
	case errors.Is(err, recording.ErrWrite):
		return "write_failed"
	}
	return "media_lost"
}
