package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/api"
	"github.com/ringfence/ringfence/sync"
)

// one tells of one tenant.
func (r *statusRequest) one(ctx context.Context, stdout io.Writer) error {
	status, err := r.daemon.Status(ctx)
	if err != nil {
		return err
	}
	tenant, err := r.daemon.Tenant(ctx, r.tenant)
	if errors.Is(err, api.ErrNoTenant) {
		err = unheardOf(ctx, r.daemon, r.tenant)
	}
	if err != nil {
		return err
	}
	if r.output.value == "json" {
		err = writeJSON(stdout, tenant)
	} else {
		err = writeTenant(stdout, tenant)
	}
	switch {
	case err != nil:
		return err
	case status.Unsure() != "":
		return &exitError{exitUnknown, errors.New("not the whole picture: " + printable(status.Unsure()))}
	case tenant.State != sync.Synced:
		return &exitError{code: exitFindings}
	}
	return nil
}

// writeTenant prints a tenant and its rounds for people, the newest round first.
func writeTenant(out io.Writer, t api.Tenant) error {
	l := &lines{}
	writeTenants(l, []api.Tenant{t})
	if len(t.Rounds) == 0 {
		l.add("no round has changed anything since the daemon began")
	}
	for _, round := range t.Rounds {
		l.add("%s  %s", stamp(round.Time), roundWords(round))
		for _, object := range round.Objects {
			l.add("  %s", object)
		}
		if more := round.Created + round.Updated + round.Removed + round.Failed - len(round.Objects); more > 0 {
			l.add("  and %d more", more)
		}
		for text := range strings.SplitSeq(round.Error, "\n") {
			if text != "" {
				l.add("  %s", text)
			}
		}
	}
	return l.write(out)
}

// roundWords says what a round did and why.
func roundWords(r api.Round) string {
	why := map[string]string{sync.ForRevision: "revision " + short(r.Revision), sync.ForDrift: "drift", sync.ForRetry: "again, revision " + short(r.Revision)}[r.Why]
	if why == "" {
		why = r.Why
	}
	var parts []string
	for _, n := range []struct {
		count int
		what  string
	}{{r.Created, "created"}, {r.Updated, "updated"}, {r.Removed, "removed"}, {r.Failed, "failed"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing changed")
	}
	text := why + ": " + strings.Join(parts, ", ") + " in " + time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond).String()
	if r.Tries > 1 {
		text += fmt.Sprintf(", %d times in a row", r.Tries)
	}
	return text
}
