package callflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/internal/queue"
	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// serve brings the caller to an agent and stays until they part. again is true
// when the agent was lost and the patient is still there.
func (k *contact) serve(ctx context.Context) (again bool, err error) {
	if !k.past(stepConnected) {
		if err := k.connect(ctx); err != nil {
			return false, err
		}
		return k.converse(ctx)
	}
	err = k.rejoin(ctx)
	switch {
	case err == nil:
		k.tidy(ctx)
		return k.converse(ctx)
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	}
	k.log.Warn("conversation not taken over; the caller is queued again", "agent", k.row.AgentID, "error", err)
	k.parted(ctx)
	k.tidy(ctx)
	k.row.Step = stepConsented
	return true, nil
}

// tidy ends what the dead controller had begun for this call and nobody took
// over, so that no phone rings for a call that rings it again.
func (k *contact) tidy(ctx context.Context) {
	if err := k.call.Tidy(ctx); err != nil && ctx.Err() == nil {
		k.log.Warn("what an earlier run left of the call could not be ended", "error", err)
	}
}

// connect waits for an agent, rings until one answers, tells the agent what is
// known, starts the recording if the patient said yes, names the agent to the
// patient, and joins the two - in this order.
func (k *contact) connect(ctx context.Context) error {
	d := k.decide(ctx, "queue", func(w bool) policy.Request {
		return &policy.RouteCall{
			At: k.now(), AuditWritable: w, What: policy.RouteQueue, Because: policy.BecauseMenuChoice,
			RecordingRefused: policy.YesIf(k.refused()), QueueRequiresRecording: policy.No,
		}
	})
	if !d.Allowed() {
		k.log.Warn("queueing goes on: a caller is never kept from a human", "rules", d.Rules)
	}
	if err := k.say(ctx, "queue_wait"); err != nil {
		return err
	}
	k.step(ctx, stepQueued, nil)
	caller := k.f.Queue.Join(k.row.ID)
	defer caller.Leave()
	if err := k.wait(ctx, caller); err != nil {
		return err
	}
	if err := k.brief(ctx); err != nil {
		return k.agentLost(ctx, err)
	}
	if err := k.call.Unhold(ctx); err != nil && gone(ctx, err) {
		return err
	}
	k.listen()
	k.startRecording(ctx)
	if err := k.announceRecording(ctx); err != nil {
		return err
	}
	if err := k.announceAgent(ctx); err != nil {
		return err
	}
	return k.join(ctx)
}

// wait holds the caller until an agent has answered.
func (k *contact) wait(ctx context.Context, caller *queue.Caller) error {
	if err := k.call.Hold(ctx, k.f.Site.HoldClass); err != nil && gone(ctx, err) {
		return err
	}
	// Asking about a call-back must not lose an agent who is being rung, so
	// the two take turns.
	offerAt := k.now().Add(k.f.Site.OfferCallbackAfter)
	for {
		turn, cancel := context.WithTimeout(ctx, offerAt.Sub(k.now()))
		offer, err := caller.Next(turn)
		cancel()
		switch {
		case err == nil:
			answered, err := k.ring(ctx, offer)
			if err != nil {
				return err
			}
			if answered {
				return nil
			}
		case ctx.Err() != nil:
			return err
		default:
			if err := k.offerCallback(ctx); err != nil {
				return err
			}
			offerAt = k.now().Add(k.f.Site.OfferCallbackAfter)
		}
	}
}

// ring asks whether this agent may take calls, and rings.
func (k *contact) ring(ctx context.Context, offer *queue.Offer) (answered bool, err error) {
	agent, err := k.f.agent(ctx, storage.AgentID(offer.AgentID))
	if err != nil {
		k.log.Error("agent cannot be read; passed over", "agent", offer.AgentID, "error", err)
		offer.NoAnswer()
		return false, nil
	}
	d := k.decide(ctx, "agent.join", func(w bool) policy.Request {
		return &policy.JoinQueue{At: k.now(), AuditWritable: w, Role: policy.RoleAgent, Training: k.training(agent)}
	})
	if !d.Allowed() && slices.Contains(d.Rules, "training.current") {
		offer.Ineligible()
		return false, nil
	}
	// With the store away the decision is a denial for that reason alone. The
	// caller still gets a human; nothing is disclosed by the machine.
	k.agent, k.offer = agent, offer
	began := k.now()
	leg, err := k.call.Originate(ctx, ari.Originate{
		Role: "agent", Endpoint: agent.Endpoint, CallerID: k.f.Site.Organisation, Timeout: k.f.Site.RingTimeout,
	})
	if err != nil {
		k.offer = nil
		if ctx.Err() != nil {
			offer.Release()
			return false, context.Cause(ctx)
		}
		reason := "fault"
		var na *ari.NotAnswered
		if errors.As(err, &na) {
			reason = string(na.Reason)
		}
		offer.NoAnswer()
		_ = k.event(ctx, "agent.no_answer", map[string]string{"agent": offer.AgentID, "reason": reason, "ms": milliseconds(k.now().Sub(began))})
		return false, nil
	}
	k.longest = max(k.longest, k.now().Sub(began))
	k.agentLeg, k.joinedAt = leg, k.now()
	k.row.AgentID, k.row.AgentChannel = agent.ID, leg.ID()
	_ = k.event(ctx, "agent.answered", map[string]string{"agent": string(agent.ID), "ms": milliseconds(k.now().Sub(began))})
	if err := k.connectLeg(ctx, leg, policy.LegAgentPhone); err != nil {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		// An agent's phone must not cost the caller the call: the next agent.
		k.log.Warn("agent's leg not taken", "agent", agent.ID, "error", err)
		k.offer, k.agentLeg, k.agent = nil, nil, storage.Agent{}
		k.row.AgentID, k.row.AgentChannel = "", ""
		offer.NoAnswer()
		reason := "unencrypted_leg"
		if !errors.Is(err, errPlain) {
			reason = "hung_up"
		}
		_ = k.event(ctx, "agent.no_answer", map[string]string{"agent": offer.AgentID, "reason": reason, "ms": milliseconds(k.now().Sub(began))})
		return false, nil
	}
	offer.Answered()
	return true, nil
}

// offerCallback interrupts the hold music once in a while.
func (k *contact) offerCallback(ctx context.Context) error {
	began := k.now()
	if err := k.call.Unhold(ctx); err != nil && gone(ctx, err) {
		return err
	}
	ans, _, err := k.ask(ctx, k.call.Leg, k.row.Language, ari.Ask{MaxDigits: 1, DropTypeAhead: true}, "queue_offer_callback")
	if err != nil {
		return err
	}
	if ans.Digits.Reveal() == "1" {
		return k.leaveCallback(ctx)
	}
	k.longest = max(k.longest, k.now().Sub(began))
	if err := k.call.Hold(ctx, k.f.Site.HoldClass); err != nil && gone(ctx, err) {
		return err
	}
	return nil
}

// leaveCallback keeps a call-back request for the number the caller keys.
// Caller ID is only a hint, so it is asked.
func (k *contact) leaveCallback(ctx context.Context) error {
	phone, err := k.askPhone(ctx)
	if err != nil {
		return err
	}
	if phone == "" {
		return k.call.Hold(ctx, k.f.Site.HoldClass)
	}
	err = k.event(ctx, "callback.requested", map[string]string{"intent": k.row.Intent}, func(tx storage.Tx, _ int64) error {
		_, err := tx.AddCallback(storage.Callback{
			CallID: k.row.ID, Patient: k.row.VerifiedPatient, Phone: phone, Language: k.row.Language,
			Intent: k.row.Intent, RequestedAt: k.now(),
		})
		return err
	})
	if err != nil {
		if err := k.say(ctx, "trouble"); err != nil { // not kept: stay in the queue
			return err
		}
		return k.call.Hold(ctx, k.f.Site.HoldClass)
	}
	k.disposition, k.reason = Callback, "caller_asked"
	if err := k.say(ctx, "callback_done", "goodbye"); err != nil {
		return err
	}
	return errDone
}

// brief tells the agent what is known, in the agent's ear only.
func (k *contact) brief(ctx context.Context) error {
	verified := "agent_whisper_unverified"
	if k.row.VerifiedPatient != "" {
		verified = "agent_whisper_verified"
	}
	recorded := "agent_whisper_not_recorded"
	if k.saidYes() && k.agent.RecordingConsent {
		recorded = "agent_whisper_recorded"
	}
	_, err := k.sayTo(ctx, k.agentLeg, k.f.Site.Languages[0], k.vars(), verified, recorded)
	_ = k.event(ctx, "agent.briefed", map[string]string{"verified": yesNo(k.row.VerifiedPatient != ""), "consent": yesNo(k.saidYes())})
	return err
}

// announceAgent says the agent's name, the organisation and a call-back number
// to the patient before the two are joined (outbound.identification.agent).
func (k *contact) announceAgent(ctx context.Context) error {
	class := policy.NumberGeographic
	if tollFree(k.f.Site.Callback) {
		class = policy.NumberTollFree
	}
	k.announced = policy.Announcement{
		AgentID: string(k.agent.ID), ForAgentID: string(k.agent.ID), Name: true, NameUsers: policy.CountOf(1),
		Organisation: policy.OrganisationReal, Callback: class, Means: policy.VoiceIVR,
	}
	d := k.decide(ctx, "agent.announce", func(w bool) policy.Request {
		return &policy.AnnounceAgent{
			At: k.now(), AuditWritable: w, Announcement: k.announced,
			Verified: policy.YesIf(k.row.VerifiedPatient != ""), NameReveals: policy.No,
		}
	})
	vars := k.vars()
	vars["agent"] = k.agent.SpokenName
	if vars["agent"] == "" {
		vars["agent"] = k.agent.Name
	}
	if k.agent.Organisation != "" {
		vars["organisation"] = k.agent.Organisation
	}
	at := k.now()
	heard, err := k.sayListening(ctx, vars, "agent_announce")
	if err != nil {
		return err
	}
	if heard && d.Allowed() {
		k.announced.SaidAt = at
		_ = k.event(ctx, "agent.announced", map[string]string{"agent": string(k.agent.ID)})
	}
	return nil
}

// category of what an agent may talk about, by what the call is about.
func (k *contact) category() policy.Category {
	switch policy.Intent(k.row.Intent) {
	case policy.IntentAppointments:
		return policy.CategoryScheduling
	case policy.IntentPrescriptions:
		return policy.CategoryPrescription
	case policy.IntentBilling:
		return policy.CategoryBilling
	}
	return policy.CategoryClinical
}

// join bridges patient and agent. Whether PHI may be spoken is decided here and
// was told to the agent; a refusal does not keep the two apart.
func (k *contact) join(ctx context.Context) error {
	k.decide(ctx, "agent.disclose", func(w bool) policy.Request {
		target := string(k.row.VerifiedPatient)
		if target == "" {
			target = "unknown"
		}
		return &policy.Disclose{
			At: k.now(), AuditWritable: w, CallID: k.row.ID, Category: k.category(),
			Channel: policy.ChannelSayToPatient, By: policy.VoiceAgent, TargetPatient: target,
			Verification: k.verification(), Announcement: k.announced, Training: k.training(k.agent),
			AgentJoinedAt: k.joinedAt, Emergency: policy.No,
		}
	})
	bridge, err := k.call.NewBridge(ctx, "talk"+strconv.Itoa(k.segments))
	if err != nil {
		return k.agentLost(ctx, err)
	}
	k.bridge, k.row.Bridge = bridge, bridge.ID()
	if err := bridge.Add(ctx, k.call.Leg, k.agentLeg); err != nil {
		return k.agentLost(ctx, err)
	}
	k.disposition, k.reason = Completed, ""
	k.step(ctx, stepConnected, map[string]string{"agent": string(k.agent.ID)})
	return nil
}

// agentLost sends the caller back to the queue when only the agent has gone.
func (k *contact) agentLost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	k.log.Warn("agent lost before the conversation; the caller is queued again", "agent", k.agent.ID, "error", err)
	k.parted(ctx)
	k.row.Step = stepConsented
	return k.connect(ctx)
}

// parted undoes what joined the agent, and leaves the patient's leg alone.
func (k *contact) parted(ctx context.Context) {
	if k.unlisten != nil {
		k.unlisten()
	}
	if w, ok := k.lastWord(); ok {
		k.recordingOff(ctx, w)
	}
	k.stopRecording(ctx, k.now(), "agent_left")
	if k.third != nil {
		_ = k.third.Hangup(ctx, ari.CauseNormal)
		k.third, k.thirdSaid, k.thirdIn = nil, nil, false
	}
	if k.agentLeg != nil {
		_ = k.agentLeg.Hangup(ctx, ari.CauseNormal)
	}
	if k.bridge != nil {
		_ = k.bridge.Destroy(ctx)
	}
	k.releaseAgent(ctx)
	k.handedOver = true
	k.agentLeg, k.bridge, k.agent = nil, nil, storage.Agent{}
	k.row.AgentID, k.row.AgentChannel, k.row.Bridge = "", "", ""
}

// releaseAgent lets the agent wrap up and keeps when the call ended for the
// order of the queue.
func (k *contact) releaseAgent(ctx context.Context) {
	if k.offer == nil {
		return
	}
	k.offer.Done()
	k.offer = nil
	at := k.now()
	id := k.agent.ID
	_ = k.event(ctx, "agent.wrapup", map[string]string{"agent": string(id)}, func(tx storage.Tx, _ int64) error {
		a, err := tx.Agent(id)
		if err != nil {
			return err
		}
		a.LastCallEndedAt = at
		_, err = tx.PutAgent(a)
		return err
	})
}

// rejoin takes over a conversation after a restart. Its error is that the agent
// is no longer there, or that the two cannot be joined any more.
func (k *contact) rejoin(ctx context.Context) error {
	leg, err := k.call.AdoptLeg(ctx, k.row.AgentChannel, "agent")
	if err != nil {
		return err
	}
	k.agentLeg, k.joinedAt = leg, k.now()
	k.offer = k.f.Queue.Busy(string(k.row.AgentID))
	if err := k.rejoinThird(ctx); err != nil {
		return err
	}
	if k.bridge, err = k.call.AdoptBridge(ctx, k.row.Bridge); err != nil {
		k.log.Warn("bridge not adopted; a new one is made", "error", err)
		if k.bridge, err = k.call.NewBridge(ctx, "talk-again"); err != nil {
			return err
		}
		legs := []*ari.Leg{k.call.Leg, k.agentLeg}
		if k.third != nil {
			legs = append(legs, k.third)
		}
		if err := k.bridge.Add(ctx, legs...); err != nil {
			return err
		}
		k.row.Bridge = k.bridge.ID()
	}
	k.disposition = Completed
	k.announced = policy.Announcement{
		AgentID: string(k.agent.ID), ForAgentID: string(k.agent.ID), Name: true, NameUsers: policy.CountOf(1),
		Organisation: policy.OrganisationReal, Callback: policy.NumberGeographic, Means: policy.VoiceIVR, SaidAt: k.row.AnsweredAt,
	}
	k.listen()
	if k.saidYes() {
		k.startRecording(ctx) // a new segment; the stored yes still holds
		return k.announceRecording(ctx)
	}
	return nil
}

// rejoinThird takes over a third party who was in the conversation: whoever
// hears and is heard counts for the recording.
func (k *contact) rejoinThird(ctx context.Context) error {
	if k.thirdWas == "" {
		return nil
	}
	leg, err := k.call.AdoptLeg(ctx, k.thirdWas, "third")
	switch {
	case err == nil:
		k.third, k.thirdIn = leg, true
		return nil
	case errors.Is(err, ari.ErrGone) && ctx.Err() == nil:
		k.thirdSaid = nil
		return nil
	}
	return err
}

// connectLeg asks whether a leg may carry audio. Every leg the controller sees
// came over an endpoint with mandatory SRTP (asterisk-config); the decision
// says so on the log. A leg that has ended, or a call that has, is not asked
// about.
func (k *contact) connectLeg(ctx context.Context, leg *ari.Leg, kind policy.LegKind) error {
	sec := k.f.security(ctx, leg)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := leg.Err(); err != nil {
		return err
	}
	d := k.decide(ctx, "leg."+string(kind), func(w bool) policy.Request {
		return &policy.ConnectLeg{
			At: k.now(), AuditWritable: w, Leg: kind, Change: policy.LegNew, Emergency: policy.No,
			Signalling: sec.signalling, Media: sec.media,
		}
	})
	if d.Allowed() || !slices.Contains(d.Rules, policy.RuleID("crypto.transport.voice")) {
		return nil // the rule is satisfied, or only the log is away: the call stays up
	}
	if leg == k.call.Leg {
		k.because("unencrypted_leg")
	}
	_ = leg.Hangup(ctx, ari.CauseNotAcceptable)
	return errPlain
}

// errPlain: a leg without encryption was hung up.
var errPlain = fmt.Errorf("callflow: leg without encryption: %w", ari.ErrGone)

func (k *contact) training(a storage.Agent) policy.Training {
	t := policy.Training{HiredAt: a.HiredAt, PolicyVersion: k.f.Site.PolicyVersion, PolicyChangedAt: k.f.Site.PolicyChangedAt}
	for _, r := range a.Trainings {
		t.Records = append(t.Records, policy.TrainingRecord{
			Course: r.Course, PolicyVersion: r.PolicyVersion, Passed: true, CompletedAt: r.CompletedAt, ExpiresAt: r.ExpiresAt,
		})
	}
	return t
}

func (k *contact) saidYes() bool {
	return len(k.consents) > 0 && k.consents[len(k.consents)-1].Answer == policy.AnswerYes && k.withdrawn.IsZero()
}

func (k *contact) refused() bool { return len(k.consents) > 0 && !k.saidYes() }

func tollFree(e164 string) bool {
	if len(e164) != 12 || e164[:2] != "+1" {
		return false
	}
	switch e164[2:5] {
	case "800", "833", "844", "855", "866", "877", "888":
		return true
	}
	return false
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// agents reads all agents, or the last known ones when the store is away.
func (f *Flow) agents(ctx context.Context) (list []storage.Agent, err error) {
	err = f.view(ctx, func(tx storage.Tx) error {
		list, err = tx.Agents()
		return err
	})
	if err == nil {
		f.known.Store(&list)
	}
	return list, err
}

// agent reads one agent, from what was last known when the store is away.
func (f *Flow) agent(ctx context.Context, id storage.AgentID) (a storage.Agent, err error) {
	err = f.view(ctx, func(tx storage.Tx) error {
		a, err = tx.Agent(id)
		return err
	})
	if known := f.known.Load(); err != nil && known != nil {
		for _, k := range *known {
			if k.ID == id {
				return k, nil
			}
		}
	}
	return a, err
}

func (f *Flow) view(ctx context.Context, fn func(storage.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return f.Store.View(ctx, fn)
}

// legSecurity is how a leg is protected.
type legSecurity struct {
	signalling policy.Signalling
	media      policy.Media
}

// security reads from Asterisk how a leg is protected: the SRTP state and the
// transport of its channel, as negotiated.
func (f *Flow) security(ctx context.Context, leg *ari.Leg) legSecurity {
	var s legSecurity
	if v, err := leg.Var(ctx, "CHANNEL(rtp,secure,audio)"); err == nil {
		s.media = policy.MediaRTP
		if v == "1" {
			s.media = policy.MediaSDES
		}
	}
	if v, err := leg.Var(ctx, "CHANNEL(pjsip,secure)"); err == nil {
		s.signalling.Transport = policy.TransportUDP
		if v == "1" {
			// pjsip.conf allows no TLS below 1.2 (asterisk-config).
			s.signalling = policy.Signalling{Transport: policy.TransportTLS, TLSVersion: policy.TLS12, Certificate: policy.CertificateValid}
		}
	}
	return s
}

// KeepAgentsInSync reads the agents on duty every period until ctx ends.
func (f *Flow) KeepAgentsInSync(ctx context.Context, period time.Duration) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	away := false
	for {
		err := f.SyncAgents(ctx)
		if err != nil && !away && ctx.Err() == nil {
			f.Log.Warn("agents cannot be read; the queue keeps those it knows", "error", err)
		}
		away = err != nil
		f.payLate(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
