package callflow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/callward/callward/ari"
	"github.com/callward/callward/ari/aritest"
	"github.com/callward/callward/storage"
)

func TestNextAgent(t *testing.T) {
	plain := func(s *scene) { s.plain["~agent.leg"] = true }
	for _, c := range []struct {
		name    string
		prepare func(*scene)
		rang    []string
		reason  string
	}{
		{"no answer", func(s *scene) { s.phone("PJSIP/maria", aritest.NoAnswer()) }, []string{"PJSIP/maria", "PJSIP/omar"}, "no_answer"},
		{"busy", func(s *scene) { s.phone("PJSIP/maria", aritest.Busy()) }, []string{"PJSIP/maria", "PJSIP/omar"}, "busy"},
		{"not there", func(s *scene) { s.phone("PJSIP/maria", aritest.Unreachable()) }, []string{"PJSIP/maria", "PJSIP/omar"}, "unreachable"},
		{"no encryption", func(s *scene) {
			plain(s)
			first := true
			s.phones["PJSIP/omar"] = func() aritest.Outcome { // his phone has it
				if first {
					delete(s.plain, "~agent.leg")
				}
				first = false
				return aritest.Answered(time.Second)
			}
		}, []string{"PJSIP/maria", "PJSIP/omar"}, "unencrypted_leg"},
		{"first one untrained", func(s *scene) {
			s.store.edit(func(d *memData) {
				a := d.agents[maria]
				a.Trainings = nil
				d.agents[maria] = a
			})
		}, []string{"PJSIP/omar"}, ""},
		{"longest idle first", nil, []string{"PJSIP/maria"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(s *scene) {
				s.second(nil)
				if c.prepare != nil {
					c.prepare(s)
				}
			}, func(s *scene) {
				s.talking()
				assert.Equal(t, c.rang, s.rung())
				assert.Equal(t, c.reason, s.event("agent.no_answer").Detail["reason"])
				s.HangUp(patientLeg, ari.CauseNormal)
				s.waitFor("call.ended")
				s.after(30 * time.Second) // rest over
				if c.name == "first one untrained" {
					_, onDuty, _ := s.queue.Counts()
					assert.Equal(t, 1, onDuty)
				}
				assert.Equal(t, string(Completed), s.over().Disposition)
				assert.Equal(t, "caller_hung_up", s.row().Reason)
			})
		})
	}
}

// An agent who is lost before the conversation costs nobody the call, and the
// announcement is of the one who comes.
func TestAgentLostBeforeConversation(t *testing.T) {
	play(t, func(s *scene) { s.second(nil) }, func(s *scene) {
		s.say(func(_, id string) {
			if id == "agent_announce" && len(s.rung()) == 1 {
				s.HangUp(s.leg("agent"), ari.CauseNormal)
			}
		})
		s.talking()
		assert.Equal(t, []string{"PJSIP/maria", "PJSIP/omar"}, s.rung())
		assert.Equal(t, omar, s.row().AgentID)
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
		require.Len(t, s.recordings(), 2, "each conversation its own segment, each with its evidence")
		assert.Equal(t, 2, s.times("recording.started"))
	})
}

func TestPatientLegWithoutEncryption(t *testing.T) {
	play(t, func(s *scene) { s.plain[patientLeg] = true }, func(s *scene) {
		s.dial()
		row := s.over()
		assert.Equal(t, "unencrypted_leg", row.Reason)
		assert.Empty(t, s.heard(patientLeg))
	})
}

// lonely has nobody on duty.
func lonely(s *scene) {
	s.store.edit(func(d *memData) {
		a := d.agents[maria]
		a.OnDuty = false
		d.agents[maria] = a
	})
}

func TestCallback(t *testing.T) {
	for _, c := range []struct {
		name  string
		offer []string
		phone []string
		left  bool
	}{
		{"left", []string{"1"}, []string{"2065550142", "2065550177"}, true},
		{"left at the second offer", []string{"", "1"}, []string{"2065550142", "2065550177"}, true},
		{"second number readable", []string{"1"}, []string{"2065550142", "1234567890", "2065550177"}, true},
		{"no number", []string{"1"}, []string{"2065550142"}, false},
		{"not wanted", nil, []string{"2065550142"}, false},
		{"another key", []string{"5"}, []string{"2065550142"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(s *scene) {
				lonely(s)
				s.keys["queue_offer_callback"], s.keys["ask_phone"] = c.offer, c.phone
			}, func(s *scene) {
				s.dial()
				s.until("offered", func() bool { return s.hears("queue_offer_callback") })
				s.after(3 * time.Minute)
				kept := s.store.read().callbacks
				if !c.left {
					assert.Empty(t, kept)
					assert.True(t, s.Holding(patientLeg), "still in the queue")
					s.HangUp(patientLeg, ari.CauseNormal)
					assert.Equal(t, string(Abandoned), s.over().Disposition)
					return
				}
				require.Len(t, kept, 1)
				assert.Equal(t, "+12065550177", kept[0].Phone)
				assert.Equal(t, nina, kept[0].Patient)
				row := s.over()
				assert.Equal(t, string(Callback), row.Disposition)
				assert.True(t, s.hears("callback_done"))
			})
		})
	}
}

// A second 1 at the consent question leaves no call-back request.
func TestTypedAheadIsNoCallback(t *testing.T) {
	play(t, func(s *scene) {
		lonely(s)
		s.keys["ask_consent"] = []string{"11"}
	}, func(s *scene) {
		s.dial()
		s.until("offered", func() bool { return s.hears("queue_offer_callback") })
		s.after(20 * time.Second)
		assert.Equal(t, 1, s.count("ask_phone"), "asked in identification only")
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
	})
}

func TestOptOut(t *testing.T) {
	play(t, func(s *scene) { s.keys["menu"] = []string{"9"} }, func(s *scene) {
		s.dial()
		s.waitFor("optout.requested")
		s.until("confirmed", func() bool { return s.hears("opt_out_done") })
		s.HangUp(patientLeg, ari.CauseNormal)
		row := s.over()
		assert.Equal(t, string(OptedOut), row.Disposition)
		out := s.store.read().optOuts
		require.Len(t, out, 1)
		assert.Equal(t, storage.OptOut{Phone: "+12065550142", Channel: storage.OptOutAll, CallID: patientLeg, At: out[0].At}, out[0])
	})
	t.Run("and goes on", func(t *testing.T) {
		play(t, func(s *scene) { s.keys["menu"] = []string{"9", "1"} }, func(s *scene) {
			s.talking()
			s.HangUp(patientLeg, ari.CauseNormal)
			assert.Equal(t, string(Completed), s.over().Disposition)
			assert.Len(t, s.store.read().optOuts, 1)
		})
	})
}

func TestLanguage(t *testing.T) {
	play(t, func(s *scene) { s.keys["language_choice"] = []string{"", "2"} }, func(s *scene) {
		s.talking()
		assert.Equal(t, []string{"sound:en/greeting", "sound:en/language_choice", "sound:es/language_choice", "sound:es/greeting", "sound:es/menu"},
			s.Played(patientLeg)[:5])
		assert.Equal(t, "es", s.row().Language)
		assert.Equal(t, "es", s.store.read().consents[0].Language)
		assert.Contains(t, s.Played(s.leg("agent")), "sound:en/agent_whisper_verified", "the agent is told in the site's own language")
		assert.True(t, s.did("recording.started"))
		s.HangUp(patientLeg, ari.CauseNormal)
		s.over()
	})
}

// A channel that is taken out of the application goes on without us.
func TestLeftTheApplication(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.talking()
		s.after(11 * time.Second)
		c, err := ari.NewClient(s.Config())
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.Channels.ContinueInDialplan(s.ctx, ari.ChannelsContinueInDialplan{ChannelID: patientLeg, Context: "other"}))
		row := s.over()
		assert.Equal(t, "left_the_application", row.Reason)
		assert.Equal(t, string(Completed), row.Disposition)
		assert.Equal(t, []string{patientLeg}, s.Channels(), "not hung up")
		assert.Equal(t, storage.RecordingSealed, s.recordings()[0].Status)
	})
}

// The same channel may come back: it is one call in the store, and works.
func TestChannelComesBack(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.store.edit(func(d *memData) {
			d.calls[patientLeg] = storage.Call{ID: patientLeg, Version: 7, Step: stepEnded, EndedAt: time.Now(), Disposition: string(Completed)}
		})
		s.talking()
		assert.True(t, s.did("recording.started"), "the store is there")
		assert.True(t, s.row().EndedAt.IsZero())
		s.HangUp(patientLeg, ari.CauseNormal)
		assert.Equal(t, string(Completed), s.over().Disposition)
	})
}

// A script that panics hands the caller to the dialplan.
func TestPanic(t *testing.T) {
	play(t, func(s *scene) {
		s.flow.Observe = func(e Event) {
			s.observe(e)
			if e.Step == "agent.announced" {
				panic("planted")
			}
		}
	}, func(s *scene) {
		s.dial()
		row := s.over()
		assert.Equal(t, string(Failed), row.Disposition)
		assert.Equal(t, "fault", row.Reason)
		assert.True(t, s.sentOn())
	})
}

func TestAsteriskRestarts(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.talking()
		s.after(11 * time.Second)
		s.Restart()
		row := s.over()
		assert.Equal(t, string(Failed), row.Disposition)
		assert.Equal(t, "asterisk_restarted", row.Reason)
		assert.Equal(t, storage.RecordingSealed, s.recordings()[0].Status)
	})
}

// Another controller that connects in our name takes the call over: ours lets
// go of it as when it stops.
func TestReplaced(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.talking()
		s.after(11 * time.Second)
		s.Emit(`{"type":"ApplicationReplaced","timestamp":"2000-01-01T00:00:00.000+0000","application":"callward"}`)
		assert.ErrorIs(t, <-s.served, ari.ErrReplaced)
		s.cancel()
		s.cancel = nil
		assert.Len(t, s.Bridges()[s.talk()], 2, "the parties go on talking")
		assert.True(t, s.row().EndedAt.IsZero())
		assert.False(t, s.sentOn())
		s.sealed()
	})
}
