package controlplane

import (
	"os"
	"strings"
)

// writeKubectl writes the executable file path: the server's binary as
// kubectl, with kubeconfig. It is a script because a link could say nothing of
// the configuration, and a kubectl that spoke to whatever cluster the user's
// KUBECONFIG names would be a trap.
func writeKubectl(path, binary, kubeconfig string) error {
	script := "#!/bin/sh\nKUBECONFIG=" + quote(kubeconfig) + " exec " + quote(binary) + " kubectl \"$@\"\n"
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(script), 0o700); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// quote returns s as one word of the shell.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
