package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// ErrUnreadable is wrapped by every normaliser: what was given is no value of
// its kind. That is not a mismatch (identity.match.normalise). The errors never
// quote what was given.
var ErrUnreadable = errors.New("policy: unreadable")

func unreadable(why string) error { return fmt.Errorf("%w: %s", ErrUnreadable, why) }

// NormalizeBirthDate reads eight digits in the order MMDDYYYY, as keyed, and
// returns YYYY-MM-DD. Two-digit years, dates that do not exist and dates after
// today are ErrUnreadable; day and month are never swapped to fit. Separators
// are not understood, decimal digits of any script are. Of today only the date
// counts, in its own location.
func NormalizeBirthDate(keys string, today time.Time) (string, error) {
	digits, ok := onlyDigits(keys, 8)
	if !ok || len(digits) != 8 {
		return "", unreadable("a birth date is eight digits: month, day, year")
	}
	date := digits[4:] + "-" + digits[:2] + "-" + digits[2:4]
	return notAfter(date, today)
}

// NormalizeISODate reads YYYY-MM-DD, as records and imports write it, under the
// same rules as NormalizeBirthDate.
func NormalizeISODate(date string, today time.Time) (string, error) {
	return notAfter(date, today)
}

func notAfter(date string, today time.Time) (string, error) {
	if !isDate(date) {
		return "", unreadable("there is no such date")
	}
	if date > today.Format(time.DateOnly) {
		return "", unreadable("the date is in the future")
	}
	return date, nil
}

// isDate says whether s is a date of the calendar from 1800 on, as YYYY-MM-DD.
func isDate(s string) bool {
	if len(s) != len(time.DateOnly) || s[4] != '-' || s[7] != '-' || s < "1800" {
		return false
	}
	year, month, dayOf := number(s[:4]), number(s[5:7]), number(s[8:])
	return year >= 1800 && month >= 1 && month <= 12 && dayOf >= 1 && dayOf <= daysIn(year, month)
}

// number reads ASCII digits; anything else is below zero.
func number(s string) int {
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// NormalizePhone returns the E.164 form (+1 and ten digits) of a number of the
// North American Numbering Plan, written with or without +1, 1 and the usual
// separators. Every other number is ErrUnreadable: another country's, one with
// an extension, a wrong length, or an area or exchange code that cannot be.
func NormalizePhone(number string) (string, error) {
	s := strings.TrimSpace(number)
	plus := false
	for _, p := range []string{"tel:", "+", "\uff0b"} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			s, plus = rest, plus || p != "tel:"
		}
	}
	digits, ok := separated(s, " -.()/\u00a0\u2010\u2011\u2013", 11)
	if !ok {
		return "", unreadable("a phone number is ten digits")
	}
	if len(digits) == 11 && digits[0] == '1' {
		digits = digits[1:]
	} else if plus {
		return "", unreadable("a number outside the North American plan")
	}
	if len(digits) != 10 || !nanp(digits) {
		return "", unreadable("no number of the North American plan")
	}
	return "+1" + digits, nil
}

// nanp: NXX-NXX-XXXX; neither code begins with 0 or 1 or is a service code.
func nanp(d string) bool {
	service := func(c string) bool { return c[1] == '1' && c[2] == '1' }
	return d[0] >= '2' && d[3] >= '2' && !service(d[:3]) && !service(d[3:6]) && d[1] != '9'
}

// NormalizeIdentifier returns the canonical form of a record, member or account
// number: letters in upper case, digits in ASCII, dashes and spaces gone.
// Anything else in it, or nothing at all, is ErrUnreadable.
func NormalizeIdentifier(id string) (string, error) {
	var b strings.Builder
	for _, r := range id {
		d, digit := digitValue(r)
		switch {
		case digit:
			b.WriteByte(d)
		case r == '_' || r == '/' || r == '.':
			b.WriteRune(r)
		case unicode.IsLetter(r):
			b.WriteString(strings.ToUpper(string(foldWidth(r))))
		case unicode.Is(unicode.Dash, r) || unicode.IsSpace(r):
		default:
			return "", unreadable("a number on file has letters and digits")
		}
	}
	if b.Len() == 0 || b.Len() > 128 {
		return "", unreadable("a number on file has 1 to 128 characters")
	}
	return b.String(), nil
}

// NormalizeAddress returns the canonical form of an address, house number,
// street and the five digits of its ZIP: "123|MAIN STREET|02139". All three are
// needed; a city alone is no address. Common abbreviations of the street's
// words are written out.
func NormalizeAddress(number, street, zip string) (string, error) {
	n, err := houseNumber(number)
	if err != nil {
		return "", err
	}
	z, err := zip5(zip)
	if err != nil {
		return "", err
	}
	words := strings.FieldsFunc(strings.ToUpper(street), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for i, w := range words {
		w = asciiDigits(w)
		if long, ok := streetWords[w]; ok {
			w = long
		}
		words[i] = w
	}
	if len(words) == 0 || len(street) > 256 {
		return "", unreadable("an address has a street")
	}
	return n + "|" + strings.Join(words, " ") + "|" + z, nil
}

// NormalizeHouseZIP returns the canonical form of house number and ZIP, as a
// keypad can give it: "123|02139".
func NormalizeHouseZIP(number, zip string) (string, error) {
	n, err := houseNumber(number)
	if err != nil {
		return "", err
	}
	z, err := zip5(zip)
	if err != nil {
		return "", err
	}
	return n + "|" + z, nil
}

// streetWords writes out the abbreviations that people and imports use.
var streetWords = map[string]string{
	"ST": "STREET", "STR": "STREET", "AVE": "AVENUE", "AV": "AVENUE", "RD": "ROAD", "DR": "DRIVE",
	"LN": "LANE", "BLVD": "BOULEVARD", "CT": "COURT", "PL": "PLACE", "SQ": "SQUARE", "TER": "TERRACE",
	"PKWY": "PARKWAY", "HWY": "HIGHWAY", "CIR": "CIRCLE", "N": "NORTH", "S": "SOUTH", "E": "EAST", "W": "WEST",
	"NE": "NORTHEAST", "NW": "NORTHWEST", "SE": "SOUTHEAST", "SW": "SOUTHWEST",
}

// houseNumber keeps digits and letters ("12B"), without leading zeros.
func houseNumber(s string) (string, error) {
	n, err := NormalizeIdentifier(s)
	n = strings.TrimLeft(n, "0")
	if err != nil || n == "" || n[0] < '1' || n[0] > '9' || len(n) > 12 {
		return "", unreadable("a house number begins with a digit")
	}
	return n, nil
}

// zip5 reads a ZIP code of five digits, or ZIP+4, of which five are kept.
func zip5(s string) (string, error) {
	digits, ok := separated(s, " -", 9)
	if !ok || len(digits) != 5 && len(digits) != 9 {
		return "", unreadable("a ZIP code is five digits")
	}
	return digits[:5], nil
}

// onlyDigits returns the ASCII form of s when it is decimal digits only, of any
// script, and at most max of them.
func onlyDigits(s string, max int) (string, bool) { return separated(s, "", max) }

// separated is onlyDigits with separators between the digits left out.
func separated(s, separators string, max int) (string, bool) {
	var b strings.Builder
	for _, r := range s {
		if d, ok := digitValue(r); ok {
			b.WriteByte(d)
		} else if !strings.ContainsRune(separators, r) {
			return "", false
		}
		if b.Len() > max {
			return "", false
		}
	}
	return b.String(), b.Len() > 0
}

func asciiDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if d, ok := digitValue(r); ok {
			return rune(d)
		}
		return r
	}, s)
}

// foldWidth turns full-width letters into their ordinary form.
func foldWidth(r rune) rune {
	if r >= '\uff21' && r <= '\uff3a' || r >= '\uff41' && r <= '\uff5a' {
		return r - 0xfee0
	}
	return r
}

// digitValue returns the ASCII digit of a decimal digit of any script. Unicode
// keeps them in runs of ten that begin with zero.
func digitValue(r rune) (byte, bool) {
	if r >= '0' && r <= '9' {
		return byte(r), true
	}
	if r < 0x80 {
		return 0, false
	}
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10), true
		}
	}
	return 0, false
}
