package policy

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
	saw  string
	must duties
	cure []Remedy
}

// check is a rule as it looks at requests of type T. Only a check that may be
// silent is allowed to be; the silence of another denies.
type check[T any] struct {
	rule      *Rule
	maySilent bool
	look      func(*Params, *T) verdict
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

	lists  map[uint32]grant // by the set of silent checks
	duties map[duties][]Obligation
}

// grant holds the shared lists of an allowance.
type grant struct {
	rules []RuleID
	cites []string
}

// decide hears every check. An allowance allocates nothing when its duties are
// among those worked out beforehand.
func (d *docket[T]) decide(f *T) Decision {
	var must duties
	var quiet uint32
	for i := range d.checks {
		c := &d.checks[i]
		v := c.look(d.params, f)
		switch {
		case v.word == satisfied:
			must |= v.must
		case v.word == silent && c.maySilent:
			quiet |= 1 << i
		default:
			return d.refuse(f)
		}
	}
	g, ok := d.lists[quiet]
	if !ok {
		return d.refuse(f)
	}
	return Decision{
		Outcome: Allow, Action: d.action, Profile: d.profile,
		Rules: g.rules, Reason: d.granted, Citations: g.cites,
		Obligations: d.obligations(must),
	}
}

// refuse hears every check again and collects what the failing ones say.
func (d *docket[T]) refuse(f *T) Decision {
	out := Decision{Outcome: Deny, Action: d.action, Profile: d.profile}
	var must duties
	for i := range d.checks {
		c := &d.checks[i]
		v := c.look(d.params, f)
		if v.word == satisfied || v.word == silent && c.maySilent {
			continue
		}
		if out.Reason != "" {
			out.Reason += "; "
		}
		out.Reason += v.saw
		out.Rules = append(out.Rules, c.rule.ID)
		out.Citations = addCitations(out.Citations, c.rule.Citations)
		must |= v.must
		out.Remedies = addRemedies(out.Remedies, v.cure)
	}
	if d.settle != nil {
		must, out.Remedies = d.settle(must, out.Remedies)
	}
	out.Obligations = d.obligations(must)
	return out
}

// explain is decide, rule by rule.
func (d *docket[T]) explain(f *T) []Finding {
	out := make([]Finding, 0, len(d.checks))
	for i := range d.checks {
		c := &d.checks[i]
		v := c.look(d.params, f)
		n := Finding{Rule: c.rule.ID, Saw: v.saw, Citations: c.rule.Citations, Remedies: v.cure}
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
	if list, ok := d.duties[must]; ok {
		return list
	}
	return must.list(d.params)
}

// open works out the lists of every allowance the docket can give.
// usual names the sets of duties that must not allocate.
func open[T any](p *Params, profile, action, granted string, checks []check[T], usual ...duties) *docket[T] {
	d := &docket[T]{
		action: action, profile: profile, granted: granted, params: p, checks: checks,
		lists: map[uint32]grant{}, duties: map[duties][]Obligation{},
	}
	var may []int
	for i := range checks {
		if checks[i].maySilent {
			may = append(may, i)
		}
	}
	for subset := range uint32(1) << len(may) {
		var quiet uint32
		for bit, i := range may {
			if subset&(1<<bit) != 0 {
				quiet |= 1 << i
			}
		}
		var g grant
		for i := range checks {
			if quiet&(1<<i) == 0 {
				g.rules = append(g.rules, checks[i].rule.ID)
				g.cites = addCitations(g.cites, checks[i].rule.Citations)
			}
		}
		if len(g.rules) > 0 { // nobody looked: nothing to stand on
			d.lists[quiet] = grant{g.rules[:len(g.rules):len(g.rules)], g.cites[:len(g.cites):len(g.cites)]}
		}
	}
	for _, u := range usual {
		d.duties[u] = u.list(p)
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
