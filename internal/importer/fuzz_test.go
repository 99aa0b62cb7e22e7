package importer

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/storage"
)

// scanned reads a file without a store and checks what every reading keeps to:
// good rows are complete, problems have a place and say nothing that is quoted,
// and reading again finds the same.
func scanned(t *testing.T, name string, text []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	read := func() (rows []row, rep *Report) {
		files, size, err := findFiles([]string{path})
		require.NoError(t, err)
		im := &run{o: options(nil), files: files, total: 2 * size}
		im.o.MaxRow = 1 << 16
		im.o.Progress = func(Progress) {}
		rep = newReport(files)
		err = im.read(context.Background(), rep, func(r row) error { rows = append(rows, r); return nil }, func() error { return nil })
		require.NoError(t, err)
		return rows, rep
	}
	rows, rep := read()
	again, rep2 := read()
	assert.Equal(t, rows, again)
	assert.Equal(t, rep, rep2)
	lines := strings.Count(string(text), "\n") + 1
	for _, p := range append(rep.Bad, rep.Notes...) {
		assert.NotEmpty(t, p.Reason)
		assert.LessOrEqual(t, p.Line, lines)
		assert.Positive(t, p.Line)
	}
	for _, r := range rows {
		switch {
		case r.patient != nil:
			assert.NotEmpty(t, r.patient.Source.ID)
			for _, i := range r.patient.Identifiers {
				assert.True(t, i.Kind.Valid())
				assert.NotEmpty(t, i.Value)
			}
		case r.visit != nil:
			assert.Len(t, r.visit.Date, 10)
			assert.NotEqual(t, reference{}, r.of)
			assert.Contains(t, []storage.VisitStatus{storage.VisitFinished, storage.VisitPlanned, storage.VisitInProgress, storage.VisitCancelled}, r.visit.Status)
		default:
			assert.NotEmpty(t, r.invoice.Number)
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{patientsCSV, visitsCSV, invoicesCSV, "record_number\n\"", "record_number,deceased\n1\n\n2,yes\n", "\xff,\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { scanned(t, "a.csv", b) })
}

func FuzzNDJSON(f *testing.F) {
	for _, s := range []string{rosa, abel, rosaVisit, rosa + "\n" + rosaVisit, "\ufeff{}", "[]\nnull\n1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { scanned(t, "a.ndjson", b) })
}

func FuzzBundle(f *testing.F) {
	for _, s := range []string{
		rosa, `{"resourceType":"Bundle","entry":[{"fullUrl":"urn:uuid:1","resource":` + rosa + `},{"resource":` + rosaVisit + `}]}`,
		"{\"entry\":[{\n},\n3,null],\"x\":1}", `{"entry":{}}`, `{"entry":[]`, "{}\n{}", `{"a":1}x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { scanned(t, "a.json", b) })
}
