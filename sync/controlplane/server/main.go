package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringfence/ringfence/sync/controlplane/server/calico"
	"github.com/ringfence/ringfence/sync/controlplane/server/child"
)

const usage = `usage:
  server serve --data DIR [--calico crd|aggregated] [--fsync] [--parent] [--temporary] [-- KUBE-APISERVER-FLAGS]
  server kubectl ARGS...`

func main() {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "kubectl" {
		runKubectl(os.Args)
	}
	if len(os.Args) > 1 && os.Args[1] == "kubectl" {
		runKubectl(os.Args[1:])
	}
	if len(os.Args) < 2 || os.Args[1] != "serve" {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	o, err := parseServe(os.Args[2:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(2)
	}
	go func() {
		temporary := ""
		if o.temporary {
			temporary = o.data
		}
		child.ToldToLeave(o.parent, temporary)
		os.Exit(0)
	}()
	if err := serve(context.Background(), o, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "fatal: %v\n", err)
		os.Exit(1)
	}
}

// options are the flags of "server serve".
type options struct {
	data      string         // absolute folder of everything that is kept
	calico    calico.Flavour // how Calico's resources are served
	fsync     bool           // make each write durable
	parent    bool           // leave when standard input ends
	temporary bool           // remove the data folder on leaving
	apiserver []string       // further flags of kube-apiserver, which win over ours
}

func parseServe(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("server serve", flag.ContinueOnError)
	fs.StringVar(&o.data, "data", "", "the `folder` that holds keys, etcd's data and the kubeconfig file")
	fs.TextVar(&o.calico, "calico", calico.None, "serve Calico's resources: crd, crd.projectcalico.org/v1 and projectcalico.org/v3; "+
		"aggregated, the first alone, above which Calico's API server serves the second")
	fs.BoolVar(&o.fsync, "fsync", false, "wait for the disk on each write")
	fs.BoolVar(&o.parent, "parent", false, "leave when standard input is closed")
	fs.BoolVar(&o.temporary, "temporary", false, "remove the data folder on leaving")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	o.apiserver = fs.Args()
	if o.data == "" {
		return options{}, errors.New("--data is needed: the folder that holds keys, etcd's data and the kubeconfig file")
	}
	abs, err := filepath.Abs(o.data)
	if err != nil {
		return options{}, fmt.Errorf("locating the data folder %q: %w", o.data, err)
	}
	o.data = abs
	return o, nil
}
