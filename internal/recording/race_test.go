//go:build race

package recording

import "time"

// Under the race detector a simulated hour takes a minute.
const (
	longCall  = 15 * time.Minute
	drawnCall = 80 * time.Second
)
