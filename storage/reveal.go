package storage

import "time"

// The types in this file are the explicit way out of redaction: they marshal
// what they hold. They are for sealing, for a screen the policy allowed, and
// for an export an operator asked for; never for a log.

// RevealedPatient is a Patient that marshals its content.
type RevealedPatient struct {
	ID          PatientID            `json:"id"`
	Source      RevealedSource       `json:"source,omitzero"`
	Name        string               `json:"name,omitempty"`
	BirthDate   string               `json:"birth_date,omitempty"`
	Language    string               `json:"language,omitempty"`
	Deceased    bool                 `json:"deceased,omitempty"`
	Identifiers []RevealedIdentifier `json:"identifiers,omitempty"`
	Addresses   []RevealedAddress    `json:"addresses,omitempty"`
}

// RevealedSource is a Source that marshals its content.
type RevealedSource struct {
	System string `json:"system,omitempty"`
	ID     string `json:"id,omitempty"`
}

// RevealedIdentifier is an Identifier that marshals its content.
type RevealedIdentifier struct {
	Kind   IdentifierKind `json:"kind"`
	Value  string         `json:"value"`
	System string         `json:"system,omitempty"`
}

// RevealedAddress is an Address that marshals its content.
type RevealedAddress struct {
	Lines []string `json:"lines,omitempty"`
	City  string   `json:"city,omitempty"`
	State string   `json:"state,omitempty"`
	ZIP   string   `json:"zip,omitempty"`
}

// RevealedVisit is a Visit that marshals its content.
type RevealedVisit struct {
	ID      string      `json:"id"`
	Patient PatientID   `json:"patient"`
	Date    string      `json:"date"`
	Start   time.Time   `json:"start,omitzero"`
	Status  VisitStatus `json:"status"`
}

// RevealedInvoice is an Invoice that marshals its content.
type RevealedInvoice struct {
	Number  string    `json:"number"`
	Patient PatientID `json:"patient"`
	Date    string    `json:"date,omitempty"`
	Void    bool      `json:"void,omitempty"`
}

// RevealedCallback is a Callback that marshals its content.
type RevealedCallback struct {
	ID          int64     `json:"id"`
	CallID      string    `json:"call"`
	Patient     PatientID `json:"patient,omitempty"`
	Phone       string    `json:"phone"`
	Language    string    `json:"language,omitempty"`
	Intent      string    `json:"intent,omitempty"`
	RequestedAt time.Time `json:"requested_at"`
	DoneAt      time.Time `json:"done_at,omitzero"`
}

// RevealedOptOut is an OptOut that marshals its content.
type RevealedOptOut struct {
	Phone   string        `json:"phone,omitempty"`
	Patient PatientID     `json:"patient,omitempty"`
	Channel OptOutChannel `json:"channel"`
	CallID  string        `json:"call,omitempty"`
	At      time.Time     `json:"at"`
}

// Reveal returns the record in a form that marshals.
func (p Patient) Reveal() RevealedPatient {
	r := RevealedPatient{ID: p.ID, Source: RevealedSource(p.Source), Name: p.Name,
		BirthDate: p.BirthDate, Language: p.Language, Deceased: p.Deceased}
	for _, i := range p.Identifiers {
		r.Identifiers = append(r.Identifiers, i.Reveal())
	}
	for _, a := range p.Addresses {
		r.Addresses = append(r.Addresses, a.Reveal())
	}
	return r
}

// Redacting is the way back from Reveal.
func (r RevealedPatient) Redacting() Patient {
	p := Patient{ID: r.ID, Source: Source(r.Source), Name: r.Name,
		BirthDate: r.BirthDate, Language: r.Language, Deceased: r.Deceased}
	for _, i := range r.Identifiers {
		p.Identifiers = append(p.Identifiers, Identifier(i))
	}
	for _, a := range r.Addresses {
		p.Addresses = append(p.Addresses, Address(a))
	}
	return p
}

// Reveal returns the source in a form that marshals.
func (s Source) Reveal() RevealedSource { return RevealedSource(s) }

// Reveal returns the identifier in a form that marshals.
func (i Identifier) Reveal() RevealedIdentifier { return RevealedIdentifier(i) }

// Reveal returns the address in a form that marshals.
func (a Address) Reveal() RevealedAddress { return RevealedAddress(a) }

// Reveal returns the visit in a form that marshals.
func (v Visit) Reveal() RevealedVisit { return RevealedVisit(v) }

// Reveal returns the invoice in a form that marshals.
func (i Invoice) Reveal() RevealedInvoice { return RevealedInvoice(i) }

// Reveal returns the request in a form that marshals.
func (c Callback) Reveal() RevealedCallback { return RevealedCallback(c) }

// Reveal returns the wish in a form that marshals.
func (o OptOut) Reveal() RevealedOptOut { return RevealedOptOut(o) }
