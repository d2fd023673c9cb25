package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// shells are the shells that completion serves, in the order of the help.
var shells = []string{"bash", "zsh", "fish"}

func newCompletionCommand(environment) *cobra.Command {
	return &cobra.Command{
		Use:   "completion " + strings.Join(shells, "|"),
		Short: "A script that completes commands and flags in a shell",
		Long: `Prints a script that completes ringfence's commands and flags in a shell.

  bash   source <(ringfence completion bash)
         (needs the package bash-completion; put the line into ~/.bashrc)
  zsh    ringfence completion zsh > "${fpath[1]}/_ringfence"
         (needs "autoload -U compinit; compinit" in ~/.zshrc)
  fish   ringfence completion fish > ~/.config/fish/completions/ringfence.fish`,
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains(shells, args[0]) {
				return nil
			}
			return usage(cmd, "%s takes one of %s", cmd.CommandPath(), strings.Join(shells, ", "))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return complete(cmd.Root(), args[0], cmd.OutOrStdout())
		},
	}
}

func complete(root *cobra.Command, shell string, w io.Writer) error {
	switch shell {
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	}
	return root.GenBashCompletionV2(w, true)
}
