package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ringfence/ringfence/sources/gitserver"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// TestCluster runs every script in testdata/cluster: what users see of the
// daemon on a real API server and a real Git server.
func TestCluster(t *testing.T) {
	params := clusterParams(controlplane.CalicoCRD)
	params.Dir = clusterScripts
	testscript.Run(t, params)
}

// clusterScripts is where the scripts of TestCluster are.
const clusterScripts = "testdata/cluster"

// clusterParams are how scripts run on API servers that serve Calico's kinds in one way.
func clusterParams(calico controlplane.Calico) testscript.Params {
	return testscript.Params{
		Setup: func(env *testscript.Env) error {
			env.Values[calicoKey{}] = calico
			return setupCluster(env)
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "calico":
				return calico != controlplane.NoCalico, nil
			case "aggregated":
				return calico == controlplane.CalicoAggregated, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds:                clusterCommands(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	}
}

// setupCluster gives each script an address for its daemon, and a Git that
// nothing on the machine influences.
func setupCluster(env *testscript.Env) error {
	if err := setupScript(env); err != nil {
		return err
	}
	for _, name := range []string{"LISTEN", "GITLISTEN", "METRICSLISTEN", "HOOKLISTEN"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer listener.Close() //nolint:gocritic // all are held until the last is chosen, lest two be the same
		env.Setenv(name, listener.Addr().String())
	}
	env.Setenv("API", "http://"+env.Getenv("LISTEN"))
	for name, value := range gitIdentity {
		env.Setenv(name, value)
	}
	// Scripts have a home of their own, in which nothing is built yet.
	binary, err := controlplane.Binary(context.Background(), os.Stderr)
	if err != nil {
		return err
	}
	env.Setenv("RINGFENCE_CONTROLPLANE", binary)
	env.Setenv("TMPDIR", env.WorkDir+"/.tmp")
	env.Values[planeKey{}] = new(*controlplane.ControlPlane)
	env.Values[scraperKey{}] = new(scraper)
	env.Values[followingKey{}] = new(*following)
	return nil
}

// planeKey finds a script's control plane among its values.
type planeKey struct{}

// calicoKey finds how its API server is to serve Calico's kinds.
type calicoKey struct{}

func planeOf(ts *testscript.TestScript) **controlplane.ControlPlane {
	return ts.Value(planeKey{}).(**controlplane.ControlPlane)
}

var gitIdentity = map[string]string{
	"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
	"GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.com",
	"GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@example.com",
}

// clusterCommands are what scripts in testdata/cluster have beside the others.
func clusterCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	commands := scriptCommands()
	commands["cluster"] = startCluster
	commands["kill-calico"] = killCalico
	commands["git-server"] = startGit
	commands["config"] = writeConfig
	commands["push"] = push
	commands["eventually"] = eventually
	commands["always"] = always
	commands["equal"] = equalToRender
	commands["get"] = get
	commands["writes"] = writes
	commands["edit"] = edit
	commands["synced"] = synced
	commands["failed"] = failedAt
	commands["drift"] = waitDrift
	commands["soon"] = soon
	commands["stop-cluster"] = stopCluster
	commands["generate"] = generate
	commands["until-writes"] = untilWrites
	commands["quiet"] = quiet
	commands["standing"] = standing
	commands["wrote-only-missing"] = wroteOnlyMissing
	commands["demo-clone"] = cloneDemo
	commands["suspend"] = suspend
	commands["glass"] = breakGlass
	commands["freeze"] = freezeNow
	commands["confirm"] = confirmPrune
	commands["since"] = sinceOf
	commands["prometheus"] = startPrometheus
	commands["alert"] = alert
	commands["panels"] = panelsHaveData
	commands["rules"] = rulesHaveData
	commands["fight"] = fightOver
	commands["attempt"] = attempt
	commands["tie"] = tie
	commands["document"] = followDocument
	commands["does"] = does
	commands["documented"] = documented
	commands["block"] = writeBlock
	commands["enforcing"] = installEngine
	return commands
}

// startCluster starts a control plane: cluster [-calico[=aggregated]] [DIR], with -calico one that serves Calico's kinds in
// the way that the script runs for. It sets KUBECONFIG
// (see useAccounts), and POLICIES to the policy kinds that are served; kubectl is on the PATH.
func startCluster(ts *testscript.TestScript, neg bool, args []string) {
	config := controlplane.Config{Log: io.Discard}
	for _, arg := range args {
		switch arg {
		case "-calico":
			config.Calico = ts.Value(calicoKey{}).(controlplane.Calico)
		case "-calico=aggregated":
			config.Calico = controlplane.CalicoAggregated
		default:
			config.Dir = ts.MkAbs(arg)
		}
	}
	if neg {
		ts.Fatalf("usage: cluster [-calico[=aggregated]] [DIR]")
	}
	plane, err := controlplane.Start(context.Background(), config)
	ts.Check(err)
	ts.Defer(func() { _ = plane.Stop() })
	*planeOf(ts) = plane
	useAccounts(ts, plane)
	ts.Setenv("POLICIES", "networkpolicies.networking.k8s.io")
	if config.Calico != controlplane.NoCalico {
		ts.Setenv("POLICIES", "networkpolicies.networking.k8s.io,networkpolicies.projectcalico.org")
	}
	ts.Setenv("PATH", filepath.Dir(plane.Kubectl())+string(os.PathListSeparator)+ts.Getenv("PATH"))
}

// stopCluster stops the control plane; cluster with the same folder starts it
// again on the same port.
func stopCluster(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: stop-cluster")
	}
	ts.Check((*planeOf(ts)).Stop())
}

// startGit serves a repository and clones it: git-server [-empty] [-password P]
// [-listen ADDRESS] [FOLDER]. It holds the example, or what is in FOLDER; where a script runs without Calico, the
// example as it is for such a cluster. It sets URL; the clone is in $WORK/clone.
func startGit(ts *testscript.TestScript, neg bool, args []string) {
	config := gitserver.Config{Dir: filepath.Join(ts.Getenv("WORK"), "git")}
	content := exampleFor(ts.Value(calicoKey{}).(controlplane.Calico))
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-empty":
			content = nil
		case "-password":
			i++
			config.User, config.Password = "reader", args[i]
		case "-listen":
			i++
			config.Listen = args[i]
		default:
			content = os.DirFS(ts.MkAbs(args[i]))
		}
	}
	if neg {
		ts.Fatalf("usage: git-server [-empty] [-password P] [-listen ADDRESS] [FOLDER]")
	}
	server, err := gitserver.New(config)
	ts.Check(err)
	ts.Defer(func() { _ = server.Close() })
	ts.Check(server.CreateRepository("policies", content))
	ts.Setenv("URL", server.URL("policies"))
	ts.Check(ts.Exec("git", "clone", "-q", server.Folder("policies"), ts.MkAbs("clone")))
}

// writeConfig writes the daemon's configuration: config FILE [LINE...], with
// source, address and data folder of the script, as far as the lines do not say otherwise, and the lines added.
func writeConfig(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: config file [line...]")
	}
	text := fmt.Sprintf("apiVersion: ringfence.dev/v1\nkind: Config\ndataDir: %s\n", ts.MkAbs("data"))
	if !strings.Contains("\n"+strings.Join(args[1:], "\n"), "\nhttp:") { // a URL has it, too
		text += fmt.Sprintf("http: {listen: %q}\n", ts.Getenv("LISTEN"))
	}
	if rest := strings.Join(args[1:], "\n"); strings.Contains(rest, "source:") {
		text += rest + "\n"
	} else {
		text += fmt.Sprintf("source: {url: %q, poll: \"@every 1s\"}\n", ts.Getenv("URL")) + rest + "\n"
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// push commits everything in the clone and pushes it: push MESSAGE.
func push(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: push message")
	}
	clone := ts.MkAbs("clone")
	ts.Check(ts.Exec("git", "-C", clone, "add", "-A"))
	ts.Check(ts.Exec("git", "-C", clone, "commit", "-qm", args[0]))
	ts.Check(ts.Exec("git", "-C", clone, "push", "-q", "origin", "HEAD:main"))
}

// edit replaces text in a file: edit FILE OLD NEW; \n stands for a newline.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit file old new")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	unescape := strings.NewReplacer(`\n`, "\n").Replace
	if !strings.Contains(string(data), unescape(args[1])) {
		ts.Fatalf("%s has no %q:\n%s", args[0], args[1], data)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(string(data), unescape(args[1]), unescape(args[2]), 1)), 0o600))
}

// eventuallyLimit is how long something that must come about may take; no test
// asserts speed, since machines are shared.
const eventuallyLimit = 60 * time.Second

// eventually repeats a command until what it prints matches, or with ! does not
// match: eventually REGEXP COMMAND [ARGS...]. COMMAND is a program, or get.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	pattern, output := patternOf(ts, args)
	var last string
	for deadline := time.Now().Add(eventuallyLimit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		last = output()
		if pattern.MatchString(last) != neg {
			return
		}
	}
	ts.Fatalf("never: neg=%v %s\nthe last answer was:\n%s", neg, pattern, last)
}

// always repeats a command for two seconds; each time, what it prints must match
// or with ! must not.
func always(ts *testscript.TestScript, neg bool, args []string) {
	pattern, output := patternOf(ts, args)
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if last := output(); pattern.MatchString(last) == neg {
			ts.Fatalf("not always: neg=%v %s\nthe answer was:\n%s", neg, pattern, last)
		}
	}
}

func patternOf(ts *testscript.TestScript, args []string) (*regexp.Regexp, func() string) {
	if len(args) < 2 {
		ts.Fatalf("usage: eventually|always regexp command [args...]")
	}
	pattern, err := regexp.Compile(`(?ms)` + args[0])
	ts.Check(err)
	if args[1] == "get" {
		return pattern, func() string { return fetch(ts.Getenv("API") + args[2]) }
	}
	return pattern, func() string { return output(ts, args[1], args[2:]...) }
}

// output runs a program and returns all that it prints.
func output(ts *testscript.TestScript, name string, args ...string) string {
	out, err := command(ts, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s\n%v", out, err)
	}
	return string(out)
}

func command(ts *testscript.TestScript, name string, args ...string) *exec.Cmd {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, name); isFile(path) {
			name = path
			break
		}
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+ts.Getenv("KUBECONFIG"), "HOME="+ts.Getenv("HOME"))
	for key, value := range gitIdentity {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	return cmd
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// get prints what the daemon answers: get PATH.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: get path")
	}
	_, err := io.WriteString(ts.Stdout(), fetch(ts.Getenv("API")+args[0]))
	ts.Check(err)
}

func fetch(url string) string {
	client := http.Client{Timeout: eventuallyLimit}
	response, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("HTTP %d\n%s", response.StatusCode, body)
}

// equalToRender checks that the guarded objects of a namespace, and their specs
// and labels, are exactly what `ringfence render` prints: equal TENANT.
func equalToRender(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: equal tenant")
	}
	want := objects(ts, "ringfence", "render", "clone", "--tenant", args[0], "-o", "json")
	kinds := ts.Getenv("POLICIES")
	if strings.Contains(kinds, "projectcalico.org") {
		kinds += ",networksets.projectcalico.org"
	}
	got := objects(ts, "kubectl", "get", kinds, "-n", args[0], "-o", "json")
	for id, object := range objects(ts, "kubectl", "get", "namespace", args[0], "-o", "json") {
		delete(object, "spec")
		meta := object["metadata"].(map[string]any)
		delete(meta["labels"].(map[string]any), "kubernetes.io/metadata.name")
		got[id] = object
	}
	for id, w := range want {
		g, ok := got[id]
		if !ok {
			ts.Fatalf("%s is missing", id)
		}
		asRendered(g)
		if !reflect.DeepEqual(w["spec"], g["spec"]) {
			ts.Fatalf("%s: spec is not the render's:\n%v\nnot\n%v", id, g["spec"], w["spec"])
		}
		if wl, gl := labels(w), labels(g); !reflect.DeepEqual(wl, gl) {
			ts.Fatalf("%s: labels are not the render's:\n%v\nnot\n%v", id, gl, wl)
		}
	}
	for id := range got {
		if want[id] == nil {
			ts.Fatalf("%s is not in the render", id)
		}
	}
}

func labels(object map[string]any) map[string]any {
	found, _ := object["metadata"].(map[string]any)["labels"].(map[string]any)
	return found
}

// objects runs a command that prints a list, or one object, as JSON.
func objects(ts *testscript.TestScript, name string, args ...string) map[string]map[string]any {
	cmd := command(ts, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		ts.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	var list struct {
		Kind  string           `json:"kind"`
		Items []map[string]any `json:"items"`
	}
	ts.Check(json.Unmarshal(out, &list))
	if list.Kind != "List" {
		var one map[string]any
		ts.Check(json.Unmarshal(out, &one))
		list.Items = append(list.Items, one)
	}
	byID := map[string]map[string]any{}
	for _, o := range list.Items {
		meta := o["metadata"].(map[string]any)
		byID[fmt.Sprintf("%v %v %v", o["apiVersion"], o["kind"], meta["name"])] = o
	}
	return byID
}
