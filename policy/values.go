package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// YesNo is a fact that may be unknown. It is used where a missing "no" must
// not pass for a "no"; any other value than Yes and No is unknown.
type YesNo string

// The values of YesNo.
const (
	Yes YesNo = "yes"
	No  YesNo = "no"
)

// YesIf turns a bool that is known into a fact.
func YesIf(b bool) YesNo {
	if b {
		return Yes
	}
	return No
}

func (v YesNo) known() bool { return v == Yes || v == No }

// Count is a number of things that may be unknown. The zero value is unknown,
// which is not zero. JSON: a number, or absent.
type Count struct{ plus1 uint32 }

// CountOf makes a known count; a negative or absurd number stays unknown.
func CountOf(n int) Count {
	if n < 0 || n >= math.MaxInt32 {
		return Count{}
	}
	return Count{plus1: uint32(n) + 1}
}

// Value returns the count and whether it is known.
func (c Count) Value() (n int, known bool) {
	if c.plus1 == 0 {
		return 0, false
	}
	return int(c.plus1 - 1), true
}

func (c Count) known() bool { return c.plus1 != 0 }

// n is the count; callers have made sure that it is known.
func (c Count) n() int { v, _ := c.Value(); return v }

// String returns the number, or "unknown".
func (c Count) String() string {
	if v, ok := c.Value(); ok {
		return strconv.Itoa(v)
	}
	return "unknown"
}

// MarshalJSON writes the number, or null when unknown.
func (c Count) MarshalJSON() ([]byte, error) {
	v, ok := c.Value()
	if !ok {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(v), 10), nil
}

// UnmarshalJSON reads a number; null stays unknown, a negative is an error.
func (c *Count) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	n, err := strconv.Atoi(string(b))
	if err != nil {
		return fmt.Errorf("%w: a count must be a whole number", ErrMalformed)
	}
	*c = CountOf(n)
	if !c.known() {
		return fmt.Errorf("%w: a count is out of range", ErrMalformed)
	}
	return nil
}

// Span is a length of time that may be unknown. The zero value is unknown,
// which is not zero. JSON: a Go duration such as "9m59s", or absent.
type Span struct {
	d     time.Duration
	known bool
}

// SpanOf makes a known span; a negative length stays unknown.
func SpanOf(d time.Duration) Span {
	if d < 0 {
		return Span{}
	}
	return Span{d: d, known: true}
}

// Value returns the length and whether it is known.
func (s Span) Value() (time.Duration, bool) { return s.d, s.known }

// String returns the duration, or "unknown".
func (s Span) String() string {
	if !s.known {
		return "unknown"
	}
	return s.d.String()
}

// MarshalJSON writes the duration as a string, or null when unknown.
func (s Span) MarshalJSON() ([]byte, error) {
	if !s.known {
		return []byte("null"), nil
	}
	return json.Marshal(s.d.String())
}

// UnmarshalJSON reads a duration string; null stays unknown.
func (s *Span) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%w: a span must be a duration such as 90s", ErrMalformed)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("%w: a span must be a duration such as 90s", ErrMalformed)
	}
	*s = SpanOf(d)
	return nil
}
