package policy_test

import (
	"fmt"
	"time"

	"github.com/callward/callward/policy"
)

var now = time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)

func show(d policy.Decision) {
	fmt.Println(d.Action, d.Outcome)
	if !d.Allowed() {
		fmt.Println("rules:", d.Rules)
	}
	for _, o := range d.Obligations {
		fmt.Println("must:", o.Kind, o.Within)
	}
	for _, r := range d.Remedies {
		fmt.Println("cure:", r.Kind)
	}
}

// The patient keyed 1 after the notice; the agent's consent is on file.
func ExampleStartRecording() {
	facts := policy.RecordingFacts{
		At: now, AuditWritable: true, CallID: "call-1",
		Emergency: policy.No, Relay: policy.No, Purpose: policy.PurposeQuality,
		Parties: []policy.Party{{
			ID: "patient-leg", Kind: policy.PartyPatient, Language: "en",
			Locations: []string{policy.AreaCodeState("+13105550123"), "TX"}, Withdrawn: policy.No,
			Answers: []policy.Consent{{
				Answer: policy.KeyAnswer("1"), Method: policy.MethodKeypad, Key: "1",
				NoticeAt: now.Add(-70 * time.Second), At: now.Add(-time.Minute),
				PromptVersion: "p1", Language: "en", CallID: "call-1", Purpose: policy.PurposeQuality,
			}},
		}, {
			ID: "agent-leg", Kind: policy.PartyAgent, Language: "en", Locations: []string{"NY"}, Withdrawn: policy.No,
			Answers: []policy.Consent{{
				Answer: policy.AnswerYes, Method: policy.MethodOnFile, At: now.AddDate(-1, 0, 0), Purpose: policy.PurposeQuality,
			}},
		}},
		Recorder: policy.RecorderOff,
		Writer: policy.Writer{
			Means: policy.MeansSealedRecorder, Sealed: true, Algorithm: policy.ChaCha20Poly1305,
			KeyState: policy.KeyReady, PerFileKey: true,
		},
		DiskFree: true, PlaintextFound: policy.No, AnnouncePrompt: "e1",
	}
	show(policy.Default().Decide(&policy.StartRecording{RecordingFacts: facts}))

	// A minute later the patient presses the key that withdraws.
	facts.At = now.Add(time.Minute)
	facts.Recorder = policy.RecorderWriting
	facts.Parties[0].Withdrawn, facts.Parties[0].WithdrawnAt = policy.Yes, facts.At
	show(policy.Default().Decide(&policy.ContinueRecording{
		RecordingFacts: facts, Event: policy.EventWithdrawn,
		AllowedAt: now, SegmentStartedAt: now, AnnouncedAt: now.Add(time.Second), ConsentStored: true,
	}))
	// Output:
	// StartRecording allow
	// must: announce_on_recording 5s
	// must: store_consent_record 0s
	// must: seal_on_close 0s
	// must: verify_on_read 0s
	// ContinueRecording deny
	// rules: [recording.consent.required recording.consent.all_parties recording.consent.revoked]
	// must: stop_recording 2s
	// must: confirm_to_caller 0s
	// must: mark_withdrawn 0s
	// must: officer_only 0s
	// must: store_consent_record 0s
}

// A right birth date and a wrong number: one failure, and the neutral words.
func ExampleVerify() {
	show(policy.Default().Decide(&policy.Verify{
		At: now, AuditWritable: true, CallID: "call-1", PatientID: "rec-1",
		Offered: []policy.Offered{
			{Kind: policy.KindBirthDate, Source: policy.SourceKeypad, Result: policy.ResultMatch},
			{Kind: policy.KindPhone, Source: policy.SourceKeypad, Result: policy.ResultNoMatch},
		},
		Candidates: policy.CountOf(1), SamePerson: policy.No,
		FailuresThisCall: policy.CountOf(0), FailuresRecord24h: policy.CountOf(0), FifthFailure: policy.No,
		UnreadableUsed: policy.CountOf(0), Intent: policy.IntentBilling, CallerID: policy.CallerIDShown,
	}))
	// Output:
	// Verify deny
	// rules: [identity.identifiers.two]
	// must: count_failure 0s
	// cure: retry
}

func verification() policy.Verification {
	return policy.Verification{
		CallID: "call-1", PatientID: "rec-1", At: now.Add(-5 * time.Minute),
		Identifiers:   []policy.IdentifierKind{policy.KindBirthDate, policy.KindPhone},
		CallerChanged: policy.No, LongestHold: policy.SpanOf(0), Transferred: policy.No,
	}
}

func ExampleVerifyBilling() {
	show(policy.Default().Decide(&policy.VerifyBilling{
		At: now, AuditWritable: true, CallID: "call-1", TargetPatient: "rec-1",
		Verification: verification(), Speaker: policy.SpeakerPatient, Today: "2026-11-02", Listed: true,
		Visits:   []policy.Visit{{Date: "2026-10-20", Status: policy.VisitFinished}},
		Invoices: []policy.Invoice{{Status: policy.InvoiceIssued, OfPatient: policy.Yes, Matches: false}},
		Answer:   policy.BillingAnswer{Kind: policy.BillingDate, Readable: true, Date: "2026-10-20"},

		FailuresThisCall: policy.CountOf(0), FailuresRecord24h: policy.CountOf(0), FifthFailure: policy.No,
		UnreadableUsed: policy.CountOf(0),
	}))
	// Output: VerifyBilling allow
}

func ExampleDisclose() {
	show(policy.Default().Decide(&policy.Disclose{
		At: now, AuditWritable: true, CallID: "call-1",
		Category: policy.CategoryCall, Channel: policy.ChannelWhisperToAgent, By: policy.VoiceIVR,
	}))
	show(policy.Default().Decide(&policy.Disclose{
		At: now, AuditWritable: true, CallID: "call-1", TargetPatient: "rec-1",
		Category: policy.CategoryScheduling, Channel: policy.ChannelShowToAgent, By: policy.VoiceIVR,
		Verification: verification(), AgentJoinedAt: now.Add(-time.Minute), Training: training(),
	}))
	// Output:
	// Disclose allow
	// Disclose allow
}

func training() policy.Training {
	return policy.Training{
		HiredAt: now.AddDate(-2, 0, 0), PolicyVersion: "v3", PolicyChangedAt: now.AddDate(0, -9, 0),
		Records: []policy.TrainingRecord{{
			Course: "privacy", PolicyVersion: "v3", Passed: true,
			CompletedAt: now.AddDate(0, -8, 0), ExpiresAt: now.AddDate(0, 4, 0),
		}},
	}
}

func ExampleJoinQueue() {
	show(policy.Default().Decide(&policy.JoinQueue{At: now, AuditWritable: true, Role: policy.RoleAgent, Training: training()}))
	// Output: JoinQueue allow
}

func ExampleAnnounceAgent() {
	show(policy.Default().Decide(&policy.AnnounceAgent{
		At: now, AuditWritable: true, Verified: policy.Yes, NameReveals: policy.No,
		Announcement: policy.Announcement{
			AgentID: "alice", ForAgentID: "alice", Name: true, NameUsers: policy.CountOf(1),
			Organisation: policy.OrganisationReal, Callback: policy.NumberGeographic, Means: policy.VoiceIVR,
		},
	}))
	// Output:
	// AnnounceAgent allow
	// must: announce_agent 30s
}

func ExampleConnectLeg() {
	show(policy.Default().Decide(&policy.ConnectLeg{
		At: now, AuditWritable: true, Leg: policy.LegAgentPhone, Media: policy.MediaRTP, Change: policy.LegNew,
		Signalling: policy.Signalling{Transport: policy.TransportTLS, TLSVersion: policy.TLS13, Certificate: policy.CertificateValid},
		Emergency:  policy.No,
	}))
	// Output:
	// ConnectLeg deny
	// rules: [crypto.transport.voice]
	// cure: encrypt
}

func ExampleKeepRecord() {
	show(policy.Default().Decide(&policy.KeepRecord{
		At: now, AuditWritable: true, Use: policy.UseWrite, Store: policy.StoreDatabase,
		Algorithm: policy.AES256GCM, KeyID: "k1", KeyState: policy.KeyReady, KeysApart: true,
	}))
	// Output: KeepRecord allow
}

func ExampleRouteCall() {
	show(policy.Default().Decide(&policy.RouteCall{
		At: now, AuditWritable: true, What: policy.RouteQueue, Because: policy.BecauseMenuChoice,
		RecordingRefused: policy.Yes, QueueRequiresRecording: policy.Yes,
	}))
	// Output:
	// RouteCall deny
	// rules: [recording.consent.no_detriment]
	// cure: unrecorded_queue
}

func ExampleReply() {
	show(policy.Default().Decide(&policy.Reply{
		At: now, AuditWritable: true, Audience: policy.AudienceCaller, Situation: policy.SituationFailed,
		NamesItem: policy.No, ConfirmsRecord: policy.No, OffersChoice: policy.No, ShowsStoredValue: policy.No,
		SameWording: policy.Yes, SameTiming: policy.Yes,
	}))
	// Output: Reply allow
}

func ExamplePlaceCall() {
	show(policy.Default().Decide(&policy.PlaceCall{At: now, AuditWritable: true, Digits: "9911"}))
	// Output:
	// PlaceCall allow
	// must: notify_front_desk 0s
	// must: send_location 0s
	// must: no_recording 0s
}
