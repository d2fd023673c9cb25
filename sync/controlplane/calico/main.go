package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ringfence/ringfence/sync/controlplane/server/child"
)

const usage = `usage:
  calico apiserver --data DIR [--parent]`

func main() {
	if len(os.Args) < 2 || os.Args[1] != "apiserver" {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	data, parent, err := parse(os.Args[2:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(2)
	}
	go func() {
		child.ToldToLeave(parent, "")
		os.Exit(0)
	}()
	if err := serve(context.Background(), data, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "fatal: %v\n", err)
		os.Exit(1)
	}
}

// parse reads the flags of "calico apiserver": the absolute data folder, and
// whether to leave when standard input ends.
func parse(args []string) (data string, parent bool, err error) {
	fs := flag.NewFlagSet("calico apiserver", flag.ContinueOnError)
	fs.StringVar(&data, "data", "", "the data `folder` of the control plane, which runs")
	fs.BoolVar(&parent, "parent", false, "leave when standard input is closed")
	if err := fs.Parse(args); err != nil {
		return "", false, err
	}
	if data == "" {
		return "", false, errors.New("--data is needed: the data folder of the control plane")
	}
	if data, err = filepath.Abs(data); err != nil {
		return "", false, fmt.Errorf("locating the data folder: %w", err)
	}
	return data, parent, nil
}
