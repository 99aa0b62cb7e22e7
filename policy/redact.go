package policy

import (
	"encoding/json"
	"fmt"
)

// Requests may hold PHI (dialled digits, dates of service, record ids), so they
// print and marshal as their name alone. EncodeRequest is the one way to write
// their facts.

func redact(s fmt.State, action string) { _, _ = fmt.Fprintf(s, "policy.%s{redacted}", action) }

func redactJSON(action string) ([]byte, error) {
	return json.Marshal(map[string]string{"action": action, "facts": "redacted"})
}

// Format redacts the facts.
func (f PlaceCall) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f PlaceCall) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *PlaceCall) facts() any { type bare PlaceCall; return (*bare)(f) }

// Format redacts the facts.
func (f ConnectLeg) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f ConnectLeg) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *ConnectLeg) facts() any { type bare ConnectLeg; return (*bare)(f) }

// Format redacts the facts.
func (f KeepRecord) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f KeepRecord) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *KeepRecord) facts() any { type bare KeepRecord; return (*bare)(f) }

// Format redacts the facts.
func (f StartRecording) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f StartRecording) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *StartRecording) facts() any { type bare StartRecording; return (*bare)(f) }

// Format redacts the facts.
func (f ContinueRecording) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f ContinueRecording) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *ContinueRecording) facts() any { type bare ContinueRecording; return (*bare)(f) }

// Format redacts the facts.
func (f RouteCall) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f RouteCall) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *RouteCall) facts() any { type bare RouteCall; return (*bare)(f) }

// Format redacts the facts.
func (f Verify) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f Verify) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *Verify) facts() any { type bare Verify; return (*bare)(f) }

// Format redacts the facts.
func (f VerifyBilling) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f VerifyBilling) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *VerifyBilling) facts() any { type bare VerifyBilling; return (*bare)(f) }

// Format redacts the facts.
func (f Disclose) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f Disclose) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *Disclose) facts() any { type bare Disclose; return (*bare)(f) }

// Format redacts the facts.
func (f Reply) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f Reply) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *Reply) facts() any { type bare Reply; return (*bare)(f) }

// Format redacts the facts.
func (f AnnounceAgent) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f AnnounceAgent) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *AnnounceAgent) facts() any { type bare AnnounceAgent; return (*bare)(f) }

// Format redacts the facts.
func (f JoinQueue) Format(s fmt.State, _ rune) { redact(s, f.Action()) }

// MarshalJSON redacts the facts; see EncodeRequest.
func (f JoinQueue) MarshalJSON() ([]byte, error) { return redactJSON(f.Action()) }

func (f *JoinQueue) facts() any { type bare JoinQueue; return (*bare)(f) }

// Format redacts the visit.
func (Visit) Format(s fmt.State, _ rune) { redact(s, "Visit") }

// Format redacts the answer.
func (BillingAnswer) Format(s fmt.State, _ rune) { redact(s, "BillingAnswer") }

// Format redacts the patient's id.
func (Verification) Format(s fmt.State, _ rune) { redact(s, "Verification") }
