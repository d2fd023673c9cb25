package main

import (
	"os"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // the login helpers that a user's kubeconfig may name
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// runKubectl answers as kubectl for args, whose first element is the name of
// the program, and never returns.
func runKubectl(args []string) {
	os.Args = args
	logs.GlogSetter(cmd.GetLogVerbosity(args)) //nolint:errcheck // a bad -v is reported when the flags are parsed
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	os.Exit(0)
}
