// Package spec reads Asterisk's description of its own REST interface
// (Swagger 1.1, served by every Asterisk under /ari/api-docs) and compares it
// with what the ari package was generated from.
//
// What lives here: the parsed description and its one-line-per-thing form.
// What never may: Go code generation (that is arigen) and a copy of Asterisk's
// own files or prose.
package spec

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"sort"
	"strings"
)

// Spec is the whole description, in the order Asterisk gives it.
type Spec struct {
	Resources []Resource
}

// Resource is one file of the description: "channels".
type Resource struct {
	Name       string
	Operations []Operation
	Models     []Model
}

// Operation is one request.
type Operation struct {
	Resource string // "channels"
	Nickname string // "answer"
	Method   string // "POST"
	Path     string // "/channels/{channelId}/answer"
	Returns  string // model, "List[Model]", "void", "binary"
	Params   []Param
	Errors   []int // documented statuses, ascending
	Upgrade  bool  // becomes a WebSocket
}

// Name is resource and nickname: "channels.answer".
func (o Operation) Name() string { return o.Resource + "." + o.Nickname }

// Param is one parameter of an operation.
type Param struct {
	Name     string
	In       string // "path", "query", "body"
	Type     string
	Required bool
	Multiple bool
	Default  string   // as JSON; "" when none is documented
	Allowed  []string // documented values; nil when open
}

// Model is one object type.
type Model struct {
	Name       string
	SubTypes   []string
	Properties []Property // sorted by name
}

// Property is one member of a model.
type Property struct {
	Name     string
	Type     string
	Required bool
	Allowed  []string
}

// Fetch returns one file of the description, "resources.json" for example.
type Fetch func(ctx context.Context, file string) ([]byte, error)

// Load reads the description through fetch.
func Load(ctx context.Context, fetch Fetch) (*Spec, error) {
	b, err := fetch(ctx, "resources.json")
	if err != nil {
		return nil, fmt.Errorf("ari description: %w", err)
	}
	var index struct {
		APIs []struct{ Path string }
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("ari description: resources.json: %w", err)
	}
	s := &Spec{}
	for _, a := range index.APIs {
		file := strings.ReplaceAll(path.Base(a.Path), "{format}", "json")
		b, err := fetch(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("ari description: %w", err)
		}
		r, err := parse(strings.TrimSuffix(file, ".json"), b)
		if err != nil {
			return nil, fmt.Errorf("ari description: %s: %w", file, err)
		}
		s.Resources = append(s.Resources, r)
	}
	sort.Slice(s.Resources, func(i, j int) bool { return s.Resources[i].Name < s.Resources[j].Name })
	return s, nil
}

type swagger struct {
	APIs []struct {
		Path       string
		Operations []struct {
			HTTPMethod     string
			Nickname       string
			ResponseClass  string
			Upgrade        string
			Parameters     []swaggerParam
			ErrorResponses []struct{ Code json.RawMessage }
		}
	}
	Models map[string]struct {
		SubTypes   []string
		Properties map[string]struct {
			Type            string
			Required        bool
			AllowableValues *swaggerValues
		}
	}
}

type swaggerParam struct {
	Name, ParamType, DataType string
	Required, AllowMultiple   bool
	DefaultValue              json.RawMessage
	AllowableValues           *swaggerValues
}

type swaggerValues struct{ Values []string }

func (v *swaggerValues) list() []string {
	if v == nil {
		return nil
	}
	return v.Values
}

func parse(name string, b []byte) (Resource, error) {
	var doc swagger
	if err := json.Unmarshal(b, &doc); err != nil {
		return Resource{}, err
	}
	r := Resource{Name: name}
	for _, a := range doc.APIs {
		for _, o := range a.Operations {
			op := Operation{Resource: name, Nickname: o.Nickname, Method: o.HTTPMethod, Path: a.Path,
				Returns: o.ResponseClass, Upgrade: o.Upgrade != ""}
			for _, p := range o.Parameters {
				op.Params = append(op.Params, Param{Name: p.Name, In: p.ParamType, Type: p.DataType,
					Required: p.Required || p.ParamType == "path", Multiple: p.AllowMultiple,
					Default: string(p.DefaultValue), Allowed: p.AllowableValues.list()})
			}
			for _, e := range o.ErrorResponses {
				var code int
				// Some operations give the status as a string.
				if _, err := fmt.Sscanf(strings.Trim(string(e.Code), `"`), "%d", &code); err != nil {
					return Resource{}, fmt.Errorf("%s: status %s: %w", o.Nickname, e.Code, err)
				}
				op.Errors = append(op.Errors, code)
			}
			sort.Ints(op.Errors)
			r.Operations = append(r.Operations, op)
		}
	}
	for name, m := range doc.Models {
		model := Model{Name: name, SubTypes: m.SubTypes}
		for name, p := range m.Properties {
			model.Properties = append(model.Properties, Property{name, p.Type, p.Required, p.AllowableValues.list()})
		}
		sort.Slice(model.Properties, func(i, j int) bool { return model.Properties[i].Name < model.Properties[j].Name })
		sort.Strings(model.SubTypes)
		r.Models = append(r.Models, model)
	}
	sort.Slice(r.Models, func(i, j int) bool { return r.Models[i].Name < r.Models[j].Name })
	return r, nil
}

// Models is every model of every resource, by name.
func (s *Spec) Models() map[string]Model {
	all := map[string]Model{}
	for _, r := range s.Resources {
		for _, m := range r.Models {
			all[m.Name] = m
		}
	}
	return all
}

// Describe gives each operation and model as one line, sorted. Two
// descriptions with the same lines generate the same code.
func (s *Spec) Describe() []string {
	var lines []string
	for _, r := range s.Resources {
		for _, o := range r.Operations {
			words := []string{"operation " + o.Name(), o.Method, o.Path}
			for _, p := range o.Params {
				words = append(words, p.In+":"+p.Name+"="+p.Type+mark(p.Required, "!")+mark(p.Multiple, "*"))
			}
			lines = append(lines, strings.Join(append(words, "->", o.Returns+mark(o.Upgrade, " (websocket)")), " "))
		}
		for _, m := range r.Models {
			words := []string{"model " + m.Name}
			if len(m.SubTypes) > 0 {
				words = append(words, "<"+strings.Join(m.SubTypes, ",")+">")
			}
			for _, p := range m.Properties {
				words = append(words, p.Name+"="+p.Type+mark(p.Required, "!"))
			}
			lines = append(lines, strings.Join(words, " "))
		}
	}
	sort.Strings(lines)
	return lines
}

func mark(on bool, s string) string {
	if on {
		return s
	}
	return ""
}

// Diff tells what differs between the lines the code was generated from and
// those of another Asterisk, one finding a line; nothing when they agree.
func Diff(generated, running []string) []string {
	was, is := index(generated), index(running)
	var out []string
	for _, key := range keys(was, is) {
		a, inA := was[key]
		b, inB := is[key]
		switch {
		case !inB:
			out = append(out, key+": in our code, not in the running Asterisk")
		case !inA:
			out = append(out, key+": in the running Asterisk, not in our code")
		case a != b:
			out = append(out, key+": "+words(a, b))
		}
	}
	return out
}

func index(lines []string) map[string]string {
	m := make(map[string]string, len(lines))
	for _, l := range lines {
		kind, rest, _ := strings.Cut(l, " ")
		name, rest, _ := strings.Cut(rest, " ")
		m[kind+" "+name] = rest
	}
	return m
}

func keys(ms ...map[string]string) []string {
	seen := map[string]bool{}
	var out []string
	for _, m := range ms {
		for k := range m {
			if !seen[k] {
				seen[k] = true
				out = append(out, k)
			}
		}
	}
	sort.Strings(out)
	return out
}

// words tells which words of two lines differ.
func words(a, b string) string {
	count := map[string]int{}
	for _, w := range strings.Fields(a) {
		count[w]++
	}
	for _, w := range strings.Fields(b) {
		count[w]--
	}
	var ours, theirs []string
	for w, n := range count {
		switch {
		case n > 0:
			ours = append(ours, w)
		case n < 0:
			theirs = append(theirs, w)
		}
	}
	if len(ours)+len(theirs) == 0 {
		return "same words in another order"
	}
	sort.Strings(ours)
	sort.Strings(theirs)
	return fmt.Sprintf("our code has [%s], the running Asterisk has [%s]", strings.Join(ours, " "), strings.Join(theirs, " "))
}
