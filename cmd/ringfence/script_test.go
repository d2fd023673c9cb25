package main

import (
	"errors"
	"flag"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what the scripts in testdata compare with anew")

// TestMain makes this very binary the ringfence that scripts run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ringfence": program})
}

// TestScripts runs every script in testdata/script, each a specification of what
// a user sees.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setupScript,
		Cmds:                scriptCommands(),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// setupScript prepares the environment of each script. What needs more than
// files and the command itself is set up by a command of scriptCommands.
func setupScript(env *testscript.Env) error {
	home := env.WorkDir + "/home"
	env.Setenv("HOME", home)
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	env.Setenv("EXAMPLE", root+"/../..") // the example policy repository
	return os.Mkdir(home, 0o700)
}

// scriptCommands are the scripts' commands beside testscript's own.
func scriptCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"exits":  exits,
		"answer": answerFrom,
	}
}

// answerFrom makes something that answers as a daemon does: answer DIR. It says what is in DIR when it is asked: status.json is
// /api/v1/status, and what has no file is not found. It sets SERVER.
func answerFrom(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: answer dir")
	}
	server := httptest.NewServer(answers(ts.MkAbs(args[0])))
	ts.Defer(server.Close)
	ts.Setenv("SERVER", server.URL)
}

// answers serves the files of a folder as a daemon's API.
func answers(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := fs.ReadFile(os.DirFS(dir), strings.TrimPrefix(r.URL.Path, "/api/v1/")+".json")
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(data)
	})
}

// exits runs a program and checks its exit code: exits CODE PROGRAM [ARGS...].
// stdout, stderr and cmp see what it printed.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("running %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}
