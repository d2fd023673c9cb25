package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // schedules name time zones, and the image has no zoneinfo
)

// environment is all that a command has of the process around it.
type environment struct {
	// Args are the arguments without the program's name.
	Args []string
	// Stdin is read by no command unless its help says so.
	Stdin io.Reader
	// Stdout takes results, Stderr all else.
	Stdout, Stderr io.Writer
	// LookupEnv returns a variable of the environment, and whether it is set.
	LookupEnv func(name string) (value string, ok bool)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, environment{
		Args:      os.Args[1:],
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		LookupEnv: os.LookupEnv,
	})
	stop()
	os.Exit(code)
}

// run runs the command that the arguments name and returns the exit code.
func run(ctx context.Context, env environment) int {
	return report(env.Stderr, newRootCommand(env).ExecuteContext(ctx))
}
