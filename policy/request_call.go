package policy

import "time"

// PlaceCall asks whether digits may be dialled. Emergency numbers always may;
// other numbers need the outbound rules, whose facts this request does not
// carry, and are denied.
type PlaceCall struct {
	At            time.Time `json:"at,omitzero"`
	AuditWritable bool      `json:"audit_writable,omitempty"`
	Digits        string    `json:"digits,omitempty"` // as dialled, an outside-line prefix included
}

// ConnectLeg asks whether a leg may carry (or go on carrying) audio.
type ConnectLeg struct {
	At            time.Time  `json:"at,omitzero"`
	AuditWritable bool       `json:"audit_writable,omitempty"`
	Leg           LegKind    `json:"leg,omitempty"`
	Trunk         TrunkType  `json:"trunk,omitempty"` // pstn_trunk only
	Signalling    Signalling `json:"signalling,omitzero"`
	Media         Media      `json:"media,omitempty"`
	Change        LegChange  `json:"change,omitempty"`
	Documented    bool       `json:"documented,omitempty"` // as in Writer
	Emergency     YesNo      `json:"emergency,omitempty"`  // an emergency call's leg is never refused
}

// Signalling is how a leg's signalling (or its control socket) is protected.
type Signalling struct {
	Transport   Transport   `json:"transport,omitempty"`
	TLSVersion  TLSVersion  `json:"tls_version,omitempty"`
	Certificate Certificate `json:"certificate,omitempty"`
}

// RouteCall asks whether a call may be routed, held or ended for a reason.
type RouteCall struct {
	At            time.Time   `json:"at,omitzero"`
	AuditWritable bool        `json:"audit_writable,omitempty"`
	What          RouteAction `json:"what,omitempty"`
	Because       RouteReason `json:"because,omitempty"`
	// RecordingRefused says whether a party has refused or withdrawn.
	RecordingRefused YesNo `json:"recording_refused,omitempty"`
	// QueueRequiresRecording says whether the queue meant insists on it.
	QueueRequiresRecording YesNo `json:"queue_requires_recording,omitempty"`
}

// AnnounceAgent asks whether this announcement is the one the patient must
// hear: name, organisation and call-back number, before any PHI. Ask it before
// the bridge, and again after a transfer.
type AnnounceAgent struct {
	At            time.Time    `json:"at,omitzero"`
	AuditWritable bool         `json:"audit_writable,omitempty"`
	Announcement  Announcement `json:"announcement,omitzero"` // SaidAt zero: planned
	// Verified says whether the listener has been verified.
	Verified YesNo `json:"verified,omitempty"`
	// NameReveals says whether the organisation's real name reveals a condition.
	NameReveals YesNo `json:"name_reveals,omitempty"`
}

// Announcement is what the patient is told of the agent.
type Announcement struct {
	SaidAt       time.Time    `json:"said_at,omitzero"`
	AgentID      string       `json:"agent_id,omitempty"`   // whose name was said
	ForAgentID   string       `json:"on_call_id,omitempty"` // who is on the call now; differs after a transfer
	Name         bool         `json:"name,omitempty"`       // a name or registered work alias
	NameUsers    Count        `json:"name_users,omitzero"`  // how many users that name or alias maps to; must be 1
	Organisation Organisation `json:"organisation,omitempty"`
	Callback     NumberClass  `json:"callback,omitempty"`
	Means        Voice        `json:"means,omitempty"` // the agent or a prompt; both are good
}

// JoinQueue asks whether a person may log in to a queue and take calls.
type JoinQueue struct {
	At            time.Time `json:"at,omitzero"`
	AuditWritable bool      `json:"audit_writable,omitempty"`
	Role          Role      `json:"role,omitempty"`
	Training      Training  `json:"training,omitzero"`
}

// Training is what is on file of a person's training and of the policy taught.
type Training struct {
	HiredAt time.Time `json:"hired_at,omitzero"`
	// PolicyVersion is the version in force, materially changed at
	// PolicyChangedAt.
	PolicyVersion   string           `json:"policy_version,omitempty"`
	PolicyChangedAt time.Time        `json:"policy_changed_at,omitzero"`
	Records         []TrainingRecord `json:"records,omitempty"`
}

// TrainingRecord is one course taken.
type TrainingRecord struct {
	Course        string    `json:"course,omitempty"`
	PolicyVersion string    `json:"policy_version,omitempty"`
	Passed        bool      `json:"passed,omitempty"`
	CompletedAt   time.Time `json:"completed_at,omitzero"`
	ExpiresAt     time.Time `json:"expires_at,omitzero"` // zero: only the profile's limit
}

// LegKind is one party's side, or a socket of ours.
type LegKind string

// The kinds of leg.
const (
	LegAgentPhone   LegKind = "agent_phone"
	LegPatientPhone LegKind = "patient_phone" // a SIP phone or softphone
	LegPatientTrunk LegKind = "patient_trunk" // SIP from another system of ours or a partner
	LegPSTNTrunk    LegKind = "pstn_trunk"    // hand-off to a carrier
	LegThirdParty   LegKind = "third_party"
	LegMediaSocket  LegKind = "media_socket" // audio over a WebSocket, e.g. for recording
)

func (k LegKind) known() bool {
	switch k {
	case LegAgentPhone, LegPatientPhone, LegPatientTrunk, LegPSTNTrunk, LegThirdParty, LegMediaSocket:
		return true
	}
	return false
}

// TrunkType is how the carrier is reached.
type TrunkType string

// The trunk types. A circuit-switched line cannot be encrypted by us.
const (
	TrunkCircuit TrunkType = "circuit"
	TrunkSIP     TrunkType = "sip"
)

// Transport is the transport of the signalling.
type Transport string

// The transports; TLS and WSS are encrypted.
const (
	TransportTLS     Transport = "tls"
	TransportWSS     Transport = "wss"
	TransportTCP     Transport = "tcp"
	TransportUDP     Transport = "udp"
	TransportWS      Transport = "ws"
	TransportCircuit Transport = "circuit"
)

func (t Transport) known() bool {
	switch t {
	case TransportTLS, TransportWSS, TransportTCP, TransportUDP, TransportWS, TransportCircuit:
		return true
	}
	return false
}

// TLSVersion is the version negotiated.
type TLSVersion string

// The versions; below 1.2 is refused.
const (
	TLS10 TLSVersion = "1.0"
	TLS11 TLSVersion = "1.1"
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// Certificate is what checking the peer's certificate said.
type Certificate string

// The results.
const (
	CertificateValid     Certificate = "valid"
	CertificateExpired   Certificate = "expired"
	CertificateWrongName Certificate = "wrong_name"
	CertificateUntrusted Certificate = "untrusted"
)

// Media is how the audio travels as negotiated, not as offered.
type Media string

// The media. MediaTLSSocket is audio inside the control socket's own TLS;
// MediaOptional is "optional" SRTP whose outcome is not known to be SRTP.
const (
	MediaSDES      Media = "srtp_sdes"
	MediaDTLS      Media = "dtls_srtp"
	MediaTLSSocket Media = "tls_socket"
	MediaOptional  Media = "srtp_optional"
	MediaRTP       Media = "rtp"
	MediaCircuit   Media = "circuit"
)

func (m Media) known() bool {
	switch m {
	case MediaSDES, MediaDTLS, MediaTLSSocket, MediaOptional, MediaRTP, MediaCircuit:
		return true
	}
	return false
}

// LegChange says what is decided: a new leg, or a change of a running one.
type LegChange string

// The changes.
const (
	LegNew      LegChange = "new"
	LegReinvite LegChange = "reinvite"
)

// RouteAction is what is done to a call.
type RouteAction string

// The actions.
const (
	RouteQueue     RouteAction = "queue"
	RouteHold      RouteAction = "hold"
	RouteTransfer  RouteAction = "transfer"
	RouteTerminate RouteAction = "terminate"
)

func (a RouteAction) known() bool {
	switch a {
	case RouteQueue, RouteHold, RouteTransfer, RouteTerminate:
		return true
	}
	return false
}

// RouteReason is why it is done.
type RouteReason string

// The reasons. The last three are detriments and never allowed.
const (
	BecauseCallerAsked      RouteReason = "caller_asked"
	BecauseMenuChoice       RouteReason = "menu_choice"
	BecauseNoAgentFree      RouteReason = "no_agent_free"
	BecauseAgentAsked       RouteReason = "agent_asked"
	BecauseCallComplete     RouteReason = "call_complete"
	BecauseTrouble          RouteReason = "trouble"
	BecauseNotVerified      RouteReason = "not_verified"
	BecauseConsentRefused   RouteReason = "consent_refused"
	BecauseConsentWithdrawn RouteReason = "consent_withdrawn"
	BecauseQAQuota          RouteReason = "qa_quota"
)

func (r RouteReason) known() bool {
	switch r {
	case BecauseCallerAsked, BecauseMenuChoice, BecauseNoAgentFree, BecauseAgentAsked,
		BecauseCallComplete, BecauseTrouble, BecauseNotVerified:
		return true
	}
	return r.detriment()
}

func (r RouteReason) detriment() bool {
	return r == BecauseConsentRefused || r == BecauseConsentWithdrawn || r == BecauseQAQuota
}

// Organisation is the name said for the organisation.
type Organisation string

// The names: its own, or the neutral one that reveals nothing.
const (
	OrganisationReal    Organisation = "real"
	OrganisationNeutral Organisation = "neutral"
)

// NumberClass is the class of a call-back number.
type NumberClass string

// The classes; premium-rate and 900 numbers are no call-back numbers.
const (
	NumberGeographic NumberClass = "geographic"
	NumberTollFree   NumberClass = "toll_free"
	NumberPremium    NumberClass = "premium"
	Number900        NumberClass = "900"
)

// Role is a person's role. Every role that handles PHI is trained.
type Role string

// The roles.
const (
	RoleAgent      Role = "agent"
	RoleSupervisor Role = "supervisor"
	RoleOfficer    Role = "officer"
)

func (r Role) known() bool { return r == RoleAgent || r == RoleSupervisor || r == RoleOfficer }
