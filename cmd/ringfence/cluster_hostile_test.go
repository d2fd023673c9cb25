package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// attempt pushes what an overlay's author tries, and waits until it is refused at a place: attempt FILE FILE:LINE. The
// overlay is acme's, in the clone; FILE is an object that is added to it as attempt.yaml or, after a first line
// "kustomization: |", lines of its kustomization: of its resources, if they begin with a dash. It prints the
// refusal, and sees that the other tenants follow the commit.
func attempt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: attempt file file:line")
	}
	good, text := ts.ReadFile("good"), ts.ReadFile(args[0])
	lines, inKustomization := strings.CutPrefix(text, "kustomization: |\n  ")
	if !inKustomization {
		file := ts.MkAbs("clone/overlays/acme/attempt.yaml")
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err) // what lies there may be a link
		}
		ts.Check(os.WriteFile(file, []byte(text), 0o600))
		lines = "- attempt.yaml\n"
	}
	kustomization := good + lines
	if strings.HasPrefix(lines, "- ") {
		kustomization = strings.Replace(good, "resources:\n", "resources:\n"+lines, 1)
	}
	ts.Check(os.WriteFile(ts.MkAbs("clone/overlays/acme/kustomization.yaml"), []byte(kustomization), 0o600))
	push(ts, false, []string{args[0]})
	head := strings.TrimSpace(output(ts, "git", "-C", ts.MkAbs("clone"), "rev-parse", "HEAD"))
	until(ts, "refused", func() string {
		var row tenantRow
		if err := getJSON(ts.Getenv("API")+"/api/v1/tenants/caas-acme", &row); err != nil {
			return err.Error()
		}
		if row.State != "failed" || row.Error == nil || row.Revision.Wanted != head || fmt.Sprintf("%s:%d", row.Error.File, row.Error.Line) != args[1] {
			return fmt.Sprintf("%+v %+v", row, row.Error)
		}
		fmt.Fprintf(ts.Stdout(), "%s (%s)\n", row.Error.Message, row.Error.Hint)
		return ""
	})
	synced(ts, false, []string{"caas-globex", "caas-initech"})
}

// tie makes a policy belong to a ConfigMap that lies beside it: tie POLICY NAMESPACE FILE, where FILE has the ConfigMap's uid.
func tie(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: tie policy namespace file")
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": []any{map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "name": "bomb", "uid": strings.TrimSpace(ts.ReadFile(args[2])),
	}}}})
	ts.Check(err)
	ts.Check(ts.Exec("kubectl", "--as", "mallory", "patch", "networkpolicy", args[0], "-n", args[1], "--type", "merge", "-p", string(patch)))
}
