package web

import (
	"net/http"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/world"
	"github.com/ringfence/ringfence/drift/reach"
)

// reachView is the view that answers one question.
type reachView struct {
	From, To, Port, Tenant string
	Error                  string
	Waiting                bool // nothing was rendered yet
	Answers                []answer
	Differ                 bool // Git and the live state answer otherwise
}

// answer is a verdict with what decided.
type answer struct {
	Whose, Verdict, Tone string
	From, To, Ports      string
	Reasons              []string
	Unknown              string // why there is no verdict at all
}

func (h *Handler) reachPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	v := reachView{From: trimmed(query.Get("from")), To: trimmed(query.Get("to")), Port: trimmed(query.Get("port")), Tenant: trimmed(query.Get("tenant"))}
	if v.From != "" || v.To != "" {
		h.ask(&v)
	}
	h.show(w, http.StatusOK, "reach", frame{View: "reach", Title: "Can X reach Y?", Content: v})
}

func trimmed(text string) string { return strings.TrimSpace(text) }

// ask fills in the answers, or what is wrong with the question.
func (h *Handler) ask(v *reachView) {
	ports, err := portsAsked(v.Port)
	if err != nil {
		v.Error = err.Error()
		return
	}
	m, err := h.running.Look()
	switch {
	case err != nil:
		v.Error = err.Error()
		return
	case m == nil:
		v.Waiting = true
		return
	}
	q := world.Question{From: v.From, To: v.To, Tenant: v.Tenant}
	git, err := m.Git.Ask(q, ports)
	if err != nil {
		v.Error = err.Error()
		return
	}
	if m.Live == nil {
		v.Answers = []answer{{Whose: "The cluster", Verdict: "unknown", Tone: "unknown", Unknown: m.Blind}, answerOf("Git", git)}
		return
	}
	live, err := m.Live.Ask(q, ports)
	if err != nil {
		v.Error = err.Error()
		return
	}
	v.Answers = []answer{answerOf("The cluster", live), answerOf("Git", git)}
	v.Differ = live.Outcome != git.Outcome || !live.Allowed.Equal(git.Allowed)
}

// portsAsked reads ports as several --port flags have them, apart by commas or spaces.
func portsAsked(text string) (reach.Ports, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	if len(words) == 0 {
		return reach.AllPorts(), nil
	}
	var out reach.Ports
	for _, word := range words {
		ports, err := reach.ParsePorts(word)
		if err != nil {
			return reach.Ports{}, err
		}
		out = out.Union(ports)
	}
	return out, nil
}

func answerOf(whose string, a world.Answer) answer {
	out := answer{Whose: whose, Verdict: a.Outcome.String(), From: a.From.String(), To: a.To.String(), Ports: a.Ports.String()}
	out.Tone = map[reach.Outcome]string{reach.Allowed: "allow", reach.Denied: "deny", reach.Partial: "warn", reach.Unknown: "unknown"}[a.Outcome]
	for _, r := range a.Reasons {
		out.Reasons = append(out.Reasons, r.String())
	}
	return out
}
