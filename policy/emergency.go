package policy

import "strings"

// EmergencyNumber says whether dialled digits are 911, 933 (its test) or 988,
// directly or behind the outside-line prefix 9. Separators, a final # and the
// decimal digits of any script are understood.
func EmergencyNumber(dialled string) bool {
	switch dialled { // the usual forms, without work
	case "911", "933", "988", "9911", "9933", "9988":
		return true
	}
	if len(dialled) > 64 {
		return false
	}
	digits := make([]byte, 0, 8)
	for _, r := range strings.TrimSuffix(strings.TrimSpace(dialled), "#") {
		switch d, ok := digitValue(r); {
		case ok:
			digits = append(digits, d)
		case strings.ContainsRune(" -.()\u00a0\u2010\u2011\u2013", r):
		default:
			return false
		}
	}
	switch string(digits) {
	case "911", "933", "988", "9911", "9933", "9988":
		return true
	}
	return false
}

// emergencyCall lets emergency numbers through and says what goes with them.
func emergencyCall(_ *Params, f *PlaceCall) verdict {
	if EmergencyNumber(f.Digits) {
		return verdict{
			word: satisfied, saw: "an emergency number",
			must: dutyNotifyFrontDesk | dutySendLocation | dutyNoRecording,
		}
	}
	return verdict{word: silent, saw: "no emergency number"}
}

// dialOther denies all dialling that only the outbound rules could allow.
func dialOther(_ *Params, f *PlaceCall) verdict {
	if EmergencyNumber(f.Digits) {
		return verdict{word: silent, saw: "an emergency number is not gated"}
	}
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(f.Digits != "", "digits")
	g.need(false, "dial_mode") // these facts cannot tell what is needed to dial others
	v := g.verdict()
	v.cure = cured(append(v.remedies(), Remedy{Kind: RemedyDialEmergencyOnly})...)
	return v
}

func auditPlaceCall(_ *Params, f *PlaceCall) verdict {
	if EmergencyNumber(f.Digits) {
		return auditBuffered(f.AuditWritable)
	}
	return auditFirst(f.AuditWritable)
}

// emergencyLeg lets the legs of an emergency call through as they are.
func emergencyLeg(_ *Params, f *ConnectLeg) verdict {
	if f.Emergency == Yes {
		return verdict{word: satisfied, saw: "a leg of an emergency call", must: dutyNoRecording}
	}
	return verdict{word: silent, saw: "no emergency"}
}

// emergencyUnrecorded: an emergency call is not recorded.
func emergencyUnrecorded(_ *Params, f *RecordingFacts) verdict {
	if f.Emergency == Yes {
		return verdict{saw: "an emergency call is never recorded", must: dutyNoRecording}
	}
	return verdict{word: satisfied, saw: "no emergency"}
}
