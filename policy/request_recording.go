package policy

import "time"

// RecordingFacts are the facts shared by StartRecording and ContinueRecording.
type RecordingFacts struct {
	At            time.Time `json:"at,omitzero"`
	AuditWritable bool      `json:"audit_writable,omitempty"`
	CallID        string    `json:"call_id,omitempty"`
	// Emergency says whether this is an emergency call or segment; those are
	// never recorded.
	Emergency YesNo `json:"emergency,omitempty"`
	// Relay says whether a telecommunications relay service carries the call.
	Relay   YesNo            `json:"relay,omitempty"`
	Purpose RecordingPurpose `json:"purpose,omitempty"`
	// Parties are all humans on the call now, in any order.
	Parties []Party `json:"parties,omitempty"`
	// Recorder is what the recorder does at this instant.
	Recorder RecorderState `json:"recorder,omitempty"`
	Writer   Writer        `json:"writer,omitzero"`
	// DiskFree says that there is room for the sealed file.
	DiskFree bool `json:"disk_free,omitempty"`
	// PlaintextFound says whether the sweep at start found unsealed audio.
	PlaintextFound YesNo `json:"plaintext_found,omitempty"`
	// AnnouncePrompt is the version of the prompt that repeats the consent as
	// the first words of the file.
	AnnouncePrompt string `json:"announce_prompt,omitempty"`
}

// StartRecording asks whether a recording (a new segment) may begin at At.
type StartRecording struct{ RecordingFacts }

// ContinueRecording asks whether a segment may go on, after something happened
// (a party joined, somebody withdrew, the recorder paused, a fault).
// A denial obliges to StopRecording or, when only an answer is awaited, to
// PauseRecording.
type ContinueRecording struct {
	RecordingFacts
	Event RecordingEvent `json:"event,omitempty"`
	// AllowedAt is the instant of the allowance this segment stands on.
	AllowedAt time.Time `json:"allowed_at,omitzero"`
	// SegmentStartedAt is when the segment's first frame was taken.
	SegmentStartedAt time.Time `json:"segment_started_at,omitzero"`
	// AnnouncedAt is when the consent was repeated on the file; zero: not yet.
	AnnouncedAt time.Time `json:"announced_at,omitzero"`
	// ConsentStored says that the consent record has been written.
	ConsentStored bool `json:"consent_stored,omitempty"`
}

// Party is one human on the call.
type Party struct {
	ID   string    `json:"id,omitempty"` // ours, e.g. the channel id; no name
	Kind PartyKind `json:"kind,omitempty"`
	// Language is one the party understands, such as "en".
	Language string `json:"language,omitempty"`
	// Locations are all candidates: address, stated place, area code (US
	// postal codes, "CA"); "" or a foreign place is unknown. See AreaCodeState.
	Locations []string `json:"locations,omitempty"`
	// Answers are all answers to the recording question, in any order.
	Answers []Consent `json:"answers,omitempty"`
	// Withdrawn says whether the party has withdrawn on this call (by voice,
	// key or agent button), at WithdrawnAt the latest time.
	Withdrawn   YesNo     `json:"withdrawn,omitempty"`
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
}

// Consent is one answer to the recording question.
type Consent struct {
	Answer ConsentAnswer `json:"answer,omitempty"`
	Method ConsentMethod `json:"method,omitempty"`
	Key    string        `json:"key,omitempty"` // the key pressed, for keypad answers; see KeyAnswer
	// NoticeAt is when the notice began to play; At is when the answer came.
	NoticeAt      time.Time        `json:"notice_at,omitzero"`
	At            time.Time        `json:"at,omitzero"`
	PromptVersion string           `json:"prompt_version,omitempty"`
	Language      string           `json:"language,omitempty"`
	CallID        string           `json:"call_id,omitempty"`
	Purpose       RecordingPurpose `json:"purpose,omitempty"`
}

// Writer is how the audio will be (or is being) written.
type Writer struct {
	Means     RecordingMeans `json:"means,omitempty"`
	Sealed    bool           `json:"sealed,omitempty"` // sealed in memory before it reaches any disk
	Algorithm Algorithm      `json:"algorithm,omitempty"`
	KeyState  KeyState       `json:"key_state,omitempty"`
	// PerFileKey says that the file has its own key.
	PerFileKey bool `json:"per_file_key,omitempty"`
	// Documented says that an addressable decision for another safeguard is on
	// file (45 CFR 164.306(d)(3)); only the federal profile heeds it.
	Documented bool `json:"documented,omitempty"`
}

// KeepRecord asks whether something stored may be written or read.
type KeepRecord struct {
	At            time.Time `json:"at,omitzero"`
	AuditWritable bool      `json:"audit_writable,omitempty"`
	Use           StoreUse  `json:"use,omitempty"`
	Store         StoreKind `json:"store,omitempty"`
	Algorithm     Algorithm `json:"algorithm,omitempty"`
	KeyID         string    `json:"key_id,omitempty"`
	KeyState      KeyState  `json:"key_state,omitempty"`
	// KeysApart says that the key is kept elsewhere than the data.
	KeysApart bool `json:"keys_apart,omitempty"`
	// Integrity is what authentication said (reads only).
	Integrity Integrity `json:"integrity,omitempty"`
	// ConsentRecord is the id of the consent record (recordings only).
	ConsentRecord string `json:"consent_record,omitempty"`
	Documented    bool   `json:"documented,omitempty"` // as in Writer
}

// PartyKind is a party's part in the call.
type PartyKind string

// The kinds of party. Agents and supervisors are staff.
const (
	PartyPatient       PartyKind = "patient"
	PartyAgent         PartyKind = "agent"
	PartyInterpreter   PartyKind = "interpreter"
	PartyRelative      PartyKind = "relative"
	PartySupervisor    PartyKind = "supervisor"
	PartyRelayOperator PartyKind = "relay_operator"
)

func (k PartyKind) known() bool {
	switch k {
	case PartyPatient, PartyAgent, PartyInterpreter, PartyRelative, PartySupervisor, PartyRelayOperator:
		return true
	}
	return false
}

func (k PartyKind) staff() bool { return k == PartyAgent || k == PartySupervisor }

// ConsentAnswer is what a party answered.
type ConsentAnswer string

// The answers. Unclear is "uh-huh" or "I guess".
const (
	AnswerYes     ConsentAnswer = "yes"
	AnswerNo      ConsentAnswer = "no"
	AnswerSilence ConsentAnswer = "silence"
	AnswerUnclear ConsentAnswer = "unclear"
	AnswerHungUp  ConsentAnswer = "hung_up" // in the prompt
)

// KeyAnswer is the answer that a key gives: 1 is yes, no key is silence, any
// other key is no.
func KeyAnswer(key string) ConsentAnswer {
	switch key {
	case "1":
		return AnswerYes
	case "":
		return AnswerSilence
	}
	return AnswerNo
}

// ConsentMethod is how an answer reached us.
type ConsentMethod string

// The methods. An agent may set a no for somebody else, never a yes; on_file
// is the standing consent of staff, given when they joined.
const (
	MethodKeypad     ConsentMethod = "keypad"
	MethodSpoken     ConsentMethod = "spoken"
	MethodSetByAgent ConsentMethod = "set_by_agent"
	MethodOnFile     ConsentMethod = "on_file"
)

// RecordingPurpose is what a recording is for.
type RecordingPurpose string

// The purposes.
const (
	PurposeQuality       RecordingPurpose = "quality"
	PurposeTraining      RecordingPurpose = "training"
	PurposeDocumentation RecordingPurpose = "documentation"
)

func (p RecordingPurpose) known() bool {
	return p == PurposeQuality || p == PurposeTraining || p == PurposeDocumentation
}

// RecorderState is what the recorder does now. To buffer is to record.
type RecorderState string

// The recorder's states.
const (
	RecorderOff       RecorderState = "off"
	RecorderBuffering RecorderState = "buffering"
	RecorderWriting   RecorderState = "writing"
	RecorderPaused    RecorderState = "paused"
)

// RecordingMeans is what takes the audio. All of them are recording.
type RecordingMeans string

// The means.
const (
	MeansSealedRecorder  RecordingMeans = "sealed_recorder"
	MeansTranscription   RecordingMeans = "live_transcription"
	MeansMixMonitor      RecordingMeans = "mixmonitor"
	MeansQueueRecording  RecordingMeans = "queue_recording"
	MeansBridgeRecording RecordingMeans = "bridge_recording"
	MeansLiveVoicemail   RecordingMeans = "live_voicemail"
)

// RecordingEvent is why ContinueRecording is asked.
type RecordingEvent string

// The events.
const (
	EventCheck     RecordingEvent = "check"
	EventJoined    RecordingEvent = "joined"
	EventLeft      RecordingEvent = "left"
	EventWithdrawn RecordingEvent = "withdrawn"
	EventPaused    RecordingEvent = "paused"
	EventResume    RecordingEvent = "resume"
	EventFault     RecordingEvent = "fault"
)

func (e RecordingEvent) known() bool {
	switch e {
	case EventCheck, EventJoined, EventLeft, EventWithdrawn, EventPaused, EventResume, EventFault:
		return true
	}
	return false
}

// Algorithm is a cipher. Only authenticated ones are accepted.
type Algorithm string

// The accepted algorithms, and the two that name their absence.
const (
	AES256GCM        Algorithm = "aes-256-gcm"
	ChaCha20Poly1305 Algorithm = "chacha20-poly1305"
	OtherCipher      Algorithm = "other"
	NoCipher         Algorithm = "none"
)

func (a Algorithm) known() bool { return a.strong() || a == OtherCipher || a == NoCipher }

func (a Algorithm) strong() bool { return a == AES256GCM || a == ChaCha20Poly1305 }

// KeyState is the state of a key.
type KeyState string

// The key states.
const (
	KeyReady       KeyState = "ready"
	KeyUnavailable KeyState = "unavailable" // key service down, key missing
	KeyRevoked     KeyState = "revoked"
)

func (s KeyState) known() bool {
	return s == KeyReady || s == KeyUnavailable || s == KeyRevoked
}

// StoreUse is what is done to a store.
type StoreUse string

// The uses.
const (
	UseWrite StoreUse = "write"
	UseRead  StoreUse = "read"
)

// StoreKind is where something is kept. Swap, core dumps and Asterisk's spool
// count like any other.
type StoreKind string

// The stores.
const (
	StoreDatabase      StoreKind = "database"
	StoreRecording     StoreKind = "recording"
	StoreVoicemail     StoreKind = "voicemail"
	StoreTranscript    StoreKind = "transcript"
	StoreQueue         StoreKind = "queue"
	StoreLog           StoreKind = "log"
	StoreBackup        StoreKind = "backup"
	StoreSwap          StoreKind = "swap"
	StoreCoreDump      StoreKind = "core_dump"
	StoreAsteriskSpool StoreKind = "asterisk_spool"
)

func (k StoreKind) known() bool {
	switch k {
	case StoreDatabase, StoreRecording, StoreVoicemail, StoreTranscript, StoreQueue,
		StoreLog, StoreBackup, StoreSwap, StoreCoreDump, StoreAsteriskSpool:
		return true
	}
	return false
}

// Integrity is the result of authenticating what is read.
type Integrity string

// The results.
const (
	IntegrityVerified Integrity = "verified"
	IntegrityFailed   Integrity = "failed"
)
