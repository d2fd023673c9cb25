package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
	"github.com/ringfence/ringfence/sources"
)

func newConfigCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config [--config FILE] [--repository DIR]",
		Short: "The effective configuration, with every default",
		Long: `Prints the effective configuration with every default: that of the daemon's own
file (--config), that of a policy repository's ringfence.yaml (--repository), or both;
then the second is as the daemon sees it, with the keys that its own file pins.
Without either flag it is ringfence.yaml in the current folder. A repository without
ringfence.yaml has every default. Files that hold secrets are not looked at.`,
		Args: arguments(),
	}
	file := cmd.Flags().String("config", "", "the daemon's own file, as in run --config")
	dir := cmd.Flags().String("repository", "", `a policy repository's folder (default ".", unless --config is given)`)
	must(cmd.MarkFlagFilename("config", "yaml", "yml"))
	must(cmd.MarkFlagDirname("repository"))
	output := outputFlag(cmd, "yaml", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("config") && *dir == "" {
			*dir = "."
		}
		trees, err := effective(*file, cmd.Flags().Changed("config"), *dir)
		if err != nil {
			return err
		}
		if output.value == "yaml" {
			return strict.WriteYAML(cmd.OutOrStdout(), trees...)
		}
		var items []json.RawMessage
		for _, tree := range trees {
			item, err := strict.MarshalJSON(tree)
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		if len(items) == 1 {
			return writeJSON(cmd.OutOrStdout(), items[0])
		}
		return writeJSON(cmd.OutOrStdout(), listOf(items))
	}
	return cmd
}

// effective returns the daemon's configuration if withDaemon, and the
// repository's if dir is not "".
func effective(file string, withDaemon bool, dir string) (trees []*yaml.Node, err error) {
	var daemon *config.Daemon
	if withDaemon {
		if daemon, err = readDaemon(file); err != nil {
			return nil, err
		}
		trees = append(trees, daemon.Tree())
	}
	if dir == "" {
		return trees, nil
	}
	snapshot, err := sources.Folder(dir)
	if err != nil {
		return nil, err
	}
	repository, err := config.ReadRepository(snapshot.FS())
	if err != nil {
		return nil, err
	}
	if daemon != nil {
		if repository, err = daemon.Merge(repository); err != nil {
			return nil, err
		}
	}
	return append(trees, repository.Tree()), nil
}

// readDaemon reads the daemon's own file.
func readDaemon(file string) (*config.Daemon, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return config.ParseDaemon(file, data)
}
