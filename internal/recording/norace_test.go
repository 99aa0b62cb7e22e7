//go:build !race

package recording

import "time"

const (
	longCall  = 3 * time.Hour
	drawnCall = 5 * time.Minute
)
