package policy

import "time"

func completeAnnounce(_ *Params, f *AnnounceAgent) verdict {
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(!f.Announcement.SaidAt.After(f.At), "announcement.said_at")
	g.need(f.Verified.known(), "verified")
	g.need(f.NameReveals.known(), "name_reveals")
	g.need(f.Announcement.Organisation == OrganisationReal || f.Announcement.Organisation == OrganisationNeutral, "announcement.organisation")
	return g.verdict()
}

// announcement: complete, of the agent who is on the call, and revealing
// nothing to somebody unverified.
func announcement(p *Params, f *AnnounceAgent) verdict {
	a := &f.Announcement
	fault := a.fault()
	switch {
	case f.NameReveals != No && f.Verified != Yes && a.Organisation != OrganisationNeutral:
		return verdict{saw: "the organisation's name would reveal a condition", must: dutyNeutralName}
	case fault != "" && p.AnnounceAgents:
		return verdict{
			saw: "the announcement lacks or misstates: " + fault, must: dutyAnnounceAgent,
			cure: cured(Remedy{Kind: RemedyProvide, Input: "announcement." + fault}),
		}
	case a.SaidAt.IsZero():
		return verdict{word: satisfied, saw: "the announcement is good and still to be made", must: dutyAnnounceAgent}
	}
	return verdict{word: satisfied, saw: "the announcement is good and was made"}
}

func auditAnnounce(_ *Params, f *AnnounceAgent) verdict { return auditBuffered(f.AuditWritable) }

func completeJoin(_ *Params, f *JoinQueue) verdict {
	var g gaps
	g.need(!f.At.IsZero(), "at")
	g.need(f.Role.known(), "role")
	return g.verdict()
}

func trainedToJoin(p *Params, f *JoinQueue) verdict { return f.Training.current(p, f.At) }

func auditJoin(_ *Params, f *JoinQueue) verdict { return auditFirst(f.AuditWritable) }

// current says whether the training is good at an instant.
func (t *Training) current(p *Params, at time.Time) verdict {
	switch {
	case t.HiredAt.IsZero() || t.HiredAt.After(at):
		return verdict{saw: "not known to be hired", cure: cured(Remedy{Kind: RemedyProvide, Input: "training.hired_at"})}
	case t.PolicyVersion == "" || t.PolicyChangedAt.IsZero() || t.PolicyChangedAt.After(at):
		return verdict{saw: "not known what is to be taught", cure: cured(Remedy{Kind: RemedyProvide, Input: "training.policy_version"})}
	}
	graced := !at.After(t.PolicyChangedAt.Add(p.ChangeGrace))
	old := false
	for i := range t.Records {
		r := &t.Records[i]
		if !r.good(p, at) {
			continue
		}
		if r.PolicyVersion == t.PolicyVersion || graced {
			return verdict{word: satisfied, saw: "trained and current"}
		}
		old = true
	}
	switch {
	case p.HireGrace > 0 && !at.After(t.HiredAt.Add(p.HireGrace)):
		return verdict{word: satisfied, saw: "newly hired, to be trained soon"}
	case old:
		return verdict{saw: "trained on an old version of the policy", cure: cureTrain}
	}
	return verdict{saw: "no current training", cure: cureTrain}
}

// good says whether a course was passed and has not run out.
func (r *TrainingRecord) good(p *Params, at time.Time) bool {
	if !r.Passed || r.Course == "" || r.PolicyVersion == "" || r.CompletedAt.IsZero() || r.CompletedAt.After(at) {
		return false
	}
	if r.ExpiresAt.IsZero() || !at.Before(r.ExpiresAt) {
		return false
	}
	return p.TrainingLife == 0 || at.Before(r.CompletedAt.Add(p.TrainingLife))
}
