package importer

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/callward/callward/policy"
	"github.com/callward/callward/storage"
)

// Columns of the three kinds of CSV file. A file is of the kind whose marks it
// has; record_number is in each.
var (
	patientColumns = []string{
		"record_number", "family", "given", "birth_date", "phones", "street", "city", "state", "zip",
		"language", "deceased", "member_id", "account",
	}
	visitColumns   = []string{"record_number", "date", "status", "visit"}
	invoiceColumns = []string{"record_number", "invoice", "date", "status"}
)

// visitStatus by the words of CSV files.
var visitStatus = map[string]storage.VisitStatus{
	"finished": storage.VisitFinished, "completed": storage.VisitFinished,
	"planned": storage.VisitPlanned, "scheduled": storage.VisitPlanned, "booked": storage.VisitPlanned,
	"in-progress": storage.VisitInProgress, "in_progress": storage.VisitInProgress, "arrived": storage.VisitInProgress,
	"cancelled": storage.VisitCancelled, "canceled": storage.VisitCancelled, "no-show": storage.VisitCancelled,
}

// invoiceVoid by the words of CSV files.
var invoiceVoid = map[string]bool{
	"open": false, "issued": false, "due": false, "paid": false, "balanced": false,
	"void": true, "voided": true, "cancelled": true, "canceled": true, "draft": true, "entered-in-error": true,
}

var yesNo = map[string]bool{
	"": false, "no": false, "false": false, "0": false, "n": false,
	"yes": true, "true": true, "1": true, "y": true,
}

// table is a CSV file being read.
type table struct {
	s    *scan
	line int
	col  map[string]int
	rec  []string
}

func (t *table) get(column string) string {
	i, ok := t.col[column]
	if !ok {
		return ""
	}
	return strings.TrimSpace(t.rec[i])
}

// list splits a field that may hold several values.
func (t *table) list(column string) []string {
	var all []string
	for v := range strings.SplitSeq(t.get(column), ";") {
		if v = strings.TrimSpace(v); v != "" {
			all = append(all, v)
		}
	}
	return all
}

func (s *scan) csv(r io.Reader) error {
	lim := &limiter{r: r, max: s.im.o.MaxRow}
	in := csv.NewReader(lim)
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	t := &table{s: s, line: 1}
	header, err := in.Read()
	if err != nil {
		s.bad(passPatients, 1, "file", "it has no header line")
		return nil
	}
	known, why := columns(header)
	if why != "" {
		s.bad(passPatients, 1, "file", why)
		return nil
	}
	t.col = known.col
	for {
		lim.reset()
		t.rec, err = in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad):
			s.bad(passPatients, bad.StartLine, known.what, "a quotation mark is out of place")
			continue
		case err != nil:
			if lim.hit {
				s.bad(passPatients, t.line+1, known.what, whyCutShort)
			}
			return nil // metered keeps errors of the file
		}
		t.line, _ = in.FieldPos(0)
		lim.line(in.InputOffset()) // counted by csv; forget them
		if !s.of(known.pass) {
			continue
		}
		if len(t.rec) != len(header) {
			s.bad(known.pass, t.line, known.what, fmt.Sprintf("it has %d fields and the header %d", len(t.rec), len(header)))
			continue
		}
		if err := known.row(t); err != nil {
			return err
		}
	}
}

// kind is what a CSV file's rows are.
type kind struct {
	what string
	pass pass
	col  map[string]int
	row  func(*table) error
}

// columns finds out what the rows of a file are. It does not quote a column: of
// a file without a header, the first line is a patient.
func columns(header []string) (k kind, why string) {
	k.col = make(map[string]int)
	for i, name := range header {
		if i == 0 {
			name = strings.TrimPrefix(name, "\ufeff")
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := k.col[name]; twice {
			return k, fmt.Sprintf("column %d of the header stands there twice", i+1)
		}
		k.col[name] = i
	}
	has := func(c string) bool { _, ok := k.col[c]; return ok }
	if !has("record_number") {
		return k, "the header has no column record_number"
	}
	var want []string
	switch {
	case has("invoice"):
		k.what, k.pass, k.row, want = "invoice", passRest, (*table).invoice, invoiceColumns
	case has("status") || has("visit") || has("date"):
		k.what, k.pass, k.row, want = "visit", passRest, (*table).visit, visitColumns
	default:
		k.what, k.pass, k.row, want = "patient", passPatients, (*table).patient, patientColumns
	}
	for i, name := range header {
		if name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))); !slices.Contains(want, name) {
			return k, fmt.Sprintf("column %d of the header is none of those for a file of %ss: %s", i+1, k.what, strings.Join(want, ", "))
		}
	}
	if k.pass == passRest && (!has("date") || !has("status")) {
		return k, fmt.Sprintf("a file of %ss has the columns date and status", k.what)
	}
	return k, ""
}

func (t *table) refuse(p pass, what, why string) error {
	t.s.bad(p, t.line, what, why)
	return nil
}

const (
	whyNoNumber  = "record_number is empty"
	whyBadNumber = "record_number is not letters, digits, spaces and the marks - _ / . alone"
)

// number reads record_number, as written in canonical form.
func (t *table) number() (string, string) {
	raw := t.get("record_number")
	if raw == "" {
		return "", whyNoNumber
	}
	n, err := policy.NormalizeIdentifier(raw)
	if err != nil {
		return "", whyBadNumber
	}
	return n, ""
}

func (t *table) patient() error {
	const what = "patient"
	n, why := t.number()
	if why != "" {
		return t.refuse(passPatients, what, why)
	}
	deceased, ok := yesNo[strings.ToLower(t.get("deceased"))]
	if !ok {
		return t.refuse(passPatients, what, "deceased is neither yes nor no")
	}
	b := t.s.build(t.line, what, n)
	b.p.Name = fullName(t.get("given"), t.get("family"))
	b.p.Deceased = deceased
	b.number(storage.KindMRN, n, "")
	b.birthDate(t.get("birth_date"), t.s.im.o.Clock())
	b.language(t.get("language"))
	for _, p := range t.list("phones") {
		b.phone(p)
	}
	for _, m := range t.list("member_id") {
		b.number(storage.KindMemberID, m, "")
	}
	for _, a := range t.list("account") {
		b.number(storage.KindAccount, a, "")
	}
	b.address(fhirAddress{
		Line: []string{t.get("street")}, City: t.get("city"), State: t.get("state"), ZIP: t.get("zip"),
	})
	return t.s.send(t.line, what, row{patient: &b.p})
}

func (t *table) visit() error {
	const what = "visit"
	n, why := t.number()
	if why != "" {
		return t.refuse(passRest, what, why)
	}
	date, start, err := moment(t.get("date"))
	if err != nil {
		return t.refuse(passRest, what, "date is not YYYY-MM-DD")
	}
	status, ok := visitStatus[strings.ToLower(t.get("status"))]
	if !ok {
		return t.refuse(passRest, what, "status is none of "+words(visitStatus))
	}
	id := t.get("visit")
	if id == "" {
		sum := sha256.Sum256([]byte(key(n, date)))
		id = hex.EncodeToString(sum[:16])
	}
	return t.s.send(t.line, what, row{of: reference{id: n, mrn: n}, visit: &storage.Visit{
		ID: t.s.im.o.System + ":" + id, Date: date, Start: start, Status: status,
	}})
}

func (t *table) invoice() error {
	const what = "invoice"
	n, why := t.number()
	if why != "" {
		return t.refuse(passRest, what, why)
	}
	number, err := policy.NormalizeIdentifier(t.get("invoice"))
	if err != nil {
		return t.refuse(passRest, what, "invoice is not letters, digits, spaces and the marks - _ / . alone")
	}
	date := t.get("date")
	if _, err := time.Parse(time.DateOnly, date); date != "" && err != nil {
		return t.refuse(passRest, what, "date is not YYYY-MM-DD")
	}
	void, ok := invoiceVoid[strings.ToLower(t.get("status"))]
	if !ok {
		return t.refuse(passRest, what, "status is none of "+words(invoiceVoid))
	}
	return t.s.send(t.line, what, row{of: reference{id: n, mrn: n}, invoice: &storage.Invoice{
		Number: number, Date: date, Void: void,
	}})
}

// words lists the keys of a table of words.
func words[V any](m map[string]V) string {
	var all []string
	for w := range m {
		all = append(all, w)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
