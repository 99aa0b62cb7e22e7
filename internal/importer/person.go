package importer

import (
	"regexp"
	"strings"
	"time"

	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// builder makes a record of a row. What cannot be read is left out and noted.
type builder struct {
	s    *scan
	line int
	what string
	p    storage.Patient
}

func (s *scan) build(line int, what, id string) *builder {
	return &builder{s: s, line: line, what: what, p: storage.Patient{
		Source: storage.Source{System: s.im.o.System, ID: id},
	}}
}

func (b *builder) leftOut(field, why string) { b.s.note(b.line, b.what, field+" left out: "+why) }

func (b *builder) add(kind storage.IdentifierKind, value, system string) {
	b.p.Identifiers = append(b.p.Identifiers, storage.Identifier{Kind: kind, Value: value, System: system})
}

func (b *builder) birthDate(s string, today time.Time) {
	if s == "" {
		return
	}
	date, err := policy.NormalizeISODate(s, today)
	if err != nil {
		b.leftOut("birth date", "not a full date of the past")
		return
	}
	b.p.BirthDate = date
	b.add(storage.KindBirthDate, date, "")
}

func (b *builder) phone(s string) {
	n, err := policy.NormalizePhone(s)
	if err != nil {
		b.leftOut("phone", "not a number of the North American plan without extension")
		return
	}
	b.add(storage.KindPhone, n, "")
}

// numberNames are for notes.
var numberNames = map[storage.IdentifierKind]string{
	storage.KindMRN: "record number", storage.KindMemberID: "member id", storage.KindAccount: "account",
}

func (b *builder) number(kind storage.IdentifierKind, s, system string) {
	n, err := policy.NormalizeIdentifier(s)
	if err != nil {
		b.leftOut(numberNames[kind], "not letters, digits, spaces and the marks - _ / . alone")
		return
	}
	b.add(kind, n, system)
}

func (b *builder) address(a fhirAddress) {
	var lines []string
	for _, l := range a.Line {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 && a.City == "" && a.State == "" && a.ZIP == "" {
		return
	}
	b.p.Addresses = append(b.p.Addresses, storage.Address{
		Lines: lines, City: strings.TrimSpace(a.City), State: stateCode(a.State), ZIP: strings.TrimSpace(a.ZIP),
	})
	switch strings.ToUpper(a.Country) {
	case "", "US", "USA", "UNITED STATES":
	default:
		b.leftOut("address as an identifier", "not in the United States")
		return
	}
	if len(lines) == 0 {
		b.leftOut("address as an identifier", "it has no street")
		return
	}
	number, street, _ := strings.Cut(lines[0], " ")
	house, err := policy.NormalizeHouseZIP(number, a.ZIP)
	if err != nil {
		b.leftOut("address as an identifier", "it wants a house number first, and a ZIP code")
		return
	}
	b.add(storage.KindHouseZIP, house, "")
	if whole, err := policy.NormalizeAddress(number, street, a.ZIP); err == nil {
		b.add(storage.KindAddress, whole, "")
	}
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

func (b *builder) language(s string) {
	if s = strings.TrimSpace(s); s == "" {
		return
	}
	if !languageTag.MatchString(s) {
		b.leftOut("language", "not a language tag (BCP 47), such as en or es-US")
		return
	}
	b.p.Language = s
}

func fullName(parts ...string) string {
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// stateCode is the USPS code of a state, district or territory, by code or name;
// empty if it is none.
func stateCode(s string) string {
	s = strings.ToUpper(strings.Join(strings.Fields(s), " "))
	if code, ok := stateNames[s]; ok {
		return code
	}
	for _, code := range stateNames {
		if s == code {
			return code
		}
	}
	return ""
}

var stateNames = map[string]string{
	"ALABAMA": "AL", "ALASKA": "AK", "ARIZONA": "AZ", "ARKANSAS": "AR", "CALIFORNIA": "CA", "COLORADO": "CO",
	"CONNECTICUT": "CT", "DELAWARE": "DE", "DISTRICT OF COLUMBIA": "DC", "FLORIDA": "FL", "GEORGIA": "GA",
	"HAWAII": "HI", "IDAHO": "ID", "ILLINOIS": "IL", "INDIANA": "IN", "IOWA": "IA", "KANSAS": "KS",
	"KENTUCKY": "KY", "LOUISIANA": "LA", "MAINE": "ME", "MARYLAND": "MD", "MASSACHUSETTS": "MA",
	"MICHIGAN": "MI", "MINNESOTA": "MN", "MISSISSIPPI": "MS", "MISSOURI": "MO", "MONTANA": "MT",
	"NEBRASKA": "NE", "NEVADA": "NV", "NEW HAMPSHIRE": "NH", "NEW JERSEY": "NJ", "NEW MEXICO": "NM",
	"NEW YORK": "NY", "NORTH CAROLINA": "NC", "NORTH DAKOTA": "ND", "OHIO": "OH", "OKLAHOMA": "OK",
	"OREGON": "OR", "PENNSYLVANIA": "PA", "RHODE ISLAND": "RI", "SOUTH CAROLINA": "SC",
	"SOUTH DAKOTA": "SD", "TENNESSEE": "TN", "TEXAS": "TX", "UTAH": "UT", "VERMONT": "VT", "VIRGINIA": "VA",
	"WASHINGTON": "WA", "WEST VIRGINIA": "WV", "WISCONSIN": "WI", "WYOMING": "WY",
	"PUERTO RICO": "PR", "GUAM": "GU", "AMERICAN SAMOA": "AS", "U.S. VIRGIN ISLANDS": "VI",
	"NORTHERN MARIANA ISLANDS": "MP",
}
