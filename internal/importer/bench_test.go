package importer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkImport writes a thousand patients with a visit each.
func BenchmarkImport(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		id := fmt.Sprint("p", i)
		text.WriteString(strings.ReplaceAll(rosa, `"id":"rosa"`, `"id":"`+id+`"`) + "\n")
		text.WriteString(strings.NewReplacer("Patient/rosa", "Patient/"+id, `"e1"`, `"e`+id+`"`).Replace(rosaVisit) + "\n")
	}
	dir := files(b, map[string]string{"a.ndjson": text.String()})
	b.ReportAllocs()
	for b.Loop() {
		rep, err := Import(b.Context(), options(openStore(b)), dir)
		require.NoError(b, err)
		require.Equal(b, 1000, rep.Visits.Written)
	}
	b.ReportMetric(2000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
