package config

import (
	"reflect"
	"slices"
	"strings"
)

// section is one mapping of the file: the names it knows, and the sections among them.
type section struct {
	names    []string
	sections map[string]*section
	free     bool // any name goes; the checks look at them
}

var schema = sectionOf(reflect.TypeFor[Config]())

func sectionOf(t reflect.Type) *section {
	s := &section{sections: map[string]*section{}}
	for f := range t.Fields() {
		if !f.IsExported() {
			continue
		}
		name := f.Tag.Get("mapstructure")
		s.names = append(s.names, name)
		switch f.Type.Kind() {
		case reflect.Struct:
			s.sections[name] = sectionOf(f.Type)
		case reflect.Map:
			s.sections[name] = &section{free: true}
		}
	}
	return s
}

// AllKeys lists every key that takes a value, dotted, in the order of the file. prompts.voices is one key.
func AllKeys() []string { return schema.leaves("") }

func (s *section) leaves(prefix string) []string {
	var all []string
	for _, name := range s.names {
		if sub := s.sections[name]; sub != nil && !sub.free {
			all = append(all, sub.leaves(prefix+name+".")...)
			continue
		}
		all = append(all, prefix+name)
	}
	return all
}

// EnvName is the environment variable that overrides a key.
func EnvName(key string) string {
	return "CALLWARD_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// nearest is the known name most like an unknown one, or "" when none is like it.
func nearest(name string, known []string) string {
	best, bestAt := "", 3
	for _, k := range known {
		if d := distance(strings.ToLower(name), k); d < bestAt && d < len(k)/2+1 {
			best, bestAt = k, d
		}
	}
	return best
}

// distance is the number of single-letter edits between two short names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + slices.Min([]int{diagonal, row[j], row[j+1]})
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
