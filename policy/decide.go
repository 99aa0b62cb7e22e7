package policy

import (
	"slices"
	"strings"
)

// word is what one rule says of one request. The zero value denies.
type word uint8

const (
	denies    word = iota
	satisfied      // the rule looked and has no objection
	silent         // the rule has nothing to say of this request
)

// verdict is one rule's word, what it saw, what it obliges to, and what would
// help. The zero verdict denies.
type verdict struct {
	word word
	must duties
	saw  string
	cure *[]Remedy // nil: none; a pointer keeps a verdict in registers
}

// cured makes a list of remedies.
func cured(list ...Remedy) *[]Remedy { return &list }

// remedies is the list, or none.
func (v *verdict) remedies() []Remedy {
	if v.cure == nil {
		return nil
	}
	return *v.cure
}

// check is a rule as it looks at facts of type T: a pointer to a request, alone
// or with what several rules need to know of it. Only a check that may be silent
// is allowed to be; the silence of another denies.
type check[T any] struct {
	rule      *Rule
	maySilent bool
	look      func(*Params, T) verdict
	bit       uint32 // of a check that may be silent, in the index of grants
}

// docket is all that is heard for one action, in catalogue order, with the
// lists of an allowance worked out beforehand.
type docket[T any] struct {
	action  string
	profile string
	granted string // the reason given with an allowance
	params  *Params
	checks  []check[T]
	// settle makes the parts of a denial agree; nil leaves them.
	settle func(duties, []Remedy) (duties, []Remedy)

	grants []grant // by the set of silent checks, see check.bit
	usual  []obliged
}

// obliged is a set of duties with its shared list.
type obliged struct {
	must duties
	list []Obligation
}

// grant holds the shared lists of an allowance.
type grant struct {
	rules []RuleID
	cites []string
}

// decide hears every check. An allowance allocates nothing when its duties are
// among those worked out beforehand.
func (d *docket[T]) decide(f T) Decision {
	var must duties
	var quiet uint32
	for i := range d.checks {
		c := &d.checks[i]
		v := c.look(d.params, f)
		switch {
		case v.word == satisfied:
			must |= v.must
		case v.word == silent && c.maySilent:
			quiet |= c.bit
		default:
			return d.refuse(f, i, v)
		}
	}
	g := &d.grants[quiet]
	if len(g.rules) == 0 { // nobody looked: nothing to stand on
		return noProfile(d.action)
	}
	return Decision{
		Outcome: Allow, Action: d.action, Profile: d.profile,
		Rules: g.rules, Reason: d.granted, Citations: g.cites,
		Obligations: d.obligations(must),
	}
}

// maxChecks is how many rules one action can have.
const maxChecks = 12

// refuse goes on hearing after the first failing check, and collects what all
// failing ones say.
func (d *docket[T]) refuse(f T, first int, v verdict) Decision {
	var failed [maxChecks]verdict
	var by [maxChecks]*Rule
	n, reason, cites, cures := 0, 0, 0, 0
	for i := first; i < len(d.checks); i++ {
		c := &d.checks[i]
		if i > first {
			v = c.look(d.params, f)
		}
		if v.word == satisfied || v.word == silent && c.maySilent {
			continue
		}
		failed[n], by[n] = v, c.rule
		n, reason, cites, cures = n+1, reason+len(v.saw)+2, cites+len(c.rule.Citations), cures+len(v.remedies())
	}
	out := Decision{
		Outcome: Deny, Action: d.action, Profile: d.profile,
		Rules: make([]RuleID, 0, n), Citations: make([]string, 0, cites),
	}
	if cures > 0 {
		out.Remedies = make([]Remedy, 0, cures)
	}
	var why strings.Builder
	why.Grow(reason)
	var must duties
	for i := range n {
		if i > 0 {
			why.WriteString("; ")
		}
		why.WriteString(failed[i].saw)
		must |= failed[i].must
		out.Rules = append(out.Rules, by[i].ID)
		out.Citations = addCitations(out.Citations, by[i].Citations)
		out.Remedies = addRemedies(out.Remedies, failed[i].remedies())
	}
	out.Reason = why.String()
	if d.settle != nil {
		must, out.Remedies = d.settle(must, out.Remedies)
	}
	out.Obligations = d.obligations(must)
	return out
}

// explain is decide, rule by rule.
func (d *docket[T]) explain(f T) []Finding {
	out := make([]Finding, 0, len(d.checks))
	for i := range d.checks {
		c := &d.checks[i]
		v := c.look(d.params, f)
		n := Finding{Rule: c.rule.ID, Saw: v.saw, Citations: c.rule.Citations, Remedies: v.remedies()}
		switch {
		case v.word == satisfied:
			n.Outcome = Allow
		case v.word == silent && c.maySilent:
			n.Outcome, n.Silent = Allow, true
		}
		n.Obligations = d.obligations(v.must)
		out = append(out, n)
	}
	return out
}

// obligations is the list for a set of duties, shared when it was foreseen.
func (d *docket[T]) obligations(must duties) []Obligation {
	if must == 0 {
		return nil
	}
	for i := range d.usual {
		if d.usual[i].must == must {
			return d.usual[i].list
		}
	}
	return must.list(d.params)
}

// open works out the lists of every allowance the docket can give.
// usual names the sets of duties that must not allocate.
func open[T any](p *Params, profile, action, granted string, checks []check[T], usual ...duties) *docket[T] {
	d := &docket[T]{action: action, profile: profile, granted: granted, params: p, checks: checks}
	bits := uint32(1)
	for i := range checks {
		if checks[i].maySilent {
			checks[i].bit = bits
			bits <<= 1
		}
	}
	for quiet := range bits {
		var g grant
		for i := range checks {
			if quiet&checks[i].bit == 0 {
				g.rules = append(g.rules, checks[i].rule.ID)
				g.cites = addCitations(g.cites, checks[i].rule.Citations)
			}
		}
		d.grants = append(d.grants, grant{slices.Clip(g.rules), slices.Clip(g.cites)})
	}
	for _, u := range usual {
		d.usual = append(d.usual, obliged{u, u.list(p)})
	}
	return d
}

func addCitations(to, more []string) []string {
next:
	for _, c := range more {
		for _, have := range to {
			if have == c {
				continue next
			}
		}
		to = append(to, c)
	}
	return to
}

func addRemedies(to, more []Remedy) []Remedy {
next:
	for _, r := range more {
		for _, have := range to {
			if have == r {
				continue next
			}
		}
		to = append(to, r)
	}
	return to
}

// noProfile is the answer of a policy that was never made by a profile, and to
// a request that is nil: nothing is allowed.
func noProfile(action string) Decision {
	return Decision{
		Outcome: Deny, Action: action, Rules: []RuleID{ruleFailClosed.ID},
		Reason:    "there is no profile to decide by, or nothing to decide",
		Citations: ruleFailClosed.Citations,
	}
}
