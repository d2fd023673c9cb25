// Package child is what the programs that package controlplane starts have in
// common: they leave with their parent ([ToldToLeave]), keep the port that
// their clients know ([Listen]), say when they are ready ([Ready]) and have
// keys (package pki).
//
// # Guarantees
//
//   - A program whose parent is gone leaves, whatever ended the parent.
//   - A port is held from the moment that it is known.
//
// It never listens on anything but the loopback interface.
//
// # Limitations
//
// A port that another program has taken meanwhile is waited for five seconds
// and then reported: what clients know is not changed behind their backs.
//
// # Alternatives rejected
//
// The programs are Go modules of their own, since each needs another version
// of Kubernetes; a package of either would bring that version along, and one of
// the root module all that the daemon needs. This is therefore a third module,
// of the standard library alone, inside the first.
package child
