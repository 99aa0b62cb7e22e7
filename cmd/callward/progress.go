package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// progress is one line that is written over on a terminal, and nothing elsewhere.
type progress struct {
	w      io.Writer
	what   string
	live   bool
	widest int
}

func newProgress(w io.Writer, what string) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, what: what, live: ok && term.IsTerminal(int(f.Fd()))}
}

func (p *progress) show(done, total int64) {
	line := fmt.Sprintf("%d %s", done, p.what)
	if total > 0 {
		line = fmt.Sprintf("%d of %d %s", done, total, p.what)
	}
	p.line(line)
}

func (p *progress) line(text string) {
	if !p.live {
		return
	}
	p.widest = max(p.widest, len(text))
	fmt.Fprintf(p.w, "\r%-*s", p.widest, text)
}

func (p *progress) end() {
	if p.live && p.widest > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.widest))
	}
}
