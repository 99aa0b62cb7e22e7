// Package callflow is what happens on a call, written as a script that is read
// from top to bottom in the order the caller hears it.
//
// Each step that matters builds facts, asks package policy, writes the decision
// to the audit log before acting, acts, and checks by event that it happened.
// Here live the scripts and nothing else: what a rule says is in policy, how a
// channel is moved is in ari, how audio is sealed is in recording, who takes a
// call is in queue. No digit, name or number of a patient is ever logged from
// here.
//
// Read inbound.go first. The steps of a call, as they are stored:
//
//	stateDiagram-v2
//	  [*] --> received
//	  received --> greeted: language chosen
//	  greeted --> routed: menu choice
//	  routed --> identified: verified or not
//	  identified --> consented: asked once or twice
//	  consented --> queued
//	  queued --> connected: agent announced, then bridged
//	  connected --> queued: agent lost, patient still there
//	  connected --> ended
//	  queued --> ended: call-back left, hung up
//	  received --> ended: hung up at any prompt
//	  ended --> [*]
//
// The last completed step is stored, so a call survives its controller: after a
// restart Adopt repeats the interrupted step. Consent is never inferred; only a
// stored answer counts.
package callflow

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callward/callward/internal/queue"
	"github.com/callward/callward/internal/recording"
	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// Prompts makes a prompt playable. Media returns what ARI plays.
type Prompts interface {
	Media(ctx context.Context, lang, id string, vars map[string]string) (string, error)
	Version(lang, id string) string
}

// Recorder opens sealed recordings.
type Recorder interface {
	Ready() error // recording.ErrKey, recording.ErrDiskFull
	Start(h recording.Header, at time.Time) (*recording.Session, error)
}

// Queue matches callers with agents.
type Queue interface {
	Join(callID string) *queue.Caller
	Busy(agentID string) *queue.Offer
	Sync(agents []queue.Agent)
}

// Site is what differs between sites.
type Site struct {
	Organisation string   // as spoken
	Callback     string   // E.164, as spoken to patients
	Languages    []string // first is the default
	Location     *time.Location
	HoldClass    string // music on hold class
	Interpreter  string // endpoint of a third party an agent may bring in; empty: none

	RingTimeout        time.Duration
	OfferCallbackAfter time.Duration
	DiscardUnder       time.Duration // withdrawn segments shorter than this are not kept
	PolicyVersion      string        // of the training material
	PolicyChangedAt    time.Time     // last material change of it
}

// Event tells an observer what has just happened on a call. It holds no PHI.
type Event struct {
	At       time.Time         `json:"at"`
	Call     string            `json:"call"`
	Step     string            `json:"step"`             // "consent.yes", "recording.started"
	Action   string            `json:"action,omitempty"` // of the decision, "StartRecording"
	Decision string            `json:"decision,omitempty"`
	Rules    []string          `json:"rules,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Entry    int64             `json:"entry,omitempty"` // number in the audit log
	Detail   map[string]string `json:"detail,omitempty"`
}

// Flow holds what all calls share.
type Flow struct {
	Policy   *policy.Policy
	Store    storage.Store
	Prompts  Prompts
	Recorder Recorder
	Queue    Queue
	Site     Site
	Clock    func() time.Time
	Log      *slog.Logger
	Observe  func(Event) // called in order for each call; must return soon; may be nil

	known atomic.Pointer[[]storage.Agent] // the agents last read

	late    sync.Mutex
	debtors []*contact // ended calls whose end is not written yet
}

// times a caller is given; the same for every prompt so that none teaches anything.
const (
	firstDigit   = 8 * time.Second // recording.consent.required: 8 s each
	interDigit   = 4 * time.Second
	storeTimeout = 2 * time.Second
	settleTime   = 10 * time.Second
	tries        = 3
)

// SyncAgents reads the agents on duty from the store into the queue. On error
// the queue keeps the agents it has: a caller is never kept from a human.
func (f *Flow) SyncAgents(ctx context.Context) error {
	agents, err := f.agents(ctx)
	if err != nil {
		return err
	}
	list := make([]queue.Agent, 0, len(agents))
	for _, a := range agents {
		if a.OnDuty {
			list = append(list, queue.Agent{ID: string(a.ID), IdleSince: a.LastCallEndedAt, Revision: revision(a)})
		}
	}
	f.Queue.Sync(list)
	return nil
}
