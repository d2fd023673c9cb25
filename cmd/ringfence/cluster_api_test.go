package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// tenantRow and driftRow are what the tests read of /api/v1; they are written
// down here a second time, since their shape is a contract.
type tenantRow struct {
	Name, Namespace, Overlay, State string
	Revision                        struct{ Applied, Wanted string }
	Objects, Drift                  int
	Error                           *struct {
		File, Message, Hint string
		Line, Column        int
	}
}

type driftRow struct {
	Tenant, APIVersion, Kind, Namespace, Name, Type, Effect string
	Since                                                   time.Time
	Fields                                                  []struct {
		Path      string
		Want, Got any
	}
	Managers []struct {
		Name, Operation string
		Time            time.Time
	}
	Origin *struct {
		File, Revision string
		Line           int
	}
	Corrected *time.Time
	Held      *string
}

// getJSON asks a daemon's API.
func getJSON(url string, into any) error {
	client := http.Client{Timeout: eventuallyLimit}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// until repeats a check until it answers "".
func until(ts *testscript.TestScript, what string, check func() string) {
	var last string
	for deadline := time.Now().Add(eventuallyLimit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if last = check(); last == "" {
			return
		}
	}
	ts.Fatalf("%s: never; at last: %s", what, last)
}

// synced waits until tenants stand at the commit of the clone: synced TENANT...
func synced(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: synced tenant...")
	}
	head := strings.TrimSpace(output(ts, "git", "-C", ts.MkAbs("clone"), "rev-parse", "HEAD"))
	until(ts, "synced", func() string {
		var rows []tenantRow
		if err := getJSON(ts.Getenv("API")+"/api/v1/tenants", &rows); err != nil {
			return err.Error()
		}
		for _, name := range args {
			i := slices.IndexFunc(rows, func(r tenantRow) bool { return r.Name == name })
			if i < 0 || rows[i].State != "synced" || rows[i].Revision.Applied != head || rows[i].Revision.Wanted != head {
				return fmt.Sprintf("%s is not at %s: %+v", name, head, rows)
			}
		}
		return ""
	})
}

// failedAt waits until a tenant has failed at the commit of the clone, at a place
// in a file: failed TENANT FILE:LINE.
func failedAt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: failed tenant file:line")
	}
	until(ts, "failed", func() string {
		var row tenantRow
		if err := getJSON(ts.Getenv("API")+"/api/v1/tenants/"+args[0], &row); err != nil {
			return err.Error()
		}
		if row.State == "failed" && row.Error != nil && fmt.Sprintf("%s:%d", row.Error.File, row.Error.Line) == args[1] {
			fmt.Fprintf(ts.Stdout(), "%s (%s)\n", row.Error.Message, row.Error.Hint)
			return ""
		}
		return fmt.Sprintf("%+v", row)
	})
}

// waitDrift waits for a difference: drift corrected|standing TYPE NAMESPACE/NAME.
// It prints path, manager and origin for stdout to look at. With corrected, no
// such difference may stand.
func waitDrift(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || args[0] != "corrected" && args[0] != "standing" {
		ts.Fatalf("usage: drift corrected|standing type namespace/name")
	}
	namespace, name, _ := strings.Cut(args[2], "/")
	until(ts, "drift", func() string {
		var rows []driftRow
		if err := getJSON(ts.Getenv("API")+"/api/v1/drift", &rows); err != nil {
			return err.Error()
		}
		found := ""
		for _, r := range rows {
			if r.Namespace != namespace || r.Name != name || r.Type != args[1] {
				continue
			}
			if (r.Corrected == nil) != (args[0] == "standing") {
				return fmt.Sprintf("%+v", r)
			}
			found += describeRow(r)
		}
		if found == "" {
			return fmt.Sprintf("there is none: %+v", rows)
		}
		fmt.Fprint(ts.Stdout(), found)
		return ""
	})
}

func describeRow(r driftRow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tenant %s, %s %s, effect %s\n", r.Tenant, r.APIVersion, r.Kind, r.Effect)
	for _, f := range r.Fields {
		fmt.Fprintf(&b, "field %s want %v got %v\n", f.Path, f.Want, f.Got)
	}
	for _, m := range r.Managers {
		fmt.Fprintf(&b, "manager %s %s\n", m.Name, m.Operation)
	}
	if r.Origin != nil {
		fmt.Fprintf(&b, "origin %s:%d\n", r.Origin.File, r.Origin.Line)
	}
	if r.Held != nil {
		fmt.Fprintf(&b, "held %s\n", *r.Held)
	}
	return b.String()
}

// soon does what opens deny-all in namespaces, one after the other, and checks that
// it is seen within a second and undone within two, as the daemon's users are
// promised: soon NAMESPACE... Machines are shared, so the best of three tries in any
// of them counts (more in one would be a fight, in which corrections wait); the
// first one is always tried.
func soon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: soon namespace...")
	}
	for _, namespace := range slices.Concat(args, args, args) {
		seen, undone := openDenyAll(ts, namespace)
		ts.Logf("kubectl included: seen after %v, undone after %v", seen, undone)
		if seen < time.Second && undone < 2*time.Second {
			return
		}
	}
	ts.Fatalf("never seen within a second and undone within two")
}

// openDenyAll opens a namespace and waits until that is undone. The times are from
// before kubectl is started.
func openDenyAll(ts *testscript.TestScript, namespace string) (seen, undone time.Duration) {
	before := time.Now()
	if out := output(ts, "kubectl", "patch", "networkpolicy", "deny-all", "-n", namespace,
		"--field-manager", "rogue", "--type", "merge", "-p", `{"spec":{"ingress":[{}]}}`); !strings.Contains(out, "patched") {
		ts.Fatalf("patching: %s", out)
	}
	until(ts, "undone", func() string {
		var rows []driftRow
		if err := getJSON(ts.Getenv("API")+"/api/v1/drift", &rows); err != nil {
			return err.Error()
		}
		for _, r := range rows {
			if r.Name == "deny-all" && r.Namespace == namespace && r.Corrected != nil && r.Since.After(before) {
				seen, undone = r.Since.Sub(before), r.Corrected.Sub(before)
				return ""
			}
		}
		return fmt.Sprintf("%+v", rows)
	})
	return seen, undone
}

// cloneDemo clones the repository that a running demo serves to $WORK/clone.
func cloneDemo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: demo-clone")
	}
	var status struct{ Source struct{ URL string } }
	ts.Check(getJSON(ts.Getenv("API")+"/api/v1/status", &status))
	ts.Check(ts.Exec("git", "clone", "-q", status.Source.URL, ts.MkAbs("clone")))
}
