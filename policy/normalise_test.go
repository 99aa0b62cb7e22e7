package policy_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/policy"
)

var today = time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)

// spell writes ASCII digits in the script whose zero is given.
func spell(s string, zero rune) string {
	out := []rune(s)
	for i, r := range out {
		if r >= '0' && r <= '9' {
			out[i] = zero + r - '0'
		}
	}
	return string(out)
}

func TestNormalizeBirthDate(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"02292000", "2000-02-29"},
		{"02282000", "2000-02-28"}, // and so no match for who was born on the 29th
		{"03012000", "2000-03-01"},
		{"02291999", ""}, // there is no such date
		{"02291900", ""}, // 1900 was no leap year
		{"01021980", "1980-01-02"},
		{"13021980", ""}, // never swapped to fit
		{"02311980", ""},
		{"04311980", ""},
		{"00011980", ""},
		{"01001980", ""},
		{"010280", ""},    // two-digit years are rejected
		{"1021980", ""},   // seven keys
		{"010219800", ""}, // nine keys
		{"01/02/1980", ""},
		{"", ""},
		{"0102198x", ""},
		{"11022026", "2026-11-02"}, // born today
		{"11032026", ""},           // born tomorrow
		{"01010001", ""},           // no living person
		{spell("01021980", '٠'), "1980-01-02"},
		{spell("01021980", '０'), "1980-01-02"},
		{spell("01021980", 0x1d7ce), "1980-01-02"},
	} {
		got, err := policy.NormalizeBirthDate(c.keys, today)
		if c.want == "" {
			require.ErrorIs(t, err, policy.ErrUnreadable, c.keys)
			assert.Empty(t, got)
			continue
		}
		require.NoError(t, err, c.keys)
		assert.Equal(t, c.want, got)
	}
}

// The date that counts is the one where the patient is.
func TestNormalizeBirthDateTodayIsLocal(t *testing.T) {
	honolulu := time.FixedZone("HST", -10*3600)
	late := time.Date(2026, 11, 1, 20, 0, 0, 0, honolulu) // already 2 November in UTC
	_, err := policy.NormalizeBirthDate("11022026", late)
	require.ErrorIs(t, err, policy.ErrUnreadable)
}

func TestNormalizeISODate(t *testing.T) {
	for _, good := range []string{"2000-02-29", "1800-01-01", "2026-01-31", "2026-11-02"} {
		got, err := policy.NormalizeISODate(good, today)
		require.NoError(t, err)
		assert.Equal(t, good, got)
	}
	for _, bad := range []string{"2000-2-9", "1799-12-31", "1800-01-32", "1999-02-29", "2026-11-03", "2000/02/29", "2000-02-2x", "02-29-2000", "200x-01-01"} {
		_, err := policy.NormalizeISODate(bad, today)
		require.ErrorIs(t, err, policy.ErrUnreadable, bad)
	}
}

func TestNormalizePhone(t *testing.T) {
	for _, c := range []struct{ number, want string }{
		{"617-555-0123", "+16175550123"},
		{"(617) 555-0123", "+16175550123"},
		{"1 617 555 0123", "+16175550123"},
		{"+1.617.555.0123", "+16175550123"},
		{"tel:+16175550123", "+16175550123"},
		{"６１７５５５０１２３", "+16175550123"},
		{spell("6175550123", '۰'), "+16175550123"},
		{"555-412-1234", "+15554121234"},
		{"212-200-0000", "+12122000000"},
		{"+49 30 901820", ""},  // another country's
		{"+6175550123", ""},    // Australia's, though it looks like one
		{"617 555 012", ""},    // too short
		{"617 555 01234", ""},  // too long
		{"117 555 0123", ""},   // area codes begin with 2 to 9
		{"617 155 0123", ""},   // so do exchanges
		{"911 555 0123", ""},   // service codes are no area codes
		{"617 411 0123", ""},   // nor exchanges
		{"691 555 0123", ""},   // N9X is reserved
		{"2 617 555 0123", ""}, // eleven digits that do not begin with 1
		{"617-555-0123x9", ""}, // an extension
		{"617-555-CARE", ""},   // letters
		{"911", ""},            // an emergency number is no phone number of anybody
		{"", ""}, {"+", ""}, {"+1", ""},
	} {
		got, err := policy.NormalizePhone(c.number)
		if c.want == "" {
			require.ErrorIs(t, err, policy.ErrUnreadable, c.number)
			continue
		}
		require.NoError(t, err, c.number)
		assert.Equal(t, c.want, got)
	}
}

func TestNormalizeIdentifier(t *testing.T) {
	for _, c := range []struct{ id, want string }{
		{"mrn-00123", "MRN00123"},
		{"MRN 00123", "MRN00123"},
		{"mrn–00123", "MRN00123"}, // an en dash
		{spell("A1-23", '٠'), "A123"},
		{"ａ１２３", "A123"},
		{"Ａ１２３", "A123"},
		{"a.b/c_1", "A.B/C_1"},
		{"0012", "0012"}, // leading zeros are part of a number on file
		{"", ""}, {"--", ""}, {"12#", ""}, {"1\x002", ""},
	} {
		got, err := policy.NormalizeIdentifier(c.id)
		if c.want == "" {
			require.ErrorIs(t, err, policy.ErrUnreadable, c.id)
			continue
		}
		require.NoError(t, err, c.id)
		assert.Equal(t, c.want, got)
	}
}

func TestNormalizeAddress(t *testing.T) {
	got, err := policy.NormalizeAddress("123", "main st.", "02139-1234")
	require.NoError(t, err)
	assert.Equal(t, "123|MAIN STREET|02139", got)
	same, err := policy.NormalizeAddress("0123", "  Main   Street ", "02139")
	require.NoError(t, err)
	assert.Equal(t, got, same)
	for _, number := range []string{"1", "9", "123456789012"} {
		got, err = policy.NormalizeAddress(number, strings.Repeat("x", 256), "02139")
		require.NoError(t, err)
		assert.Equal(t, number+"|"+strings.Repeat("X", 256)+"|02139", got)
	}
	_, err = policy.NormalizeAddress("1", strings.Repeat("x", 257), "02139")
	require.ErrorIs(t, err, policy.ErrUnreadable)
	got, err = policy.NormalizeAddress("12-b", "N. "+spell("5", '٠')+"th Ave", "10001")
	require.NoError(t, err)
	assert.Equal(t, "12B|NORTH 5TH AVENUE|10001", got)
	for _, bad := range [][3]string{
		{"", "Main St", "02139"}, {"x", "Main St", "02139"}, {"0", "Main St", "02139"}, {"1234567890123", "Main St", "02139"},
		{"123", "", "02139"}, {"123", "...", "02139"}, // a city alone is no address: there is no street
		{"123", "Main St", ""}, {"123", "Main St", "0213"}, {"123", "Main St", "021391"}, {"123", "Main St", "2139x"},
	} {
		_, err := policy.NormalizeAddress(bad[0], bad[1], bad[2])
		require.ErrorIs(t, err, policy.ErrUnreadable, bad)
	}
}

func TestNormalizeHouseZIP(t *testing.T) {
	got, err := policy.NormalizeHouseZIP("123", "02139")
	require.NoError(t, err)
	assert.Equal(t, "123|02139", got)
	_, err = policy.NormalizeHouseZIP("", "02139")
	require.ErrorIs(t, err, policy.ErrUnreadable)
	_, err = policy.NormalizeHouseZIP("123", "213")
	require.ErrorIs(t, err, policy.ErrUnreadable)
}

// Unicode keeps decimal digits in runs of ten that begin with zero; the
// normalisers stand on that.
func TestDigitRuns(t *testing.T) {
	for _, r := range unicode.Nd.R16 {
		assert.EqualValues(t, 1, r.Stride)
		assert.Zero(t, (r.Hi-r.Lo+1)%10)
	}
	for _, r := range unicode.Nd.R32 {
		assert.EqualValues(t, 1, r.Stride)
		assert.Zero(t, (r.Hi-r.Lo+1)%10)
	}
}

// What was given is never in an error.
func TestNormaliserErrorsQuoteNothing(t *testing.T) {
	_, err := policy.NormalizeBirthDate("99999999", today)
	assert.NotContains(t, err.Error(), "99")
	_, err = policy.NormalizePhone("999999999")
	assert.NotContains(t, err.Error(), "99")
	_, err = policy.NormalizeIdentifier("99#")
	assert.NotContains(t, err.Error(), "99")
	_, err = policy.NormalizeAddress("9", "", "99999")
	assert.NotContains(t, err.Error(), "99")
}

func TestAreaCodeState(t *testing.T) {
	for number, want := range map[string]string{
		"+13105550123": "CA", "+12125550123": "NY", "+12065550123": "WA", "+17875550123": "PR",
		"+18005550123": "", "+14165550123": "", "+15555550123": "", // toll-free, Canada, nobody's
		"3105550123": "", "+493105550123": "", "": "", "+131055501": "",
	} {
		assert.Equal(t, want, policy.AreaCodeState(number), number)
	}
}

func TestOnePartyState(t *testing.T) {
	for _, s := range []string{"TX", "NY", "DC", "PR"} {
		assert.True(t, policy.OnePartyState(s), s)
	}
	for _, s := range []string{"CA", "CT", "DE", "FL", "IL", "MD", "MA", "MI", "MT", "NV", "NH", "OR", "PA", "WA", "", "XX", "ON", "ny", "New York", "A "} {
		assert.False(t, policy.OnePartyState(s), s)
	}
}

func TestEmergencyNumber(t *testing.T) {
	for _, s := range []string{"911", "933", "988", "9911", "9933", "9988", "9 1 1", "(911)", "911#", " 911 ", "９１１", "9–1–1"} {
		assert.True(t, policy.EmergencyNumber(s), s)
	}
	for _, s := range []string{"", "91", "9111", "8911", "99911", "911911", "#911", "*911", "112", "+1911", "911\x00", string(make([]byte, 100))} {
		assert.False(t, policy.EmergencyNumber(s), s)
	}
}

func FuzzNormalizers(f *testing.F) {
	for _, s := range []string{"02292000", "617-555-0123", "mrn-00123", "٠١٠٢١٩٨٠", "tel:+1", "\xff\xfe", "123|02139", "𝟎𝟏", "ß", "ﬁ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := policy.NormalizeBirthDate(s, today); err == nil {
			_, perr := time.Parse(time.DateOnly, d)
			require.NoError(t, perr)
			again, err := policy.NormalizeISODate(d, today)
			require.NoError(t, err)
			require.Equal(t, d, again)
		} else {
			require.ErrorIs(t, err, policy.ErrUnreadable)
		}
		if d, err := policy.NormalizeISODate(s, today); err == nil {
			p, perr := time.Parse(time.DateOnly, d)
			require.NoError(t, perr)
			require.Equal(t, d, p.Format(time.DateOnly))
		} else if p, perr := time.Parse(time.DateOnly, s); perr == nil {
			require.True(t, p.Year() < 1800 || p.After(today), s)
		}
		canonical(t, s, policy.NormalizePhone)
		canonical(t, s, policy.NormalizeIdentifier)
		_, _ = policy.NormalizeAddress(s, s, s)
		_, _ = policy.NormalizeHouseZIP(s, s)
		policy.EmergencyNumber(s)
		policy.AreaCodeState(s)
	})
}

// canonical: the form of a form is itself.
func canonical(t *testing.T, s string, normalise func(string) (string, error)) {
	t.Helper()
	one, err := normalise(s)
	if err != nil {
		require.ErrorIs(t, err, policy.ErrUnreadable)
		return
	}
	two, err := normalise(one)
	require.NoError(t, err)
	require.Equal(t, one, two)
}
