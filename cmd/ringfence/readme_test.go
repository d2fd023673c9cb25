package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift/reach"
	"github.com/ringfence/ringfence/sync/controlplane"
)

const repositoryRoot = "../.."

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repositoryRoot, "README.md"))
	require.NoError(t, err)
	return string(text)
}

// blocks returns the fenced blocks of a language.
func blocks(text, language string) (out []string) {
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// The README's commands work as it shows them, in its order: its first command is
// run, and each command of its transcripts prints what stands there.
func TestReadmeTranscripts(t *testing.T) {
	text := readme(t)
	commands := blocks(text, "sh")
	require.Len(t, commands, 2, "the README has two commands")
	page := startDemo(t, strings.TrimSpace(commands[0]))
	shell := startShell(t)
	shell.substitute("http://127.0.0.1:8080", page.web)
	for _, asks := range []string{"ringfence drift", "ringfence status"} { // the README's daemon is at the default address
		shell.substitute(asks, asks+" --server "+page.web)
	}
	shell.substitute("http://127.0.0.1:8081/policies.git", page.git)
	shell.substitute("/tmp/ringfence-demo", filepath.Join(page.temp, "ringfence-demo"))
	shell.substitute("/tmp/policies", filepath.Join(page.temp, "policies"))
	for _, block := range blocks(text, "console") {
		for _, step := range steps(block) {
			shell.run(t, step.command, step.output)
		}
	}
	t.Run("metrics", func(t *testing.T) { compareMetrics(t, text, fetch(page.web+"/metrics")) })
}

// CI runs the tests by the very command that the README gives.
func TestReadmeTestCommand(t *testing.T) {
	ci, err := os.ReadFile(filepath.Join(repositoryRoot, ".ci", "run"))
	require.NoError(t, err)
	command := strings.TrimSpace(blocks(readme(t), "sh")[1])
	require.Regexp(t, `(?m)^`+regexp.QuoteMeta(command)+`$`, string(ci))
}

// The README's configuration is one that is accepted.
func TestReadmeConfiguration(t *testing.T) {
	files := blocks(readme(t), "yaml")
	require.Len(t, files, 2)
	_, err := config.ParseDaemon("README.md", []byte(files[0]))
	require.NoError(t, err)
	_, err = config.ParseRepository("README.md", []byte(files[1]))
	require.NoError(t, err)
}

// The README's table of commands is the program's.
func TestReadmeCommands(t *testing.T) {
	var want []string
	for _, c := range newRootCommand(environment{}).Commands() {
		if c.Name() != "help" {
			want = append(want, c.Name())
		}
	}
	var got []string
	for _, row := range regexp.MustCompile("(?m)^\\| `ringfence ([a-z]+)` \\|").FindAllStringSubmatch(readme(t), -1) {
		got = append(got, row[1])
	}
	assert.ElementsMatch(t, want, got)
}

// The README's picture is the example's.
func TestReadmePicture(t *testing.T) {
	var out bytes.Buffer
	require.Zero(t, run(t.Context(), environment{Args: []string{"reach", repositoryRoot, "--tenant", "caas-initech", "-o", "mermaid"}, Stdout: &out, Stderr: &out}), &out)
	pictures := blocks(readme(t), "mermaid")
	require.Len(t, pictures, 1)
	require.Equal(t, out.String(), pictures[0])
}

// The documents' list of ranges is what "internet" leaves out, each range of the code's by itself.
func TestDocumentsInternet(t *testing.T) {
	_, list, found := strings.Cut(documentTexts(t)["reach"], "which are no place on the internet")
	require.True(t, found)
	list, _, _ = strings.Cut(list, "`-o json`")
	var ranges []string
	for _, m := range regexp.MustCompile("`([0-9a-f.:]+/[0-9]+)`").FindAllStringSubmatch(list, -1) {
		ranges = append(ranges, m[1])
	}
	require.Equal(t, reach.InternetExcluded(), ranges)
}

// compareMetrics compares the README's table with a scrape.
func compareMetrics(t *testing.T, text, scrape string) {
	t.Helper()
	type family struct{ kind, labels string }
	want, got := map[string]family{}, map[string]family{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(ringfence_[a-z_]+)` \\| ([a-z]+) \\| ([a-z, ]*)\\|$").FindAllStringSubmatch(text, -1) {
		labels := strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(labels)
		want[m[1]] = family{m[2], strings.Join(labels, ",")}
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (ringfence_[a-z_]+) ([a-z]+)$`).FindAllStringSubmatch(scrape, -1) {
		sample := regexp.MustCompile(`(?m)^` + m[1] + `(?:_count)?(?:\{(.*)\})? [^ ]+$`).FindStringSubmatch(scrape)
		if !assert.NotNil(t, sample, "%s has no sample", m[1]) {
			continue
		}
		var labels []string
		for _, l := range regexp.MustCompile(`([a-z]+)="`).FindAllStringSubmatch(sample[1], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		got[m[1]] = family{m[2], strings.Join(labels, ",")}
	}
	assert.Equal(t, want, got)
	assert.NotEmpty(t, slices.Collect(maps.Keys(got)))
}

// step is a command of a transcript and what it prints.
type step struct{ command, output string }

func steps(block string) (out []step) {
	for line := range strings.Lines(block) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			out = append(out, step{command: strings.TrimSpace(command)})
		} else {
			out[len(out)-1].output += line
		}
	}
	return out
}

// demoPage is a running demo.
type demoPage struct{ web, git, temp string }

// startDemo runs the README's first command from the root of the checkout, with a
// folder for temporary files of its own.
func startDemo(t *testing.T, command string) demoPage {
	t.Helper()
	binary, err := controlplane.Binary(t.Context(), os.Stderr)
	require.NoError(t, err)
	page := demoPage{temp: t.TempDir()}
	cmd := exec.Command("bash", "-c", "exec "+command)
	cmd.Dir = repositoryRoot
	cmd.Env = append(os.Environ(), "TMPDIR="+page.temp, "RINGFENCE_CONTROLPLANE="+binary)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches the whole group
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		assert.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
		_ = cmd.Wait() // `go run` repeats the program's exit code, or its own for the signal
		left, err := filepath.Glob(filepath.Join(page.temp, "ringfence-demo*"))
		assert.NoError(t, err)
		assert.Empty(t, left, "Ctrl-C leaves nothing behind")
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		name, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch name {
		case "page":
			page.web = strings.TrimSpace(value)
		case "Git":
			page.git = strings.TrimSpace(value)
		case "Ctrl-C":
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return page
		}
	}
	require.Fail(t, "the demo ended early")
	return page
}

// shell is a bash in which the transcripts' commands run one after the other.
type shell struct {
	in       io.WriteCloser
	out      *bufio.Reader
	replaces []string
	n        int
}

func startShell(t *testing.T) *shell {
	t.Helper()
	cmd := exec.Command("bash")
	cmd.Dir = t.TempDir()
	cmd.Env = os.Environ()
	for key, value := range gitIdentity {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &shell{in: in, out: bufio.NewReader(stdout)}
}

// substitute makes commands use what this run has in place of what the README says.
func (s *shell) substitute(old, now string) { s.replaces = append(s.replaces, old, now) }

// run runs a command until its output is what the README shows, but for times,
// hashes and ages. Only commands that look, and change nothing, are repeated.
func (s *shell) run(t *testing.T, command, want string) {
	t.Helper()
	looks := strings.HasPrefix(command, "kubectl get ") && !strings.Contains(command, "create") ||
		strings.HasPrefix(command, "curl ") || strings.HasPrefix(command, "ringfence ")
	var got string
	for deadline := time.Now().Add(eventuallyLimit); ; time.Sleep(100 * time.Millisecond) {
		var code string
		got, code = s.once(t, strings.NewReplacer(s.replaces...).Replace(command))
		if code == "0" && strings.HasPrefix(plain(got), plain(want)) && (want != "" || got == "") {
			t.Logf("$ %s", command)
			return
		}
		if !looks || time.Now().After(deadline) {
			require.Fail(t, "not as in the README", "$ %s\nprints (exit code %s)\n%s\nand not\n%s", command, code, got, want)
		}
	}
}

func (s *shell) once(t *testing.T, command string) (out, code string) {
	t.Helper()
	s.n++
	mark := fmt.Sprintf("=== end of %d: ", s.n)
	_, err := fmt.Fprintf(s.in, "%s\necho \"%s$?\"\n", command, mark)
	require.NoError(t, err)
	var b strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		require.NoError(t, err, "the shell ended: %s", b.String())
		if before, after, ok := strings.Cut(line, mark); ok {
			return b.String() + before, strings.TrimSpace(after)
		}
		b.WriteString(line)
	}
}

var (
	times  = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
	hashes = regexp.MustCompile(`\b[0-9a-f]{12}([0-9a-f]{28})?\b`)
	ages   = regexp.MustCompile(`\b\d+(ms|[sm](\d+s)?)\b`) // 7ms, 12s, 3m, 3m12s: machines can be slow
	spaces = regexp.MustCompile(`[ \t]+`)
)

// plain takes out of a text what differs from run to run.
func plain(text string) string {
	text = times.ReplaceAllString(text, "TIME")
	text = hashes.ReplaceAllString(text, "HASH")
	text = ages.ReplaceAllString(text, "AGE")
	return spaces.ReplaceAllString(text, " ")
}
