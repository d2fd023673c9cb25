package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// leaveWhenTold ends the process on SIGTERM, and on an interrupt or on the end
// of standard input, whichever the options ask for. It never returns.
//
// With o.parent, standard input is a pipe whose other end the parent alone
// holds: the kernel closes it when the parent dies, whatever killed it. A
// terminal's interrupt then reaches parent and child alike, and the parent
// decides.
func leaveWhenTold(o options) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	ended := make(chan struct{})
	if o.parent {
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
	leave(o)
}

// leave ends the process at once: what is kept survives the death of a
// process as it is, and an orderly shutdown of kube-apiserver takes seconds.
// A temporary folder is removed first, within one second.
func leave(o options) {
	if o.temporary {
		removed := make(chan struct{})
		go func() {
			defer close(removed)
			// etcd goes on writing meanwhile: what it leaves after the first
			// pass, the second one takes.
			for range 2 {
				_ = os.RemoveAll(o.data)
			}
		}()
		select {
		case <-removed:
		case <-time.After(time.Second):
		}
	}
	os.Exit(0)
}
