package controlplane

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// program is one of those that are built from the nested modules.
type program struct {
	what     string // in messages
	folder   string // of its module, in this package's
	variable string // of the environment: names a ready binary
	prefix   string // begins the name of a binary's folder in the user's cache
	file     string // the binary's name in there
	minutes  string // that a first build takes
	ldflags  func(goMod []byte) (string, error)
}

// serverProgram is etcd, kube-apiserver, its controllers and kubectl.
var serverProgram = &program{
	what: "the control plane", folder: "server", variable: "RINGFENCE_CONTROLPLANE",
	prefix: "controlplane-", file: "controlplane", minutes: "5",
	ldflags: func(goMod []byte) (string, error) {
		kubernetes, err := kubernetesVersion(goMod)
		return "-s -w " + versionFlags(kubernetes), err
	},
}

// calicoProgram is Calico's API server.
var calicoProgram = &program{
	what: "Calico's API server", folder: "calico", variable: "RINGFENCE_CALICO",
	prefix: "calico-", file: "calico", minutes: "4",
	ldflags: func([]byte) (string, error) { return "-s -w", nil },
}

var replacedBy = regexp.MustCompile(`(?m)=>\s+(\.\./\S+)\s*$`)

// sourceFolders returns the folder of a module, and those outside it that hold
// the modules of this checkout that its go.mod file puts in the place of
// published ones.
func sourceFolders(module string) ([]string, error) {
	goMod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return nil, err
	}
	folders := []string{module}
	for _, m := range replacedBy.FindAllStringSubmatch(string(goMod), -1) {
		folders = append(folders, filepath.Join(module, filepath.FromSlash(m[1])))
	}
	return folders, nil
}

// isSource reports whether a file of this name is part of a program.
func isSource(name string) bool {
	if strings.HasSuffix(name, "_test.go") {
		return false
	}
	return strings.HasSuffix(name, ".go") || name == "go.mod" || name == "go.sum"
}
