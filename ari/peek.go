package ari

import "bytes"

// eventType finds the value of the outermost "type" member without decoding
// the rest, so that a message is decoded once, into the right struct.
func eventType(b []byte) (string, bool) {
	s := scanner{b: b}
	if !s.take('{') {
		return "", false
	}
	for !s.take('}') {
		key, ok := s.text()
		if !ok || !s.take(':') {
			return "", false
		}
		if string(key) == "type" {
			name, ok := s.text()
			if !ok || len(name) == 0 || bytes.IndexByte(name, '\\') >= 0 {
				return "", false
			}
			return string(name), true
		}
		if !s.skip() {
			return "", false
		}
		if !s.take(',') && (s.i >= len(b) || b[s.i] != '}') {
			return "", false
		}
	}
	return "", false
}

type scanner struct {
	b []byte
	i int
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\n' || s.b[s.i] == '\r') {
		s.i++
	}
}

// take steps over one punctuation mark and the space around it.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i >= len(s.b) || s.b[s.i] != c {
		return false
	}
	s.i++
	s.space()
	return true
}

// text returns what stands between two quotation marks, escapes as they are.
func (s *scanner) text() ([]byte, bool) {
	s.space()
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return nil, false
	}
	start := s.i + 1
	for i := start; i < len(s.b); i++ {
		switch s.b[i] {
		case '\\':
			i++
		case '"':
			s.i = i + 1
			return s.b[start:i], true
		}
	}
	return nil, false
}

// skip steps over one value of any kind.
func (s *scanner) skip() bool {
	s.space()
	if s.i >= len(s.b) {
		return false
	}
	switch s.b[s.i] {
	case '"':
		_, ok := s.text()
		return ok
	case '{', '[':
		for depth := 0; s.i < len(s.b); {
			switch s.b[s.i] {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			case '"':
				if _, ok := s.text(); !ok {
					return false
				}
				continue
			}
			s.i++
			if depth == 0 {
				return true
			}
		}
		return false
	}
	for s.i < len(s.b) && !bytes.ContainsRune([]byte(",}] \t\r\n"), rune(s.b[s.i])) {
		s.i++
	}
	return true
}
