package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// commands lists what makes each command. A new
// command is one file and one line here.
func commands() []func(environment) *cobra.Command {
	return []func(environment) *cobra.Command{
		newRunCommand,
		newDemoCommand,
		newRenderCommand,
		newReachCommand,
		newDiffCommand,
		newDoctorCommand,
		newTenantCommand,
		newStatusCommand,
		newDriftCommand,
		newConfigCommand,
		newVersionCommand,
		newCompletionCommand,
	}
}

// newRootCommand returns the whole command line.
func newRootCommand(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "ringfence",
		Short: "Keep every tenant of a cluster inside its own fence",
		Long: `Ringfence keeps every tenant of a Kubernetes cluster inside its own fence. It polls
a Git repository of network policies, renders one overlay per tenant namespace,
applies them, and reports within a second when the cluster no longer matches Git.

Exit codes: 0 clean, done, allowed; 1 findings, differences, denied; 2 it could
not tell (bad usage, no cluster, unknown).`,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	root.SetArgs(slices.Clone(env.Args))
	if env.Args == nil {
		root.SetArgs([]string{}) // nil would make cobra read the process's own
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if word := cmd.Flags().Arg(0); cmd == root && word != "" {
			return unknownCommand(root, word)
		}
		return usage(cmd, "%v", err)
	})
	root.SetHelpCommand(newHelpCommand(root))
	for _, make := range commands() {
		root.AddCommand(make(env))
	}
	return root
}

// newHelpCommand replaces cobra's, which ends with 0 for topics that it does
// not know.
func newHelpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return completions(root, args), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			topic, rest, err := root.Find(args)
			if err != nil || topic == root && len(args) > 0 || len(rest) > 0 {
				return unknownCommand(root, strings.Join(args, " "))
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

func completions(root *cobra.Command, args []string) []string {
	var names []string
	if len(args) == 0 {
		for _, c := range root.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name()+"\t"+c.Short)
			}
		}
	}
	return names
}

// usage returns an error about how a command was called, with a line on where to
// read more.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return fmt.Errorf("%s\nsee '%s --help'", fmt.Sprintf(format, args...), cmd.CommandPath())
}

func unknownCommand(root *cobra.Command, name string) error {
	hint := ""
	if near := root.SuggestionsFor(name); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
	}
	return usage(root, "unknown command %q%s", name, hint)
}

// arguments returns a check that there are at most as many arguments as names.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) <= len(names):
			return nil
		case len(names) == 0:
			return usage(cmd, "%s takes no arguments, not %q", cmd.CommandPath(), args[0])
		}
		return usage(cmd, "%s takes at most %s, not %q as well", cmd.CommandPath(), strings.Join(names, " and "), args[len(names)])
	}
}
