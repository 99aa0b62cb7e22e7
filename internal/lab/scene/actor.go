package scene

import (
	"context"
	"strings"
	"time"

	"github.com/callward/callward/internal/lab/recognise"
	"github.com/callward/callward/internal/lab/softphone"
)

// Actor is one party on a call: a phone, and an ear that knows the prompts.
type Actor struct {
	*softphone.Call
	ear *recognise.Listener
}

// Ears is the catalogue of what may be heard: every prompt in every language,
// and every agent's announcement. Ids are "en/greeting" and
// "en/agent_announce".
func (s *Scene) Ears(ctx context.Context) (*recognise.Catalogue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ears != nil {
		return s.ears, nil
	}
	var list []recognise.Prompt
	for _, lang := range s.Prompts.Catalogue().Languages() {
		for _, id := range s.Prompts.Catalogue().IDs() {
			if id == "agent_announce" {
				for _, a := range s.Options.Agents {
					pcm, err := s.Prompts.PCM(ctx, lang, id, map[string]string{"agent": a.Name})
					if err != nil {
						return nil, err
					}
					list = append(list, recognise.Prompt{ID: lang + "/" + id + "/" + a.ID, PCM: pcm})
				}
				continue
			}
			pcm, err := s.Prompts.PCM(ctx, lang, id, nil)
			if err != nil {
				return nil, err
			}
			list = append(list, recognise.Prompt{ID: lang + "/" + id, PCM: pcm})
		}
	}
	ears, err := recognise.NewCatalogue(list)
	if err == nil {
		s.ears = ears
	}
	return ears, err
}

// Listen gives a call ears.
func (s *Scene) Listen(ctx context.Context, c *softphone.Call) (*Actor, error) {
	ears, err := s.Ears(ctx)
	if err != nil {
		return nil, err
	}
	return &Actor{Call: c, ear: ears.Listen(c)}, nil
}

// Hear waits until one of the prompts has begun.
func (a *Actor) Hear(ctx context.Context, ids ...string) (recognise.Match, error) {
	return a.ear.WaitFor(ctx, ids...)
}

// HearOut waits until one of the prompts has ended.
func (a *Actor) HearOut(ctx context.Context, ids ...string) (recognise.Match, error) {
	return a.ear.WaitEnd(ctx, ids...)
}

// Matches are all prompts heard so far.
func (a *Actor) Matches() []recognise.Match { return a.ear.Matches() }

// At is when a match began.
func (a *Actor) At(m recognise.Match) time.Time { return a.TimeAt(m.Start) }

// Text is what a prompt says; an announcement is that of the agent it names.
func (s *Scene) Text(id string) string {
	lang, prompt, _ := strings.Cut(id, "/")
	prompt, who, _ := strings.Cut(prompt, "/")
	vars := map[string]string{"organisation": s.Options.Name, "callback": s.Options.Callback}
	for _, a := range s.Options.Agents {
		if a.ID == who {
			vars["agent"] = a.Name
		}
	}
	text, err := s.Prompts.Catalogue().Text(lang, prompt, vars)
	if err != nil {
		return id
	}
	return strings.Join(strings.Fields(text), " ")
}

// Short is a prompt's id without the language.
func Short(id string) string {
	_, rest, _ := strings.Cut(id, "/")
	return rest
}
