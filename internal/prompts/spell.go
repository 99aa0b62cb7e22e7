package prompts

import (
	"strings"
	"unicode"
)

// clean makes a value safe to speak: one line, no markup, at most 100 characters.
func clean(value string) string {
	value = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), strings.ContainsRune("<>{}[]|\\", r):
			return -1
		}
		return r
	}, value)
	value = strings.Join(strings.Fields(value), " ")
	if r := []rune(value); len(r) > 100 {
		value = strings.TrimSpace(string(r[:100]))
	}
	return value
}

// spell writes a telephone number so that a voice reads it digit by digit with a
// pause between groups: "+15550100199" becomes "5 5 5, 0 1 0, 0 1 9 9". North
// American numbers are grouped 3-3-4 without the country code, others in threes.
func spell(number string) string {
	var digits []string
	for _, r := range number {
		if r >= '0' && r <= '9' {
			digits = append(digits, string(r))
		}
	}
	if len(digits) == 11 && digits[0] == "1" {
		digits = digits[1:]
	}
	sizes := []int{3, 3, 4}
	if len(digits) != 10 {
		sizes = nil
		for n := len(digits); n > 0; n -= 3 {
			sizes = append(sizes, min(n, 3))
		}
	}
	var groups []string
	for _, n := range sizes {
		groups = append(groups, strings.Join(digits[:n], " "))
		digits = digits[n:]
	}
	return strings.Join(groups, ", ")
}
