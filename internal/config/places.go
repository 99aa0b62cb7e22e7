package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"
)

// places knows where each key was written.
type places struct {
	name  string
	lines map[string]int
	env   map[string]string
}

func (p places) whole(line int, problem, mend string) *Error {
	return &Error{Source: p.name, Line: line, Problem: problem, Mend: mend}
}

// at makes an error about a key, placed at the environment variable or the line that gave the value, or
// at the nearest section around it when the file does not mention it.
func (p places) at(key, problem, mend string) *Error {
	if name, ok := p.env[key]; ok {
		return &Error{Source: name, Key: key, Problem: problem, Mend: mend}
	}
	e := &Error{Source: p.name, Key: key, Problem: problem, Mend: mend}
	for k := key; ; {
		if line, ok := p.lines[k]; ok {
			e.Line = line
			return e
		}
		i := strings.LastIndexAny(k, ".[")
		if i < 0 {
			return e
		}
		k = k[:i]
	}
}

func (p places) sort(errs Errors) Errors {
	slices.SortStableFunc(errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	return errs
}

// walk notes the line of every key and finds what the schema does not know.
func (p places) walk(doc *yaml.Node) Errors {
	if len(doc.Content) == 0 {
		return nil
	}
	var errs Errors
	p.mapping(doc.Content[0], "", schema, &errs)
	return errs
}

func (p places) mapping(n *yaml.Node, prefix string, s *section, errs *Errors) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		*errs = append(*errs, &Error{Source: p.name, Line: n.Line, Key: strings.TrimSuffix(prefix, "."),
			Problem: "is not a section of keys", Mend: "write keys under it, indented by two spaces"})
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		full := prefix + key.Value
		known := s.free || slices.Contains(s.names, key.Value)
		_, twice := p.lines[full]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			*errs = append(*errs, &Error{Source: p.name, Line: key.Line, Key: full, Problem: "is not a key", Mend: p.mendUnknown(key.Value, prefix, s)})
			continue
		case twice:
			*errs = append(*errs, &Error{Source: p.name, Line: key.Line, Key: full,
				Problem: fmt.Sprintf("is written twice, first in line %d", p.lines[full]), Mend: "remove one"})
			continue
		case value.Kind == yaml.AliasNode:
			*errs = append(*errs, &Error{Source: p.name, Line: value.Line, Key: full, Problem: "is an alias", Mend: "write the value out"})
			continue
		}
		p.lines[full] = key.Line
		if sub := s.sections[key.Value]; sub != nil {
			p.mapping(value, full+".", sub, errs)
			continue
		}
		if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
			*errs = append(*errs, &Error{Source: p.name, Line: key.Line, Key: full, Problem: "has no value", Mend: `write one, "" for none, or remove the key`})
		}
	}
}

var secretName = regexp.MustCompile(`(?i)password|passwd|secret|token|passphrase`)

func (p places) mendUnknown(name, prefix string, s *section) string {
	if secretName.MatchString(name) && !strings.HasSuffix(name, "_file") {
		return "no secret belongs here: put it into a file with mode 0600 and name that file in asterisk.ari.password_file"
	}
	if like := nearest(name, s.names); like != "" {
		return "did you mean " + like + "?"
	}
	if len(s.names) == 0 {
		return "remove it"
	}
	where := "known here"
	if prefix != "" {
		where = "known in " + strings.TrimSuffix(prefix, ".")
	}
	return where + ": " + strings.Join(s.names, ", ")
}

var yamlLine = regexp.MustCompile(`line ([0-9]+): (.*)`)

// syntax turns what the YAML parser says into an error of ours.
func (p places) syntax(err error) *Error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	return p.whole(line, "is not YAML: "+text, "check the indentation (spaces, no tabs) and the quotes near this line")
}

// decodeErrors flattens what mapstructure found into errors with keys and lines.
func (p places) decodeErrors(err error) Errors {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var errs Errors
		for _, one := range many.Unwrap() {
			errs = append(errs, p.decodeErrors(one)...)
		}
		return errs
	}
	var inner interface{ Unwrap() []error }
	if errors.As(err, &inner) {
		return p.decodeErrors(inner.(error))
	}
	return Errors{p.decodeError(err)}
}

const compare = `compare it with the sample: callward init --print-sample`

func (p places) decodeError(err error) *Error {
	var de *mapstructure.DecodeError
	if !errors.As(err, &de) {
		return p.whole(0, err.Error(), compare)
	}
	key := strings.TrimSuffix(de.Name(), "[]")
	var pr problem
	if errors.As(err, &pr) {
		return p.at(key, pr.what, pr.mend)
	}
	if slices.Contains(listKeys, key) {
		return p.at(key, "is not a list", "write it in square brackets: [a, b]")
	}
	var ut *mapstructure.UnconvertibleTypeError
	if errors.As(err, &ut) && ut.Expected.Kind() == reflect.String {
		return p.at(key, "is "+kindOf(ut.Value)+", not text", "put it in quotes")
	}
	return p.at(key, de.Unwrap().Error(), compare)
}

func kindOf(v any) string {
	switch v.(type) {
	case time.Time:
		return "a date"
	case bool:
		return "yes or no"
	case map[string]any:
		return "a section"
	case []any:
		return "a list"
	}
	return "a number"
}
