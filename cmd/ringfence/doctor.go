package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/doctor"
)

func newDoctorCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [DIR] [--config FILE]",
		Short: "Is anything enforcing, and what else keeps fences from standing",
		Long: `Looks at the cluster, and says for each thing that it finds what is wrong, why that matters and
what to do: whether anything enforces policies, on which nodes, and whether two engines do; who
serves Calico's kinds, and in which version; settings of Felix that break fences; what may not
be done of what the daemon does; the clocks; what the daemon keeps.

With --config, the daemon's own file, also: whether it is valid, its source can be fetched as the daemon
does, everything in it renders, and the guard isolates. Without it, the policy repository in DIR is looked
at, if one is named. Nothing is written.

The rights are those of whoever asks: --as system:serviceaccount:ringfence-system:ringfence asks for
the daemon's, which needs the right to impersonate it.

Exit codes: 0 all is well; 1 warnings or errors; 2 something could not be seen, or the cluster not
reached. What is "skipped" was not looked at and changes nothing of that.`,
		Args: arguments("DIR"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cluster := clusterFlags(cmd)
	file := cmd.Flags().String("config", "", "the daemon's own file, as in run --config")
	as := cmd.Flags().String("as", "", "whose rights are asked for (default: your own)")
	must(cmd.MarkFlagFilename("config", "yaml", "yml"))
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("config") && *file == "" {
			return usage(cmd, "--config is empty")
		}
		if *file != "" && len(args) > 0 {
			return usage(cmd, "--config names the source: leave DIR out")
		}
		c := doctor.Config{Daemon: config.DefaultDaemon(), As: *as}
		if len(args) > 0 {
			c.Folder = args[0]
		}
		var before []doctor.Finding
		if *file != "" {
			daemon, err := readDaemon(*file)
			if err != nil {
				before = doctor.ConfigFindings(err)
			} else {
				c.Daemon, c.Given = daemon, true
			}
		}
		var err error
		if c.REST, err = cluster.rest(); err != nil {
			return err
		}
		silenceClient()
		report, err := doctor.Examine(cmd.Context(), c, before...)
		if err != nil {
			return err
		}
		if err := writeDoctor(cmd.OutOrStdout(), report, output.value); err != nil {
			return err
		}
		switch report.Outcome {
		case doctor.Unclear:
			return &exitError{code: exitUnknown}
		case doctor.Findings:
			return &exitError{code: exitFindings}
		}
		return nil
	}
	return cmd
}

// writeDoctor prints a report: in text a line for each finding.
func writeDoctor(out io.Writer, report doctor.Report, format string) error {
	if format == "json" {
		return writeJSON(out, report)
	}
	l := &lines{}
	for _, f := range report.Findings {
		text := f.What
		if f.Why != "" {
			text += ": " + f.Why
		}
		if f.Do != "" {
			text += " (hint: " + f.Do + ")"
		}
		l.add("%-7s  %-11s  %s", f.Level, f.Check, text)
	}
	return l.write(out)
}
