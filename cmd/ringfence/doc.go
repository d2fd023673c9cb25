// Command ringfence keeps every tenant of a Kubernetes cluster inside its own
// fence: it polls a Git repository of network policies, renders one overlay per
// tenant, applies what they render to, and reports when the cluster no longer matches.
//
// Each command is a value that a function in its own file makes; root.go lists
// them. Arguments, streams and the environment are parameters (environment), so that
// a command can be run anywhere. Results go to stdout, everything else to stderr.
//
// It guarantees the same exit codes whatever the output format: 0 clean, done or
// allowed; 1 findings, differences or denied; 2 it could not tell.
//
// It never writes to a cluster except in run and demo, and never reads the
// environment beyond what kubectl and Git proxies do.
//
// Limitations: reading a policy repository from a plain folder (render) does not
// care whether Git would see the files: ignored and uncommitted ones count.
//
// Rejected: one package per command, which would need a shared package for what
// commands have in common; settings in environment variables (see internal/config).
package main
