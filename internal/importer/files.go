package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type format uint8

const (
	formatCSV format = iota + 1
	formatNDJSON
	formatJSON // one resource or Bundle
)

type file struct {
	path   string
	size   int64
	format format
	// later is set by the first pass if the second has something to read.
	later bool
}

var formats = map[string]format{
	".csv": formatCSV, ".ndjson": formatNDJSON, ".jsonl": formatNDJSON, ".json": formatJSON,
}

// findFiles lists the files at paths: a file as it is, a directory's files of
// known kinds, in order of name.
func findFiles(paths []string) (files []file, size int64, err error) {
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return nil, 0, fmt.Errorf("importer: %w", err)
		}
		names := []string{path}
		if st.IsDir() {
			entries, err := os.ReadDir(path)
			if err != nil {
				return nil, 0, fmt.Errorf("importer: %w", err)
			}
			names = names[:0]
			for _, e := range entries {
				if formats[strings.ToLower(filepath.Ext(e.Name()))] != 0 && !e.IsDir() {
					names = append(names, filepath.Join(path, e.Name()))
				}
			}
			slices.Sort(names)
		}
		for _, name := range names {
			f, err := lookAt(name)
			if err != nil {
				return nil, 0, err
			}
			files = append(files, f)
			size += f.size
		}
	}
	if len(files) == 0 {
		return nil, 0, ErrNoFiles
	}
	return files, size, nil
}

// lookAt finds a file's format: by its name, and for .json, which is used for
// lines of JSON too, by its first line.
func lookAt(path string) (file, error) {
	f := file{path: path, format: formats[strings.ToLower(filepath.Ext(path))]}
	if f.format == 0 {
		return f, fmt.Errorf("%w: %s", ErrNoFiles, path)
	}
	st, err := os.Stat(path)
	if err != nil {
		return f, fmt.Errorf("importer: %w", err)
	}
	if !st.Mode().IsRegular() {
		return f, fmt.Errorf("importer: %s is read twice, so it must be an ordinary file", path)
	}
	f.size = st.Size()
	if f.format != formatJSON {
		return f, nil
	}
	r, err := os.Open(path)
	if err != nil {
		return f, fmt.Errorf("importer: %w", err)
	}
	defer r.Close()
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return f, fmt.Errorf("importer: %w", err)
	}
	line, rest, _ := bytes.Cut(head[:n], []byte("\n"))
	if json.Valid(line) && len(bytes.TrimSpace(rest)) > 0 {
		f.format = formatNDJSON
	}
	return f, nil
}

// pass says which rows a reading is for.
type pass uint8

const (
	passPatients pass = iota + 1 // and everything wrong with a file
	passRest
)

// scan is one reading of one file.
type scan struct {
	im   *run
	ctx  context.Context
	rep  *Report
	f    *file
	pass pass
	emit func(row) error
	// alias maps the uuid of a Bundle entry to the id of its Patient.
	alias map[string]string
}

// read goes through all files twice. emit is called for every good row, between
// after each pass.
func (im *run) read(ctx context.Context, rep *Report, emit func(row) error, between func() error) error {
	alias := make(map[string]string)
	for i := range im.files {
		im.files[i].later = false
	}
	for _, p := range []pass{passPatients, passRest} {
		for i := range im.files {
			s := &scan{im: im, ctx: ctx, rep: rep, f: &im.files[i], pass: p, emit: emit, alias: alias}
			end := im.done + s.f.size
			if p == passPatients || s.f.later {
				if err := s.file(); err != nil {
					return err
				}
			}
			im.done = end
			im.o.Progress(Progress{File: s.f.path, Done: im.done, Total: im.total, Rows: im.rows})
		}
		if err := between(); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) file() error {
	f, err := os.Open(s.f.path)
	if err != nil {
		return fmt.Errorf("importer: %w", err)
	}
	defer f.Close()
	r := &metered{s: s, r: f}
	switch s.f.format {
	case formatCSV:
		err = s.csv(r)
	case formatNDJSON:
		err = s.ndjson(r)
	default:
		err = s.bundle(r)
	}
	if err != nil {
		return err
	}
	return r.err
}

// metered reports progress and stops at the end of the context. Its error is
// kept, so that a reader in between may put it as it likes.
type metered struct {
	s   *scan
	r   io.Reader
	n   int64
	err error
}

func (m *metered) Read(p []byte) (int, error) {
	if err := context.Cause(m.s.ctx); err != nil {
		m.err = err
		return 0, err
	}
	n, err := m.r.Read(p)
	m.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = fmt.Errorf("importer: %s: %w", m.s.f.path, err)
	}
	im := m.s.im
	im.o.Progress(Progress{File: m.s.f.path, Done: im.done + min(m.n, m.s.f.size), Total: im.total, Rows: im.rows})
	return n, err
}

// of tells whether this pass is for a row of that kind, and remembers that the
// second pass has work.
func (s *scan) of(p pass) bool {
	if p == passRest {
		s.f.later = true
	}
	return s.pass == p
}

func (s *scan) problem(line int, what, reason string) Problem {
	return Problem{File: s.f.path, Line: line, What: what, Reason: reason}
}

// bad refuses a row of pass p.
func (s *scan) bad(p pass, line int, what, reason string) {
	if s.of(p) {
		s.rep.bad(s.problem(line, what, reason))
	}
}

func (s *scan) note(line int, what, reason string) {
	s.rep.note(s.problem(line, what, reason))
}

// send hands a good row on.
func (s *scan) send(line int, what string, r row) error {
	s.im.rows++
	r.at = s.problem(line, what, "")
	return s.emit(r)
}

// Reasons that concern the form of a file.
const (
	whyTooLong  = "longer than the limit for one row"
	whyNotJSON  = "not valid JSON"
	whyRestLost = "not valid JSON; the file was not read from here on"
	whyCutShort = "longer than the limit for one row; the file was not read from here on"
)

// ndjson reads one resource a line.
func (s *scan) ndjson(r io.Reader) error {
	br := bufio.NewReaderSize(r, 64<<10)
	var long []byte
	for line := 1; ; line++ {
		text, err := br.ReadSlice('\n')
		tooLong := false
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long[:0], text...)
			for errors.Is(err, bufio.ErrBufferFull) {
				text, err = br.ReadSlice('\n')
				if tooLong = tooLong || len(long)+len(text) > s.im.o.MaxRow; !tooLong {
					long = append(long, text...)
				}
			}
			text = long
		}
		if line == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		text = bytes.TrimSpace(text)
		switch {
		case tooLong || len(text) > s.im.o.MaxRow:
			s.bad(passPatients, line, "line", whyTooLong)
		case len(text) > 0:
			if err := s.resource(line, "", text); err != nil {
				return err
			}
		}
		if err != nil {
			return nil // the end, or an error that metered keeps
		}
	}
}

// bundle reads one resource, or a Bundle entry by entry.
func (s *scan) bundle(r io.Reader) error {
	lim := &limiter{r: r, max: s.im.o.MaxRow}
	dec := json.NewDecoder(lim)
	lost := func() error {
		line := lim.line(dec.InputOffset())
		if lim.hit {
			s.bad(passPatients, line, "file", whyCutShort)
		} else {
			s.bad(passPatients, line, "file", whyRestLost)
		}
		return nil
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return lost()
	}
	rest := make(map[string]json.RawMessage)
	entries := false
	size := 0
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return lost()
		}
		if name != "entry" {
			lim.reset()
			var v json.RawMessage
			if err := dec.Decode(&v); err != nil {
				return lost()
			}
			if size += len(v); size > s.im.o.MaxRow {
				s.bad(passPatients, 1, "file", whyCutShort)
				return nil
			}
			rest[name.(string)] = v
			continue
		}
		entries = true
		if t, err := dec.Token(); err != nil || t != json.Delim('[') {
			return lost()
		}
		for dec.More() {
			lim.reset()
			var e bundleEntry
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				return lost()
			}
			line := lim.line(dec.InputOffset() - int64(len(raw)))
			if json.Unmarshal(raw, &e) != nil || len(e.Resource) == 0 {
				s.bad(passPatients, line, "entry", "it holds no resource")
				continue
			}
			if err := s.resource(line, e.FullURL, e.Resource); err != nil {
				return err
			}
		}
		if _, err := dec.Token(); err != nil {
			return lost()
		}
	}
	if _, err := dec.Token(); err != nil {
		return lost()
	}
	if entries {
		return nil
	}
	whole, err := json.Marshal(rest)
	if err != nil {
		return lost()
	}
	return s.resource(1, "", whole)
}

type bundleEntry struct {
	FullURL  string          `json:"fullUrl"`
	Resource json.RawMessage `json:"resource"`
}

// limiter ends a stream that brings more than max bytes (and what a decoder
// reads ahead) between two resets, and knows line numbers.
type limiter struct {
	r     io.Reader
	max   int
	n     int
	hit   bool
	read  int64
	lines []int64 // offsets of newlines not yet counted
	count int
}

const readAhead = 64 << 10

func (l *limiter) reset() { l.n = 0 }

func (l *limiter) Read(p []byte) (int, error) {
	if l.n > l.max+readAhead {
		l.hit = true
		return 0, io.ErrUnexpectedEOF
	}
	n, err := l.r.Read(p[:min(len(p), readAhead)])
	for i, c := range p[:n] {
		if c == '\n' {
			l.lines = append(l.lines, l.read+int64(i))
		}
	}
	l.read += int64(n)
	l.n += n
	return n, err
}

// line is the number of the line that the byte at offset is in. Offsets must not
// go back.
func (l *limiter) line(offset int64) int {
	n, _ := slices.BinarySearch(l.lines, offset)
	l.count += n
	l.lines = append(l.lines[:0], l.lines[n:]...)
	return l.count + 1
}
