package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// elision stands in a document for any lines of what a command prints.
const elision = "…"

// following is a document whose commands a script runs, in the document's order.
type following struct {
	name     string
	steps    []step
	files    []string // its blocks of YAML
	next     int
	replaces []string
}

// followingKey finds the document that a script follows.
type followingKey struct{}

// followDocument begins with a document: document NAME [OLD NEW...]. The scripts' commands have NEW where the document has OLD.
func followDocument(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args)%2 != 1 {
		ts.Fatalf("usage: document name [old new...]")
	}
	text, err := os.ReadFile(filepath.Join(ts.Getenv("EXAMPLE"), "cmd", "ringfence", "docs", args[0]+".md"))
	ts.Check(err)
	f := &following{name: args[0], files: blocks(string(text), "yaml"), replaces: args[1:]}
	for _, block := range blocks(string(text), "console") {
		f.steps = append(f.steps, steps(block)...)
	}
	*ts.Value(followingKey{}).(**following) = f
}

// writeBlock writes what the document has in a block of YAML to a file: block N FILE.
func writeBlock(ts *testscript.TestScript, neg bool, args []string) {
	f := *ts.Value(followingKey{}).(**following)
	if neg || len(args) != 2 || f == nil {
		ts.Fatalf("usage, after document: block number file")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	if n < 1 || n > len(f.files) {
		ts.Fatalf("docs/%s.md has %d blocks of YAML", f.name, len(f.files))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(f.files[n-1]), 0o600))
}

// does runs the next command of the document, which must be this one: does CODE COMMAND. It must end with that code and print
// what the document shows, if that shows anything. Commands that only look are repeated until they do.
func does(ts *testscript.TestScript, neg bool, args []string) {
	f := *ts.Value(followingKey{}).(**following)
	if neg || len(args) != 2 || f == nil {
		ts.Fatalf("usage, after document: does code command")
	}
	if f.next >= len(f.steps) {
		ts.Fatalf("docs/%s.md has no command after its last, and here is %q", f.name, args[1])
	}
	s := f.steps[f.next]
	f.next++
	if s.command != args[1] {
		ts.Fatalf("the next command of docs/%s.md is\n%s\nand not\n%s", f.name, s.command, args[1])
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	here := strings.NewReplacer(f.replaces...).Replace
	line, want := here(s.command), here(s.output)
	looks := regexp.MustCompile(`^(kubectl get|curl|ringfence (status|drift|diff|reach|doctor)) `).MatchString(line + " ")
	for deadline := time.Now().Add(eventuallyLimit); ; time.Sleep(200 * time.Millisecond) {
		out, got := bashed(ts, line)
		if got == code && shows(want, out) {
			ts.Logf("$ %s\n%s", line, out)
			return
		}
		if !looks || time.Now().After(deadline) {
			ts.Fatalf("$ %s\nends with %d and prints\n%s\nand not, as in docs/%s.md, with %d and\n%s", line, got, out, f.name, code, want)
		}
	}
}

// documented ends with a document: all its commands were run.
func documented(ts *testscript.TestScript, neg bool, args []string) {
	f := *ts.Value(followingKey{}).(**following)
	if neg || len(args) != 0 || f == nil {
		ts.Fatalf("usage, after document: documented")
	}
	if f.next < len(f.steps) {
		ts.Fatalf("docs/%s.md goes on with: %s", f.name, f.steps[f.next].command)
	}
}

// bashed runs a line where the script is.
func bashed(ts *testscript.TestScript, line string) (out string, code int) {
	cmd := exec.Command("bash", "-c", line)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = os.Environ()
	for _, name := range []string{"PATH", "HOME", "KUBECONFIG", "TMPDIR", "WORK", daemonKubeconfig} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	for name, value := range gitIdentity {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Run(); cmd.ProcessState == nil {
		ts.Check(err)
	}
	return both.String(), cmd.ProcessState.ExitCode()
}

// shows says whether a document shows what was printed, but for times, hashes, ages and addresses. One that shows nothing is
// content with anything.
func shows(want, got string) bool {
	if strings.TrimSpace(want) == "" {
		return true
	}
	addresses := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	text := func(s string) string { return addresses.ReplaceAllString(plain(s), "ADDRESS") }
	var pattern strings.Builder
	pattern.WriteString(`^`)
	for line := range strings.Lines(text(want)) {
		if strings.TrimSpace(line) == elision {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(strings.TrimRight(line, "\n "), elision)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern.WriteString(strings.Join(parts, `.*`) + ` *\n`)
	}
	return regexp.MustCompile(pattern.String() + `$`).MatchString(text(got))
}

// Each document with commands that can be run has a script that runs all of them, in order.
func TestDocumentsAreFollowed(t *testing.T) {
	for name, text := range documentTexts(t) {
		if len(blocks(text, "console")) == 0 {
			continue
		}
		script, err := os.ReadFile(filepath.Join(clusterScripts, "docs_"+strings.ReplaceAll(name, "-", "_")+".txtar"))
		if !assert.NoError(t, err, "docs/%s.md has commands", name) {
			continue
		}
		commands, _, _ := strings.Cut(string(script), "\n-- ")
		lines := strings.Split(strings.TrimSpace(commands), "\n")
		assert.True(t, slices.ContainsFunc(lines, func(l string) bool { return l == "document "+name || strings.HasPrefix(l, "document "+name+" ") }), name)
		assert.Equal(t, "documented", lines[len(lines)-1], name)
	}
}

// What the documents show as run by nobody here is run by nobody here: tools and services that a test has not.
func TestDocumentsSayWhatIsNotRun(t *testing.T) {
	elsewhere := regexp.MustCompile(`^(aws|eksctl|helm|flux|argocd|cosign|curl -fsSLO|kubectl .*(port-forward|rollout|wait|create -f operator-crds|debug|tigerastatus)|#|  )`)
	seen := 0
	for name, text := range documentTexts(t) {
		assert.Empty(t, blocks(text, "sh"), "docs/%s.md: console for what is run, shell for what is not", name)
		for _, block := range blocks(text, "shell") {
			for line := range strings.Lines(block) {
				seen++
				assert.Regexp(t, elsewhere, line, "docs/%s.md", name)
			}
		}
	}
	assert.NotZero(t, seen)
}

// documentTexts are the documents by their names.
func documentTexts(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("docs", "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		texts[strings.TrimSuffix(filepath.Base(file), ".md")] = string(text)
	}
	return texts
}
