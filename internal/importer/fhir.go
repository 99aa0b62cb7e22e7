package importer

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// The parts of FHIR R4 that are read (https://hl7.org/fhir/R4/patient.html,
// encounter.html). Everything else in a resource is passed over.
type (
	fhirPatient struct {
		ID         string           `json:"id"`
		Identifier []fhirIdentifier `json:"identifier"`
		Name       []fhirName       `json:"name"`
		Telecom    []fhirTelecom    `json:"telecom"`
		BirthDate  string           `json:"birthDate"`
		Deceased   bool             `json:"deceasedBoolean"`
		DeceasedAt string           `json:"deceasedDateTime"`
		Address    []fhirAddress    `json:"address"`
		Language   []fhirLanguage   `json:"communication"`
		Link       []fhirLink       `json:"link"`
	}
	fhirIdentifier struct {
		Use    string      `json:"use"`
		Type   fhirConcept `json:"type"`
		System string      `json:"system"`
		Value  string      `json:"value"`
		Period fhirPeriod  `json:"period"`
	}
	fhirConcept struct {
		Coding []struct {
			Code string `json:"code"`
		} `json:"coding"`
	}
	fhirName struct {
		Use    string     `json:"use"`
		Text   string     `json:"text"`
		Family string     `json:"family"`
		Given  []string   `json:"given"`
		Period fhirPeriod `json:"period"`
	}
	fhirTelecom struct {
		System string     `json:"system"`
		Value  string     `json:"value"`
		Use    string     `json:"use"`
		Period fhirPeriod `json:"period"`
	}
	fhirAddress struct {
		Use     string     `json:"use"`
		Line    []string   `json:"line"`
		City    string     `json:"city"`
		State   string     `json:"state"`
		ZIP     string     `json:"postalCode"`
		Country string     `json:"country"`
		Period  fhirPeriod `json:"period"`
	}
	fhirLanguage struct {
		Language  fhirConcept `json:"language"`
		Preferred bool        `json:"preferred"`
	}
	fhirLink struct {
		Type string `json:"type"`
	}
	fhirPeriod struct {
		Start string `json:"start"`
		End   string `json:"end"`
	}
	fhirEncounter struct {
		ID      string     `json:"id"`
		Status  string     `json:"status"`
		Subject fhirRef    `json:"subject"`
		Period  fhirPeriod `json:"period"`
	}
	fhirRef struct {
		Reference  string         `json:"reference"`
		Identifier fhirIdentifier `json:"identifier"`
	}
)

// identifierKinds by code of http://terminology.hl7.org/CodeSystem/v2-0203.
var identifierKinds = map[string]storage.IdentifierKind{
	"MR": storage.KindMRN, "MB": storage.KindMemberID, "AN": storage.KindAccount,
}

// encounterStatus by code of http://hl7.org/fhir/encounter-status. Only a
// finished one is a date of service.
var encounterStatus = map[string]storage.VisitStatus{
	"finished":         storage.VisitFinished,
	"planned":          storage.VisitPlanned,
	"arrived":          storage.VisitInProgress,
	"triaged":          storage.VisitInProgress,
	"in-progress":      storage.VisitInProgress,
	"onleave":          storage.VisitInProgress,
	"unknown":          storage.VisitInProgress,
	"cancelled":        storage.VisitCancelled,
	"entered-in-error": storage.VisitCancelled,
}

// resource reads one resource that begins at line.
func (s *scan) resource(line int, fullURL string, text []byte) error {
	var head struct {
		Type  string        `json:"resourceType"`
		Entry []bundleEntry `json:"entry"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		s.bad(passPatients, line, "resource", whyJSON(err))
		return nil
	}
	switch head.Type {
	case "Patient":
		return s.patient(line, fullURL, text)
	case "Encounter":
		return s.encounter(line, fullURL, text)
	case "Bundle":
		for _, e := range head.Entry {
			if err := s.resource(line, e.FullURL, e.Resource); err != nil {
				return err
			}
		}
	case "":
		s.bad(passPatients, line, "resource", "it has no resourceType")
	default:
		if s.pass == passPatients {
			s.rep.ignore(typeName(head.Type))
		}
	}
	return nil
}

// typeName keeps a made-up resource type from carrying anything.
func typeName(s string) string {
	for _, r := range s {
		if r < 'A' || r > 'z' || r > 'Z' && r < 'a' {
			return "other"
		}
	}
	if len(s) > 40 {
		return "other"
	}
	return s
}

// whyJSON says what is wrong without quoting any of it.
func whyJSON(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return kind.Field + " is not of its type"
	}
	return whyNotJSON
}

// current tells whether something with this use and period is valid at now.
func current(use string, p fhirPeriod, now time.Time) bool {
	return use != "old" && (p.End == "" || p.End >= now.Format(time.DateOnly))
}

func (s *scan) patient(line int, fullURL string, text []byte) error {
	if s.pass != passPatients {
		return nil
	}
	const what = "Patient"
	var in fhirPatient
	if err := json.Unmarshal(text, &in); err != nil {
		s.bad(passPatients, line, what, whyJSON(err))
		return nil
	}
	uuid, isUUID := strings.CutPrefix(fullURL, "urn:uuid:")
	switch {
	case in.ID == "" && isUUID:
		in.ID = uuid
	case in.ID == "":
		s.bad(passPatients, line, what, "it has no id")
		return nil
	case isUUID:
		s.alias[uuid] = in.ID
	}
	if slices.ContainsFunc(in.Link, func(l fhirLink) bool { return l.Type == "replaced-by" }) {
		s.note(line, what, "left out, because another record replaces it")
		return nil
	}
	now := s.im.o.Clock()
	b := s.build(line, what, in.ID)
	b.p.Name = officialName(in.Name, now)
	b.p.Deceased = in.Deceased || in.DeceasedAt != ""
	b.birthDate(in.BirthDate, now)
	b.language(preferred(in.Language))
	for _, t := range in.Telecom {
		if (t.System == "phone" || t.System == "sms") && current(t.Use, t.Period, now) {
			b.phone(t.Value)
		}
	}
	for _, a := range in.Address {
		if current(a.Use, a.Period, now) {
			b.address(a)
		}
	}
	for _, i := range in.Identifier {
		for _, c := range i.Type.Coding {
			if kind, ok := identifierKinds[c.Code]; ok && current(i.Use, i.Period, now) {
				b.number(kind, i.Value, i.System)
				break
			}
		}
	}
	return s.send(line, what, row{patient: &b.p})
}

// officialName prefers the official name to the usual one, and both to others.
func officialName(names []fhirName, now time.Time) string {
	rank := func(n fhirName) int {
		switch {
		case !current(n.Use, n.Period, now) || n.Use == "maiden":
			return 0
		case n.Use == "official":
			return 3
		case n.Use == "usual" || n.Use == "":
			return 2
		default:
			return 1
		}
	}
	var best fhirName
	for i, n := range names {
		if i == 0 || rank(n) > rank(best) {
			best = n
		}
	}
	if name := fullName(append(slices.Clone(best.Given), best.Family)...); name != "" {
		return name
	}
	return fullName(best.Text)
}

// preferred is the preferred language, or else the first.
func preferred(all []fhirLanguage) string {
	code := func(l fhirLanguage) string {
		for _, c := range l.Language.Coding {
			return c.Code
		}
		return ""
	}
	for _, l := range all {
		if l.Preferred {
			return code(l)
		}
	}
	for _, l := range all {
		return code(l)
	}
	return ""
}

func (s *scan) encounter(line int, fullURL string, text []byte) error {
	if !s.of(passRest) {
		return nil
	}
	const what = "Encounter"
	refuse := func(why string) error {
		s.bad(passRest, line, what, why)
		return nil
	}
	var in fhirEncounter
	if err := json.Unmarshal(text, &in); err != nil {
		return refuse(whyJSON(err))
	}
	if in.ID == "" {
		in.ID, _ = strings.CutPrefix(fullURL, "urn:uuid:")
	}
	if in.ID == "" {
		return refuse("it has no id")
	}
	status, ok := encounterStatus[in.Status]
	if !ok {
		return refuse("its status is none of FHIR R4's")
	}
	date, start, err := moment(in.Period.Start)
	if err != nil {
		return refuse("period.start is not a full date")
	}
	of := s.subject(in.Subject)
	if of == (reference{}) {
		return refuse("its subject is not a reference to a Patient")
	}
	return s.send(line, what, row{of: of, visit: &storage.Visit{
		ID: s.im.o.System + ":" + in.ID, Date: date, Start: start, Status: status,
	}})
}

// subject reads a reference to a Patient: relative, absolute (with or without a
// version), urn:uuid:, conditional, or logical. The zero reference is none.
func (s *scan) subject(in fhirRef) (of reference) {
	if id := in.Identifier; id.Value != "" {
		of.mrn, _ = policy.NormalizeIdentifier(id.Value)
	}
	if query, ok := strings.CutPrefix(in.Reference, "Patient?identifier="); ok {
		if _, value, ok := strings.Cut(query, "|"); ok {
			query = value
		}
		of.mrn, _ = policy.NormalizeIdentifier(query)
		return of
	}
	if uuid, ok := strings.CutPrefix(in.Reference, "urn:uuid:"); ok {
		of.id = uuid
		if id, ok := s.alias[uuid]; ok {
			of.id = id
		}
		return of
	}
	parts := strings.Split(in.Reference, "/")
	if n := len(parts); n >= 4 && parts[n-2] == "_history" {
		parts = parts[:n-2]
	}
	if n := len(parts); n >= 2 && parts[n-2] == "Patient" && parts[n-1] != "" {
		of.id = parts[n-1]
	}
	return of
}

// moment reads a FHIR dateTime with a full date: the date as written, and the
// instant (of a bare date, its beginning in UTC).
func moment(s string) (date string, at time.Time, err error) {
	at, err = time.Parse(time.RFC3339, s)
	if err != nil {
		at, err = time.Parse(time.DateOnly, s)
	}
	if err != nil || at.Year() < 1800 {
		return "", time.Time{}, errors.New("not a full date")
	}
	return s[:len(time.DateOnly)], at.UTC(), nil
}
