package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// writes prints how many writes of guarded objects and namespaces the API server
// has carried out since it started.
func writes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: writes")
	}
	_, err := fmt.Fprintf(ts.Stdout(), "%d\n", askWrites(ts))
	ts.Check(err)
}

// standing prints how many of generate's objects are in the cluster, once nobody
// makes more.
func standing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: standing")
	}
	client, err := kubernetes.NewForConfig((*planeOf(ts)).REST())
	ts.Check(err)
	count := func() int {
		policies, err := client.NetworkingV1().NetworkPolicies("").List(context.Background(), metav1.ListOptions{})
		ts.Check(err)
		namespaces, err := client.CoreV1().Namespaces().List(context.Background(), metav1.ListOptions{})
		ts.Check(err)
		n := 0
		for _, p := range policies.Items {
			if strings.HasPrefix(p.Namespace, "t-") { // Ringfence's own namespace has some, too
				n++
			}
		}
		for _, ns := range namespaces.Items {
			if strings.HasPrefix(ns.Name, "t-") {
				n++
			}
		}
		return n
	}
	n := count()
	until(ts, "stands still", func() string {
		time.Sleep(300 * time.Millisecond) // what was on its way when the daemon died
		before := n
		if n = count(); n != before {
			return "still growing"
		}
		return ""
	})
	_, err = fmt.Fprintf(ts.Stdout(), "%d\n", n)
	ts.Check(err)
}

// wroteOnlyMissing checks that a daemon has sent exactly as many writes as objects
// were missing when it started: wrote-only-missing FILE ALL, where FILE says how
// many stood.
func wroteOnlyMissing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: wrote-only-missing file all")
	}
	stood, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	all, err := strconv.Atoi(args[1])
	ts.Check(err)
	wrote := 0.0
	for line := range strings.SplitSeq(fetch(ts.Getenv("API")+"/metrics"), "\n") {
		if strings.HasPrefix(line, "ringfence_api_requests_total{") && strings.Contains(line, `verb="apply"`) {
			wrote += sum(line, "ringfence_api_requests_total")
		}
	}
	if int(wrote) != all-stood {
		ts.Fatalf("%d objects stood, %v writes were sent; %d of each make %d", stood, wrote, all-stood, all)
	}
	ts.Logf("%d objects stood, %v were written", stood, wrote)
}

// untilWrites waits until the API server has carried out more writes than a file
// says: until-writes FILE MORE.
func untilWrites(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: until-writes file more")
	}
	base, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	more, err := strconv.Atoi(args[1])
	ts.Check(err)
	until(ts, "writes", func() string {
		if n := askWrites(ts) - base; n < more {
			return fmt.Sprintf("only %d", n)
		}
		return ""
	})
}

func askWrites(ts *testscript.TestScript) int {
	client, err := kubernetes.NewForConfig((*planeOf(ts)).REST())
	ts.Check(err)
	metrics, err := client.RESTClient().Get().AbsPath("/metrics").DoRaw(context.Background())
	ts.Check(err)
	return countWrites(string(metrics))
}

var (
	requestSeries = regexp.MustCompile(`(?m)^apiserver_request_total\{([^}]*)\} ([0-9.e+]+)$`)
	writeVerb     = regexp.MustCompile(`verb="(APPLY|POST|PUT|PATCH|DELETE)"`)
	succeeded     = regexp.MustCompile(`code="20[01]"`)
	ours          = regexp.MustCompile(`resource="(namespaces|networkpolicies|globalnetworkpolicies|tiers|networksets|globalnetworksets)"`)
)

// countWrites adds up the successful writes of what Ringfence applies in an API
// server's own metrics.
func countWrites(metrics string) int {
	n := 0
	for _, m := range requestSeries.FindAllStringSubmatch(metrics, -1) {
		if !writeVerb.MatchString(m[1]) || !succeeded.MatchString(m[1]) || !ours.MatchString(m[1]) {
			continue
		}
		if v, err := strconv.ParseFloat(m[2], 64); err == nil {
			n += int(v)
		}
	}
	return n
}

// quiet checks that for some polls a daemon renders nothing and sends the API
// server nothing: quiet.
func quiet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: quiet")
	}
	sums := func() (polls, work float64) {
		metrics := fetch(ts.Getenv("API") + "/metrics")
		return sum(metrics, "ringfence_source_polls_total"), sum(metrics, "ringfence_api_requests_total") + sum(metrics, "ringfence_render_overlays_total")
	}
	// Events and the state are written shortly after the last change.
	var before float64
	until(ts, "calm", func() string {
		_, before = sums()
		time.Sleep(2 * time.Second)
		if _, now := sums(); now != before {
			return "still working"
		}
		return ""
	})
	polls, _ := sums()
	until(ts, "three polls", func() string {
		now, work := sums()
		if work != before {
			ts.Fatalf("%v requests and renders more, though nothing has changed", work-before)
		}
		if now < polls+3 {
			return "not yet"
		}
		return ""
	})
}

// sum adds up the samples of a family.
func sum(metrics, family string) float64 {
	total := 0.0
	for line := range strings.SplitSeq(metrics, "\n") {
		if rest, ok := strings.CutPrefix(line, family+"{"); ok {
			v, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
			if err == nil {
				total += v
			}
		}
	}
	return total
}

// generate writes a policy repository with a number of tenants, each with a
// Namespace, deny-all and eight allowances: generate FOLDER TENANTS.
func generate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: generate folder tenants")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for name, file := range generated(n, 8) {
		path := filepath.Join(ts.MkAbs(args[0]), name)
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
		ts.Check(os.WriteFile(path, file.Data, 0o600))
	}
}

// generated returns a policy repository with a number of tenants, each with a
// Namespace, deny-all and some allowances.
func generated(tenants, allowances int) fstest.MapFS {
	files := fstest.MapFS{}
	add := func(name, content string) { files[name] = &fstest.MapFile{Data: []byte(content)} }
	add("ringfence.yaml", "apiVersion: ringfence.dev/v1\nkind: Repository\nlayout: {namespaces: [\"t-*\"]}\n")
	add("base/guard/kustomization.yaml", "resources: [deny-all.yaml]\n")
	add("base/guard/deny-all.yaml", policyYAML("deny-all", "{podSelector: {}, policyTypes: [Ingress, Egress]}"))
	add("base/tenant/namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: tenant}\n")
	resources := "resources: [namespace.yaml"
	for i := range allowances {
		name := fmt.Sprintf("allow-%d", i)
		add("base/tenant/"+name+".yaml", policyYAML(name, fmt.Sprintf("{podSelector: {matchLabels: {app: a%d}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {}}], ports: [{protocol: TCP, port: %d}]}]}", i, 8000+i)))
		resources += ", " + name + ".yaml"
	}
	add("base/tenant/kustomization.yaml", resources+"]\n")
	for i := range tenants {
		name := fmt.Sprintf("t-%04d", i)
		add("overlays/"+name+"/kustomization.yaml", "namespace: "+name+"\nresources: [../../base/tenant]\n")
	}
	return files
}

func policyYAML(name, spec string) string {
	return fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\nspec: %s\n", name, spec)
}
