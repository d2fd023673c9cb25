package child

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// ToldToLeave returns when the process should end: on SIGTERM, and with parent
// at the end of standard input, without it on an interrupt. temporary is a
// folder that is removed first, within one second; empty: none. The caller then
// ends the process at once: what is kept survives the death of a process as it
// is, and an orderly shutdown of an API server takes seconds.
//
// With parent, standard input is a pipe whose other end the parent alone
// holds: the kernel closes it when the parent dies, whatever killed it. A
// terminal's interrupt then reaches parent and child alike, and the parent
// decides.
func ToldToLeave(parent bool, temporary string) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	ended := make(chan struct{})
	if parent {
		signal.Ignore(os.Interrupt)
		go func() {
			defer close(ended)
			_, _ = io.Copy(io.Discard, os.Stdin)
		}()
	} else {
		signal.Notify(told, os.Interrupt)
	}
	select {
	case <-told:
	case <-ended:
	}
	remove(temporary)
}

// remove removes a folder, with what is in it as far as a second suffices.
func remove(temporary string) {
	if temporary == "" {
		return
	}
	removed := make(chan struct{})
	go func() {
		defer close(removed)
		// etcd goes on writing meanwhile: what it leaves after the first
		// pass, the second one takes.
		for range 2 {
			_ = os.RemoveAll(temporary)
		}
	}()
	select {
	case <-removed:
	case <-time.After(time.Second):
	}
}
