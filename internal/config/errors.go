package config

import (
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake in a configuration: where it is, what is wrong and what mends it.
type Error struct {
	Source  string // file name or environment variable
	Line    int    // in the file; 0 when it has none
	Key     string // dotted; empty when the file as a whole is meant
	Problem string
	Mend    string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Source)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": ")
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Problem)
	if e.Mend != "" {
		b.WriteString("; " + e.Mend)
	}
	return b.String()
}

// Errors is every mistake found, one a line, in the order of the file.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each mistake to errors.As.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// about tells whether a mistake is already known for a key: one a key is enough.
func (e Errors) about(key string) bool {
	return slices.ContainsFunc(e, func(one *Error) bool { return one.Key == key })
}
