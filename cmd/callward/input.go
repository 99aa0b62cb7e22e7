package main

import (
	"context"
	"io"
)

// interruptible reads from r until ctx ends, also while r has nothing to give: Ctrl-C ends a command that
// waits for its standard input. The goroutine of an abandoned read ends with the process.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	return &waiting{ctx: ctx, r: r, done: make(chan result, 1)}
}

type waiting struct {
	ctx  context.Context
	r    io.Reader
	buf  []byte
	done chan result
}

type result struct {
	n   int
	err error
}

func (p *waiting) Read(to []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	if len(p.buf) < len(to) {
		p.buf = make([]byte, len(to))
	}
	buf := p.buf[:len(to)]
	go func() {
		n, err := p.r.Read(buf)
		p.done <- result{n, err}
	}()
	select {
	case got := <-p.done:
		return copy(to, buf[:got.n]), got.err
	case <-p.ctx.Done():
		return 0, p.ctx.Err()
	}
}
