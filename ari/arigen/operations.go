package main

import (
	"bytes"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/callward/callward/ari/arigen/spec"
)

// operations writes the requests of one resource.
func (g *generator) operations(b *bytes.Buffer, r spec.Resource) {
	if uses(r, func(o spec.Operation) bool { return o.Upgrade }) {
		b.WriteString("import (\n\"context\"\n\n\"github.com/coder/websocket\"\n)\n\n")
	} else {
		b.WriteString("import \"context\"\n\n")
	}
	group := goName(r.Name) + "API"
	fmt.Fprintf(b, "// %s is the requests of Asterisk's %s resource.\ntype %s struct{ do doer }\n\n", group, r.Name, group)
	for _, o := range r.Operations {
		g.operation(b, group, o)
	}
}

func uses(r spec.Resource, is func(spec.Operation) bool) bool {
	for _, o := range r.Operations {
		if is(o) {
			return true
		}
	}
	return false
}

func (g *generator) operation(b *bytes.Buffer, group string, o spec.Operation) {
	method := goName(o.Nickname)
	request := goName(o.Resource) + method
	arg := ""
	if len(o.Params) > 0 {
		arg = ", r " + request
		fmt.Fprintf(b, "// %s is the arguments of %s.%s.\ntype %s struct {\n", request, group, method, request)
		for _, p := range inOrder(o.Params) {
			fmt.Fprintf(b, "%s %s%s\n", goName(p.Name), paramType(o, p), paramNote(p))
		}
		b.WriteString("}\n\n")
	}
	fmt.Fprintf(b, "// %s asks %s %s.%s\n", method, o.Method, o.Path, statuses(o.Errors))
	result, zero := g.result(o)
	fmt.Fprintf(b, "func (a %s) %s(ctx context.Context%s) %s {\n", group, method, arg, result)
	fmt.Fprintf(b, "q := newRequest(%q, %q)\n", o.Name(), o.Method)
	g.path(b, o)
	for _, p := range inOrder(o.Params) {
		g.param(b, p)
	}
	switch {
	case o.Upgrade:
		b.WriteString("return a.do.upgrade(ctx, q)\n")
	case o.Returns == "void":
		b.WriteString("return a.do.do(ctx, q, nil)\n")
	case o.Returns == "binary":
		b.WriteString("return a.do.raw(ctx, q)\n")
	case strings.HasPrefix(o.Returns, "List["):
		fmt.Fprintf(b, "var out %s\nerr := a.do.do(ctx, q, &out)\nreturn out, err\n", zero)
	default:
		fmt.Fprintf(b, "out := new(%s)\nif err := a.do.do(ctx, q, out); err != nil {\nreturn nil, err\n}\nreturn out, nil\n", zero)
	}
	b.WriteString("}\n\n")
}

func (g *generator) result(o spec.Operation) (result, typ string) {
	switch {
	case o.Upgrade:
		return "(*websocket.Conn, error)", ""
	case o.Returns == "void":
		return "error", ""
	case o.Returns == "binary":
		return "([]byte, error)", ""
	}
	if inner, ok := strings.CutPrefix(o.Returns, "List["); ok {
		typ = "[]" + typeName(strings.TrimSuffix(inner, "]"))
		return "(" + typ + ", error)", typ
	}
	typ = typeName(o.Returns)
	return "(*" + typ + ", error)", typ
}

func (g *generator) path(b *bytes.Buffer, o spec.Operation) {
	for rest := o.Path; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			fmt.Fprintf(b, "q.fixed(%q)\n", rest)
			return
		}
		end := strings.IndexByte(rest, '}')
		if open > 0 {
			fmt.Fprintf(b, "q.fixed(%q)\n", rest[:open])
		}
		name := rest[open+1 : end]
		fmt.Fprintf(b, "q.id(%q, r.%s)\n", name, goName(name))
		rest = rest[end+1:]
	}
}

func (g *generator) param(b *bytes.Buffer, p spec.Param) {
	field := "r." + goName(p.Name)
	switch {
	case p.In == "path":
	case p.In == "body" && p.Name == "filter":
		fmt.Fprintf(b, "q.whole(%s)\n", field)
	case p.In == "body" && p.Name == "fields":
		fmt.Fprintf(b, "q.fields(%q, %s)\n", p.Name, field)
	case p.In == "body":
		fmt.Fprintf(b, "q.member(%q, %s)\n", p.Name, field)
	case p.Multiple && privateParams[p.Name]:
		fmt.Fprintf(b, "q.privateList(%q, %s, %t)\n", p.Name, field, p.Required)
	case p.Multiple:
		fmt.Fprintf(b, "q.list(%q, %s, %t)\n", p.Name, field, p.Required)
	case p.Type == "boolean":
		fmt.Fprintf(b, "q.flag(%q, %s)\n", p.Name, field)
	case p.Type == "int" || p.Type == "long":
		if p.Type == "int" {
			field = "int64(" + field + ")"
		}
		fmt.Fprintf(b, "q.number(%q, %s, %t)\n", p.Name, field, p.Required)
	case privateParams[p.Name]:
		fmt.Fprintf(b, "q.private(%q, %s, %t)\n", p.Name, field, p.Required)
	default:
		fmt.Fprintf(b, "q.text(%q, %s, %t)\n", p.Name, field, p.Required)
	}
}

func paramType(o spec.Operation, p spec.Param) string {
	switch {
	case p.In == "body" && p.Name == "filter":
		return "[]byte"
	case p.In == "body" && p.Name == "fields":
		return "[]ConfigTuple"
	case p.In == "body":
		return "Vars"
	case p.Multiple && privateParams[p.Name]:
		return "[]Private"
	case p.Multiple:
		return "[]string"
	case p.Type == "boolean":
		return "bool"
	case p.Type == "int":
		return "int"
	case p.Type == "long":
		return "int64"
	case privateParams[p.Name] && p.In == "query":
		return "Private"
	}
	return "string"
}

func paramNote(p spec.Param) string {
	note := strings.TrimPrefix(allowed(p.Allowed, p.Default), " // ")
	need := "required"
	if !p.Required {
		need = "optional"
	}
	if note != "" {
		need += "; " + note
	}
	return " // " + need
}

func inOrder(ps []spec.Param) []spec.Param {
	ps = append([]spec.Param(nil), ps...)
	sort.SliceStable(ps, func(i, j int) bool { return rank(ps[i]) < rank(ps[j]) })
	return ps
}

func rank(p spec.Param) int {
	switch {
	case p.In == "path":
		return 0
	case p.Required:
		return 1
	}
	return 2
}

func statuses(codes []int) string {
	if len(codes) == 0 {
		return ""
	}
	var words []string
	for _, c := range codes {
		words = append(words, strconv.Itoa(c))
	}
	return " Asterisk documents the errors " + strings.Join(words, ", ") + "."
}
