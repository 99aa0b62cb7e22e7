package audit

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/callward/callward/storage/sqlite"
)

// chunkRows is how many rows go from hand to hand at once.
const chunkRows = 1024

// chunk is a run of rows on its way: read, then hashed by any worker, then
// checked in order.
type chunk struct {
	rows   []sqlite.AuditRow
	hashed chan []hashed // cap 1
}

// scan reads, hashes on every core, and checks in order.
func scan(ctx context.Context, r *sqlite.AuditReader, c *checker) error {
	g, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	work, inOrder := make(chan *chunk, workers), make(chan *chunk, 2*workers)
	g.Go(func() error {
		defer close(work)
		defer close(inOrder)
		rows := make([]sqlite.AuditRow, 0, chunkRows)
		send := func() error {
			k := &chunk{rows: rows, hashed: make(chan []hashed, 1)}
			rows = make([]sqlite.AuditRow, 0, chunkRows)
			for _, to := range []chan *chunk{work, inOrder} {
				select {
				case to <- k:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		}
		err := r.Rows(ctx, func(row sqlite.AuditRow) error {
			if rows = append(rows, row); len(rows) == chunkRows {
				return send()
			}
			return nil
		})
		if err == nil && len(rows) > 0 {
			err = send()
		}
		return err
	})
	for range workers {
		g.Go(func() error {
			var buf []byte
			for k := range work {
				out := make([]hashed, len(k.rows))
				for i, row := range k.rows {
					out[i] = hash(row, &buf)
				}
				k.hashed <- out
			}
			return nil
		})
	}
	g.Go(func() error {
		for k := range inOrder {
			for _, h := range <-k.hashed {
				c.row(h)
			}
		}
		return nil
	})
	return g.Wait()
}
