package web

import (
	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/sync"
)

// verdictOf says in a line how the fence of one tenant stands, or the cluster overlay; like the overview's headline it is never
// good where something cannot be seen. A fence can be open by what is no tenant's, as a policy of the whole cluster.
func verdictOf(status api.Status, t sync.Tenant, differences []difference, f *fence) headline {
	open, unsure := 0, 0
	if f != nil {
		open = f.Opened
	}
	for _, d := range differences {
		switch {
		case !d.Stands():
		case d.Effect == drift.Opens || d.Effect == drift.Both:
			open++
		case d.Effect != drift.Closes && d.Effect != drift.None:
			unsure++
		}
	}
	fence := "The fence"
	if t.Name == "" {
		fence = "What is cluster-scoped"
	}
	switch {
	case open > 0 && t.Name == "":
		return headline{Tone: "bad", Text: openOverlay}
	case open > 0:
		return headline{Tone: "bad", Text: "The fence is open"}
	case status.Unsure() != "" || t.State == sync.Unknown || unsure > 0:
		return headline{Tone: "unknown", Text: "It cannot be told whether the fence stands"}
	}
	switch t.State {
	case sync.Drifted:
		return headline{Tone: "warn", Text: fence + " is not as Git says; nothing is open that Git forbids"}
	case sync.Failed:
		return headline{Tone: "bad", Text: failedWords(t)}
	case sync.Quarantined:
		return headline{Tone: "warn", Text: "In quarantine: its overlay left Git, and all traffic is denied"}
	case sync.Suspended:
		return headline{Tone: "warn", Text: fence + " is held as it was: what is newer in Git waits"}
	case sync.Pending:
		return headline{Tone: "warn", Text: fence + " is not up yet"}
	case sync.Synced:
		return enforcedVerdict(status.Enforcer, fence)
	}
	return headline{Tone: "unknown", Text: "It cannot be told whether the fence stands"}
}

// failedWords says what a tenant is held to that cannot be brought to what Git says.
func failedWords(t sync.Tenant) string {
	if t.Applied == "" {
		return "What Git says cannot be applied, and there is no last good state: it is isolated and no more"
	}
	return "What Git says cannot be applied: the last good state is held"
}

// enforcedVerdict is that of what is as Git says.
func enforcedVerdict(e api.Enforcer, fence string) headline {
	switch {
	case e.Engine == "none":
		return headline{Tone: "warn", Text: fence + " is as Git says, and nothing known enforces it"}
	case e.Engine == "unknown":
		return headline{Tone: "unknown", Text: fence + " is as Git says; whether it is enforced cannot be seen"}
	case e.Missing > 0:
		return headline{Tone: "warn", Text: fence + " is as Git says, and not enforced on every node"}
	case fence == "The fence":
		return headline{Tone: "good", Text: "The fence stands"}
	}
	return headline{Tone: "good", Text: fence + " is as Git says"}
}
