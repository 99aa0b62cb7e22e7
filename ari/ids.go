package ari

import (
	"fmt"
	"strings"
)

// Kinds of things of ours, the last part of the role in an id.
const (
	kindLeg    = "leg"    // a party we dialled
	kindSnoop  = "snoop"  // a snoop channel
	kindMedia  = "media"  // an external media channel
	kindStream = "stream" // the bridge that joins the two
	kindBridge = "bridge" // a bridge for parties
	kindPlay   = "play"   // a playback
)

// ourID is an id we chose: APP~CALL~ROLE.KIND~INSTANCE-SEQUENCE. The characters
// need no escaping in a path, and after a restart the id still tells which
// call a thing belonged to and which run of the controller made it.
type ourID struct{ app, call, role, kind, instance string }

func (o ourID) text(seq uint64) string {
	return fmt.Sprintf("%s~%s~%s.%s~%s-%d", o.app, o.call, o.role, o.kind, o.instance, seq)
}

// parseID takes an id of ours apart. The halves of a Local channel that we
// named end in ";1" and ";2".
func parseID(app, id string) (ourID, bool) {
	rest, ok := strings.CutPrefix(id, app+"~")
	if !ok {
		return ourID{}, false
	}
	tail := strings.LastIndexByte(rest, '~')
	if tail < 0 {
		return ourID{}, false
	}
	mid := strings.LastIndexByte(rest[:tail], '~')
	if mid < 0 {
		return ourID{}, false
	}
	role, kind, ok := strings.Cut(rest[mid+1:tail], ".")
	instance, _, dash := strings.Cut(rest[tail+1:], "-")
	if !ok || !dash || mid == 0 {
		return ourID{}, false
	}
	return ourID{app: app, call: rest[:mid], role: role, kind: kind, instance: instance}, true
}

// checkRole keeps roles short and without characters that would break an id.
func checkRole(role string) error {
	if role == "" || len(role) > 32 || strings.Trim(role, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return fmt.Errorf("ari: role %q: use 1 to 32 of a-z, 0-9, - and _", role)
	}
	return nil
}
