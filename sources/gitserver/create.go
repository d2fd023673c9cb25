package gitserver

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// CreateRepository makes the bare repository NAME.git, whose branch main has one commit with
// content; with a nil content it is empty. It fails if the repository exists.
//
// If we crash half-way, a repository without a commit remains; it can be removed and made again.
func (s *Server) CreateRepository(name string, content fs.FS) error {
	if !plainName.MatchString(name) || strings.HasSuffix(name, ".git") {
		return fmt.Errorf("creating repository: %q is no name (letters, digits, dots, dashes, without .git)", name)
	}
	folder := s.Folder(name)
	if _, err := os.Stat(folder); err == nil {
		return fmt.Errorf("creating repository %q: %w", name, fs.ErrExist)
	}
	steps := [][]string{
		{"init", "--quiet", "--bare", "--template=", "--initial-branch=main", folder},
		{"-C", folder, "config", "http.receivepack", "true"},
		{"-C", folder, "config", "receive.autogc", "false"},
		{"-C", folder, "config", "gc.auto", "0"},
	}
	if content != nil {
		tree, err := os.MkdirTemp("", "gitserver-")
		if err != nil {
			return fmt.Errorf("creating repository %q: %w", name, err)
		}
		defer os.RemoveAll(tree)
		if err := os.CopyFS(tree, content); err != nil {
			return fmt.Errorf("creating repository %q: copying its content: %w", name, err)
		}
		at := []string{"--git-dir=" + folder, "--work-tree=" + tree, "-c", "core.bare=false"}
		steps = append(steps,
			append(at[:len(at):len(at)], "add", "--all", "--force", "."),
			append(at[:len(at):len(at)], "commit", "--quiet", "--allow-empty", "--no-verify", "--message", "The first commit"),
		)
	}
	for _, args := range steps {
		if err := s.run(args...); err != nil {
			return fmt.Errorf("creating repository %q: %w", name, err)
		}
	}
	return os.RemoveAll(folder + "/index") // a bare repository has none
}

func (s *Server) run(args ...string) error {
	cmd := exec.Command(s.git, args...)
	cmd.Dir = s.dir
	cmd.Env = environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// environment is ours without anything that steers Git, and with who commits.
func environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "GIT_") {
			env = append(env, kv)
		}
	}
	return append(env,
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ringfence", "GIT_AUTHOR_EMAIL=ringfence@example.com",
		"GIT_COMMITTER_NAME=Ringfence", "GIT_COMMITTER_EMAIL=ringfence@example.com",
	)
}
