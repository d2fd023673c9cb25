package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// suspend writes a Tenant object that holds new revisions back: suspend FILE DURATION.
func suspend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: suspend file duration")
	}
	text := fmt.Sprintf("apiVersion: ringfence.dev/v1\nkind: Tenant\nmetadata: {name: own}\nspec: {suspend: {until: %q, reason: a test}}\n", from(ts, args[1]))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// breakGlass annotates a Namespace: glass NAMESPACE DURATION REASON.
func breakGlass(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: glass namespace duration reason")
	}
	ts.Check(ts.Exec("kubectl", "annotate", "namespace", args[0], "ringfence.dev/break-glass="+from(ts, args[1])+" "+args[2]))
}

// freezeNow writes the daemon's configuration with a window of sync.freeze that has just begun: freeze FILE DURATION.
func freezeNow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: freeze file duration")
	}
	start := time.Now().Add(-time.Minute).UTC()
	writeConfig(ts, false, []string{args[0], fmt.Sprintf("sync: {freeze: [{start: %q, duration: %s}]}", start.Format("4 15 2 1 *"), args[1])})
}

// confirmPrune pushes a commit that confirms what is held, as `ringfence status` says it; or another revision: confirm [REVISION].
func confirmPrune(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: confirm [revision]")
	}
	line := regexp.MustCompile(`Ringfence-Confirm-Prune: [0-9a-f]+`).FindString(output(ts, "ringfence", "status", "--server", ts.Getenv("API")))
	if len(args) == 1 {
		line = "Ringfence-Confirm-Prune: " + args[0]
	}
	clone := ts.MkAbs("clone")
	ts.Check(ts.Exec("git", "-C", clone, "commit", "-q", "--allow-empty", "-m", "confirm\n\n"+line))
	ts.Check(ts.Exec("git", "-C", clone, "push", "-q", "origin", "HEAD:main"))
}

func from(ts *testscript.TestScript, duration string) string {
	d, err := time.ParseDuration(duration)
	ts.Check(err)
	return time.Now().Add(d).UTC().Format(time.RFC3339)
}

// sinceOf writes since when each difference stands, in whole seconds: since FILE.
func sinceOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: since file")
	}
	var rows []driftRow
	ts.Check(getJSON(ts.Getenv("API")+"/api/v1/drift", &rows))
	var b strings.Builder
	for _, row := range rows {
		if row.Corrected == nil {
			fmt.Fprintf(&b, "%s %s/%s %s\n", row.Type, row.Namespace, row.Name, row.Since.Truncate(time.Second).Format(time.RFC3339))
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}
