package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
	"github.com/callward/callward/storage/seal"
	"github.com/callward/callward/storage/sqlite"
)

var today = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func openStore(t testing.TB) storage.Store {
	t.Helper()
	dir := t.TempDir()
	keys, err := seal.Create(filepath.Join(dir, "keys"))
	require.NoError(t, err)
	st, err := sqlite.Open(t.Context(), sqlite.Config{
		Path: filepath.Join(dir, "db"), Keys: keys, Clock: func() time.Time { return today },
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, st.Close()) })
	return st
}

// files writes named texts to a directory and returns it.
func files(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func options(st storage.Store) Options {
	return Options{Store: st, System: "h", Clock: func() time.Time { return today }}
}

func imported(t testing.TB, o Options, paths ...string) Report {
	t.Helper()
	rep, err := Import(t.Context(), o, paths...)
	require.NoError(t, err)
	return rep
}

// record reads the patient imported under an id, with visits and invoices.
func record(t testing.TB, st storage.Store, id string) (p storage.Patient, v []storage.Visit, i []storage.Invoice) {
	t.Helper()
	require.NoError(t, st.View(t.Context(), func(tx storage.Tx) error {
		pid, err := tx.PatientBySource(storage.Source{System: "h", ID: id})
		if err != nil {
			return err
		}
		if p, err = tx.Patient(pid); err != nil {
			return err
		}
		if v, err = tx.Visits(pid); err != nil {
			return err
		}
		i, err = tx.Invoices(pid)
		return err
	}))
	return p, v, i
}

func audited(t testing.TB, st storage.Store) (all []storage.StoredEntry) {
	t.Helper()
	require.NoError(t, st.View(context.Background(), func(tx storage.Tx) (err error) {
		all, err = tx.Entries(storage.EntryFilter{})
		return err
	}))
	return all
}

const (
	rosa = `{"resourceType":"Patient","id":"rosa","name":[{"use":"maiden","family":"Quill","given":["Rosa"]},` +
		`{"use":"official","family":"Tarn","given":["Rosa","M."]}],"birthDate":"1961-02-28",` +
		`"telecom":[{"system":"phone","value":"(617) 555-0123"},{"system":"phone","use":"old","value":"617-555-0199"},{"system":"email","value":"r@example.org"}],` +
		`"address":[{"line":["12 Elm St","Apt 4"],"city":"Salem","state":"Massachusetts","postalCode":"01970-1234"},{"use":"old","line":["9 Oak Rd"],"postalCode":"02139"}],` +
		`"identifier":[{"type":{"coding":[{"code":"MR"}]},"system":"urn:hospital","value":"ab-12 34"},{"type":{"coding":[{"code":"SS"}]},"value":"123-45-6789"},` +
		`{"type":{"coding":[{"code":"MB"}]},"value":"m77"},{"type":{"coding":[{"code":"AN"}]},"value":"0042"}],` +
		`"communication":[{"language":{"coding":[{"code":"en"}]}},{"language":{"coding":[{"code":"es-US"}]},"preferred":true}]}`
	abel      = `{"resourceType":"Patient","id":"abel","deceasedDateTime":"2020-01-02","birthDate":"1950","name":[{"text":"Abel Ash"}],"telecom":[{"system":"phone","value":"+44 20 7946 0000"}]}`
	rosaVisit = `{"resourceType":"Encounter","id":"e1","status":"finished","subject":{"reference":"Patient/rosa"},"period":{"start":"2025-12-31T23:30:00-05:00"}}`
)

func TestFHIRRecord(t *testing.T) {
	st := openStore(t)
	rep := imported(t, options(st), files(t, map[string]string{"p.ndjson": rosa + "\n" + abel + "\n\n" + rosaVisit + "\n" + `{"resourceType":"Observation"}`}))
	assert.Equal(t, Tally{Written: 2}, rep.Patients)
	assert.Equal(t, Tally{Written: 1}, rep.Visits)
	assert.Equal(t, map[string]int{"Observation": 1}, rep.Ignored)
	assert.Empty(t, rep.Bad)

	p, v, _ := record(t, st, "rosa")
	assert.Equal(t, "Rosa M. Tarn", p.Name)
	assert.Equal(t, "1961-02-28", p.BirthDate)
	assert.Equal(t, "es-US", p.Language)
	assert.False(t, p.Deceased)
	assert.ElementsMatch(t, []storage.Identifier{
		{Kind: storage.KindBirthDate, Value: "1961-02-28"},
		{Kind: storage.KindPhone, Value: "+16175550123"},
		{Kind: storage.KindHouseZIP, Value: "12|01970"},
		{Kind: storage.KindAddress, Value: "12|ELM STREET|01970"},
		{Kind: storage.KindMRN, Value: "AB1234", System: "urn:hospital"},
		{Kind: storage.KindMemberID, Value: "M77"},
		{Kind: storage.KindAccount, Value: "0042"},
	}, p.Identifiers)
	require.Len(t, p.Addresses, 1, "an old address is no longer theirs")
	assert.Equal(t, "MA", p.Addresses[0].State)
	require.Len(t, v, 1)
	assert.Equal(t, "2025-12-31", v[0].Date, "the date where it took place")
	assert.True(t, v[0].Start.Equal(time.Date(2026, 1, 1, 4, 30, 0, 0, time.UTC)))

	p, _, _ = record(t, st, "abel")
	assert.True(t, p.Deceased)
	assert.Equal(t, "Abel Ash", p.Name)
	assert.Empty(t, p.Identifiers, "what cannot be read is unavailable")
	assert.Equal(t, 2, rep.Noted)
}

// TestReferences: an Encounter finds its Patient however it names them, in
// whatever order and form the files come.
func TestReferences(t *testing.T) {
	enc := func(id, ref string) string {
		return `{"resourceType":"Encounter","id":"` + id + `","status":"finished","subject":{"reference":"` + ref + `"},"period":{"start":"2026-01-05"}}`
	}
	for name, texts := range map[string]map[string]string{
		"before the patient, one file": {"a.ndjson": rosaVisit + "\n" + rosa},
		"before the patient, by name":  {"a.ndjson": rosaVisit, "b.ndjson": rosa},
		"windows line ends and a mark": {"a.ndjson": "\ufeff" + rosa + "\r\n" + rosaVisit + "\r\n"},
		"lines in a .json file":        {"a.json": rosa + "\n" + rosaVisit + "\n"},
		"single resources":             {"a.json": rosa, "b.json": rosaVisit},
		"absolute":                     {"a.ndjson": rosa + "\n" + enc("e1", "https://fhir.example.org/r4/Patient/rosa")},
		"absolute with a version":      {"a.ndjson": rosa + "\n" + enc("e1", "https://fhir.example.org/r4/Patient/rosa/_history/3")},
		"conditional":                  {"a.ndjson": rosa + "\n" + enc("e1", "Patient?identifier=urn:hospital|AB-1234")},
		"logical":                      {"a.ndjson": rosa + "\n" + `{"resourceType":"Encounter","id":"e1","status":"finished","subject":{"identifier":{"value":"ab1234"}},"period":{"start":"2026-01-05"}}`},
		"bundle with uuids":            {"a.json": `{"entry":[{"fullUrl":"urn:uuid:u2","resource":` + enc("e1", "urn:uuid:u1") + `},` + "\n" + `{"fullUrl":"urn:uuid:u1","resource":` + rosa + `}],"resourceType":"Bundle"}`},
		"bundle on a line":             {"a.ndjson": `{"resourceType":"Bundle","entry":[{"resource":` + rosaVisit + `},{"resource":` + rosa + `}]}`},
		"uuid is the only id":          {"a.json": `{"resourceType":"Bundle","entry":[{"fullUrl":"urn:uuid:rosa","resource":{"resourceType":"Patient","name":[{"text":"Rosa"}]}},{"resource":` + enc("e1", "urn:uuid:rosa") + `}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			st := openStore(t)
			rep := imported(t, options(st), files(t, texts))
			assert.Empty(t, rep.Bad)
			_, v, _ := record(t, st, "rosa")
			assert.Len(t, v, 1)
		})
	}
}

func TestEncounterStatus(t *testing.T) {
	st := openStore(t)
	text := rosa + "\n"
	for code := range encounterStatus {
		text += `{"resourceType":"Encounter","id":"` + code + `","status":"` + code + `","subject":{"reference":"Patient/rosa"},"period":{"start":"2026-01-05T10:00:00Z"}}` + "\n"
	}
	imported(t, options(st), files(t, map[string]string{"a.ndjson": text}))
	_, v, _ := record(t, st, "rosa")
	assert.Len(t, v, len(encounterStatus))
	require.NoError(t, st.View(t.Context(), func(tx storage.Tx) error {
		id, err := tx.PatientBySource(storage.Source{System: "h", ID: "rosa"})
		require.NoError(t, err)
		latest, err := tx.LatestVisits(id, today)
		require.Len(t, latest, 1, "only a finished visit is a date of service")
		assert.Equal(t, "h:finished", latest[0].ID)
		return err
	}))
}

const (
	patientsCSV = "record_number,family,given,birth_date,phones,street,city,state,zip,language,deceased,member_id,account\n" +
		"MR-1,Fenn,Ola,1970-07-01,617-555-0111; 617-555-0112,7 Main St,Salem,MA,01970,en,no,,A1;A2\n" +
		"mr-2,\"Lind, Jr.\",Per,1980-01-01,,,,,,es,yes,M2,\n"
	visitsCSV   = "\ufeffDate,Status,Record_Number\n2026-01-02,finished,MR 1\n2026-04-01,planned,mr1\n2025-02-02,no-show,mr1\n"
	invoicesCSV = "record_number,invoice,date,status\nmr1,INV-9,2026-01-03,open\nmr1,inv10,,void\n"
)

func TestCSV(t *testing.T) {
	st := openStore(t)
	rep := imported(t, options(st), files(t, map[string]string{
		"c.csv": patientsCSV, "b.csv": visitsCSV, "a.csv": invoicesCSV, "readme.txt": "not read",
	}))
	assert.Equal(t, 3, rep.Files)
	assert.Empty(t, rep.Bad)
	assert.Empty(t, rep.Notes)
	p, v, i := record(t, st, "MR1")
	assert.Equal(t, "Ola Fenn", p.Name)
	assert.ElementsMatch(t, []storage.Identifier{
		{Kind: storage.KindMRN, Value: "MR1"}, {Kind: storage.KindBirthDate, Value: "1970-07-01"},
		{Kind: storage.KindPhone, Value: "+16175550111"}, {Kind: storage.KindPhone, Value: "+16175550112"},
		{Kind: storage.KindHouseZIP, Value: "7|01970"}, {Kind: storage.KindAddress, Value: "7|MAIN STREET|01970"},
		{Kind: storage.KindAccount, Value: "A1"}, {Kind: storage.KindAccount, Value: "A2"},
	}, p.Identifiers)
	require.Len(t, v, 3)
	assert.Equal(t, storage.VisitPlanned, v[0].Status)
	require.Len(t, i, 2)
	assert.ElementsMatch(t, []storage.Invoice{
		{Number: "INV9", Patient: p.ID, Date: "2026-01-03"}, {Number: "INV10", Patient: p.ID, Void: true},
	}, i)
	p, _, _ = record(t, st, "MR2")
	assert.Equal(t, "Per Lind, Jr.", p.Name)
	assert.True(t, p.Deceased)
}

func TestCSVBillingForFHIRPatients(t *testing.T) {
	st := openStore(t)
	imported(t, options(st), files(t, map[string]string{"a.ndjson": rosa}))
	rep := imported(t, options(st), files(t, map[string]string{"i.csv": "record_number,invoice,date,status\nAB-1234,77,2026-01-03,open\n"}))
	assert.Empty(t, rep.Bad)
	_, _, i := record(t, st, "rosa")
	assert.Len(t, i, 1, "found by record number")
}

// TestBadRows: each is refused by itself, at its line, for its reason, and the
// good ones around it are kept.
func TestBadRows(t *testing.T) {
	head := "record_number,family,deceased\n"
	for name, tc := range map[string]struct {
		file, text string
		line       int
		what, why  string
	}{
		"json":             {"a.ndjson", rosa + "\n{\"resourceType\":\"Patient\",\n" + abel, 2, "resource", whyNotJSON},
		"no type":          {"a.ndjson", rosa + "\n{}\n" + abel, 2, "resource", "it has no resourceType"},
		"wrong type":       {"a.ndjson", rosa + "\n{\"resourceType\":\"Patient\",\"id\":\"x\",\"birthDate\":19610228}\n" + abel, 2, "Patient", "birthDate is not of its type"},
		"no id":            {"a.ndjson", rosa + "\n{\"resourceType\":\"Patient\"}\n" + abel, 2, "Patient", "it has no id"},
		"too long":         {"a.ndjson", rosa + "\n{\"a\":\"" + longText(200_000) + "\"}\n" + abel, 2, "line", whyTooLong},
		"repeated":         {"a.ndjson", rosa + "\n" + `{"resourceType":"Patient","id":"rosa"}` + "\n" + abel, 2, "Patient", whyRepeated},
		"unknown status":   {"a.ndjson", rosa + "\n" + `{"resourceType":"Encounter","id":"e","status":"over"}` + "\n" + abel, 2, "Encounter", "its status is none of FHIR R4's"},
		"no subject":       {"a.ndjson", rosa + "\n" + `{"resourceType":"Encounter","id":"e","status":"finished","period":{"start":"2026-01-01"},"subject":{"reference":"Group/rosa"}}` + "\n" + abel, 2, "Encounter", "its subject is not a reference to a Patient"},
		"half a date":      {"a.ndjson", rosa + "\n" + `{"resourceType":"Encounter","id":"e","status":"finished","period":{"start":"2026-01"},"subject":{"reference":"Patient/rosa"}}` + "\n" + abel, 2, "Encounter", "period.start is not a full date"},
		"unknown patient":  {"a.ndjson", rosa + "\n" + `{"resourceType":"Encounter","id":"e","status":"finished","period":{"start":"2026-01-01"},"subject":{"reference":"Patient/nobody"}}` + "\n" + abel, 2, "Encounter", whyNoPatient},
		"bundle entry":     {"a.json", "{\"resourceType\":\"Bundle\",\n\"entry\":[\n{\"resource\":" + rosa + "},\n{\"fullUrl\":\"x\"},\n{\"resource\":" + abel + "}]}", 4, "entry", "it holds no resource"},
		"csv fields":       {"a.csv", head + "rosa,x,no\nabel,y\nabel,y,no\n", 3, "patient", "it has 2 fields and the header 3"},
		"csv quote":        {"a.csv", head + "rosa,x,no\na\"b,y,no\nabel,y,no\n", 3, "patient", "a quotation mark is out of place"},
		"csv no number":    {"a.csv", head + "rosa,x,no\n,y,no\nabel,y,no\n", 3, "patient", whyNoNumber},
		"csv bad number":   {"a.csv", head + "rosa,x,no\na&b,y,no\nabel,y,no\n", 3, "patient", whyBadNumber},
		"csv deceased":     {"a.csv", head + "rosa,x,no\nb,\"y\nz\",perhaps\nabel,y,no\n", 3, "patient", "deceased is neither yes nor no"},
		"csv after a long": {"a.csv", head + "rosa,\"x\n\n\nx\",no\nabel,y,no\n,y,no\n", 7, "patient", whyNoNumber},
	} {
		t.Run(name, func(t *testing.T) {
			st := openStore(t)
			o := options(st)
			o.MaxRow = 100_000
			dir := files(t, map[string]string{tc.file: tc.text})
			rep := imported(t, o, dir)
			assert.Equal(t, []Problem{{File: filepath.Join(dir, tc.file), Line: tc.line, What: tc.what, Reason: tc.why}}, rep.Bad)
			assert.Equal(t, 1, rep.Refused)
			assert.Equal(t, Tally{Written: 2}, rep.Patients)

			again := imported(t, o, dir)
			assert.Equal(t, rep.Bad, again.Bad)
			assert.Equal(t, Tally{Unchanged: 2}, again.Patients)

			atomic := openStore(t)
			o.Store, o.Atomic = atomic, true
			none, err := Import(t.Context(), o, dir)
			require.ErrorIs(t, err, ErrRejected)
			assert.Equal(t, rep.Bad, none.Bad)
			assert.Zero(t, none.Patients)
			require.NoError(t, atomic.View(t.Context(), func(tx storage.Tx) error {
				ids, err := tx.Patients("", 0)
				assert.Empty(t, ids)
				return err
			}))
			entries := audited(t, atomic)
			require.Len(t, entries, 1)
			assert.Equal(t, "false", entries[0].Entry.Detail["kept"])
		})
	}
}

func longText(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'x'
	}
	return string(b)
}

// TestBadFiles: what cannot be read on is refused as a whole.
func TestBadFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		file, text string
		line       int
		why        string
	}{
		"csv without header": {"a.csv", "7,Fenn,Ola\n", 1, "the header has no column record_number"},
		"csv empty":          {"a.csv", "", 1, "it has no header line"},
		"csv unknown column": {"a.csv", "record_number,ssn\n", 1, "column 2 of the header is none of those for a file of patients: record_number, family, given, birth_date, phones, street, city, state, zip, language, deceased, member_id, account"},
		"csv column twice":   {"a.csv", "record_number,zip,ZIP\n", 1, "column 3 of the header stands there twice"},
		"csv lacks a column": {"a.csv", "record_number,invoice\n", 1, "a file of invoices has the columns date and status"},
		"not json":           {"a.json", "hello", 1, whyRestLost},
		"json cut":           {"a.json", "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":" + rosa + "},\n\n{", 1, whyRestLost},
		"entry too long":     {"a.json", "{\"entry\":[\n{\"resource\":{\"a\":\"" + longText(400_000) + "\"}}]}", 2, whyCutShort},
		"csv open quote":     {"a.csv", "record_number,family\n1,\"" + longText(400_000), 2, whyCutShort},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(openStore(t))
			o.MaxRow = 100_000
			rep := imported(t, o, files(t, map[string]string{tc.file: tc.text}))
			require.Len(t, rep.Bad, 1)
			assert.Equal(t, tc.why, rep.Bad[0].Reason)
			assert.Equal(t, tc.line, rep.Bad[0].Line)
		})
	}
	_, err := Import(t.Context(), options(openStore(t)), t.TempDir())
	assert.ErrorIs(t, err, ErrNoFiles)
	_, err = Import(t.Context(), options(openStore(t)), files(t, nil)+"/none.csv")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestImportTwiceChangesNothing(t *testing.T) {
	st := openStore(t)
	dir := files(t, map[string]string{
		"a.ndjson": rosa + "\n" + rosa + "\n" + abel + "\n" + rosaVisit, "p.csv": patientsCSV, "v.csv": visitsCSV, "i.csv": invoicesCSV,
	})
	first := imported(t, options(st), dir)
	assert.Equal(t, Tally{Written: 4, Unchanged: 1}, first.Patients)
	assert.Equal(t, Tally{Written: 4}, first.Visits)
	assert.Equal(t, Tally{Written: 2}, first.Invoices)
	entries := len(audited(t, st))
	before, _, _ := record(t, st, "rosa")

	second := imported(t, options(st), dir)
	assert.Equal(t, Tally{Unchanged: 5}, second.Patients)
	assert.Equal(t, Tally{Unchanged: 4}, second.Visits)
	assert.Equal(t, Tally{Unchanged: 2}, second.Invoices)
	after, _, _ := record(t, st, "rosa")
	assert.Equal(t, before, after)
	assert.Len(t, audited(t, st), entries+1, "one entry says that it was tried")
}

func TestAtomicKeepsAll(t *testing.T) {
	st := openStore(t)
	o := options(st)
	o.Atomic = true
	rep := imported(t, o, files(t, map[string]string{"a.ndjson": rosa + "\n" + abel + "\n" + rosaVisit}))
	assert.Equal(t, Tally{Written: 2}, rep.Patients)
	assert.Equal(t, Tally{Written: 1}, rep.Visits)
	entries := audited(t, st)
	require.Len(t, entries, 1)
	assert.Equal(t, rep.AuditEntry, entries[0].Number)
	assert.Equal(t, map[string]string{
		"import": entries[0].Entry.Detail["import"], "files": "1", "atomic": "true", "kept": "true", "refused": "0",
		"patients.written": "2", "patients.unchanged": "0", "visits.written": "1", "visits.unchanged": "0",
		"invoices.written": "0", "invoices.unchanged": "0",
	}, entries[0].Entry.Detail)
}

func TestConflicts(t *testing.T) {
	st := openStore(t)
	imported(t, options(st), files(t, map[string]string{"a.csv": "record_number,family\n1,x\n2,y\n", "i.csv": "record_number,invoice,date,status\n1,77,,open\n"}))
	rep := imported(t, options(st), files(t, map[string]string{"i.csv": "record_number,invoice,date,status\n2,77,,open\n1,78,,open\n"}))
	require.Len(t, rep.Bad, 1)
	assert.Equal(t, whyConflict, rep.Bad[0].Reason)
	assert.Equal(t, Tally{Written: 1}, rep.Invoices)

	other := options(st)
	other.System = "elsewhere"
	imported(t, other, files(t, map[string]string{"a.csv": "record_number,family\n1,z\n"}))
	other.System = "third"
	rep = imported(t, other, files(t, map[string]string{"i.csv": "record_number,invoice,date,status\n1,79,,open\n"}))
	require.Len(t, rep.Bad, 1)
	assert.Equal(t, whyAmbiguous, rep.Bad[0].Reason)
}

func TestNotes(t *testing.T) {
	for name, tc := range map[string]struct{ row, why string }{
		"phone":     {"1,,,,911,,,,,,,,", "phone left out: not a number of the North American plan without extension"},
		"birth":     {"1,,,2026-03-02,,,,,,,,,", "birth date left out: not a full date of the past"},
		"leap":      {"1,,,1999-02-29,,,,,,,,,", "birth date left out: not a full date of the past"},
		"no house":  {"1,,,,,Main St,Salem,MA,01970,,,,", "address as an identifier left out: it wants a house number first, and a ZIP code"},
		"no zip":    {"1,,,,,7 Main St,Salem,MA,,,,,", "address as an identifier left out: it wants a house number first, and a ZIP code"},
		"no street": {"1,,,,,,Salem,MA,01970,,,,", "address as an identifier left out: it has no street"},
		"language":  {"1,,,,,,,,,Spanish!,,,", "language left out: not a language tag (BCP 47), such as en or es-US"},
		"member":    {"1,,,,,,,,,,,m&7,", "member id left out: not letters, digits, spaces and the marks - _ / . alone"},
	} {
		t.Run(name, func(t *testing.T) {
			head, _, _ := strings.Cut(patientsCSV, "\n")
			rep := imported(t, options(openStore(t)), files(t, map[string]string{"a.csv": head + "\n" + tc.row + "\n"}))
			assert.Empty(t, rep.Bad)
			require.Len(t, rep.Notes, 1)
			assert.Equal(t, tc.why, rep.Notes[0].Reason)
			assert.Equal(t, 2, rep.Notes[0].Line)
			assert.Equal(t, Tally{Written: 1}, rep.Patients, "the row is kept")
		})
	}
}

// TestNothingOfTheRowsIsSaid: values planted in bad rows and in good ones are
// in no report, error or audit entry.
func TestNothingOfTheRowsIsSaid(t *testing.T) {
	const name, number, date = "Zephyrine", "8675309123", "1944-11-13"
	st := openStore(t)
	dir := files(t, map[string]string{
		"a.ndjson": `{"resourceType":"Patient","id":"` + number + `","name":[{"family":"` + name + `"}],"birthDate":"` + date + `x","telecom":[{"system":"phone","value":"` + number + `0"}]}` + "\n" +
			`{"resourceType":"Patient","id":` + number + `,"name":"` + name + `"}` + "\n" +
			`{"resourceType":"` + name + number + `"}` + "\n" +
			`{"resourceType":"Encounter","id":"` + number + `","status":"` + name + `","subject":{"reference":"Patient/` + number + `"}}` + "\n" +
			`{"resourceType":"Patient","` + name + `":` + number + name + `}`,
		"b.csv":  number + "," + name + "," + date + "\n",
		"c.csv":  "record_number,family,deceased\n" + number + "&," + name + ",no\n" + number + "," + name + "," + name + "\n\"" + name + "\"x,y,z\n",
		"d.json": `{"resourceType":"Bundle","entry":[{"resource":"` + name + `"},` + number + name + `]}`,
	})
	rep := imported(t, options(st), dir)
	assert.Greater(t, rep.Refused, 6)
	said, err := json.Marshal(rep)
	require.NoError(t, err)
	for _, e := range audited(t, st) {
		said = append(said, e.Leaf...)
	}
	said = append(said, fmt.Sprintf("%+v %v", rep, rep.Bad)...)
	for _, planted := range []string{name, number, date} {
		assert.NotContains(t, string(said), planted)
	}
}

func TestProgressAndCancel(t *testing.T) {
	st := openStore(t)
	dir := files(t, map[string]string{"a.ndjson": rosa + "\n" + rosaVisit, "b.csv": patientsCSV})
	for _, atomic := range []bool{false, true} {
		o := options(st)
		o.Atomic = atomic
		var last Progress
		o.Progress = func(p Progress) {
			assert.GreaterOrEqual(t, p.Done, last.Done)
			assert.LessOrEqual(t, p.Done, p.Total)
			last = p
		}
		imported(t, o, dir)
		assert.Equal(t, last.Total, last.Done)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Import(ctx, options(st), dir)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestManyRows(t *testing.T) {
	st := openStore(t)
	var b strings.Builder
	b.WriteString("record_number,family\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "%d,x\n", i+1)
	}
	rep := imported(t, options(st), files(t, map[string]string{"a.csv": b.String()}))
	assert.Equal(t, Tally{Written: 1000}, rep.Patients)
	assert.Len(t, audited(t, st), 6, "five transactions and the import")
}
