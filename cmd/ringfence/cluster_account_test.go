package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/ringfence/ringfence/sync/controlplane"
)

// daemonKubeconfig names the kubeconfig file of the daemon alone; KUBECONFIG is that of people.
const daemonKubeconfig = "DAEMON_KUBECONFIG"

// program is the command as scripts run it: the daemon has the rights of its own ServiceAccount, whatever people
// have, and can write nowhere but in its data folder.
func program() {
	if own := os.Getenv(daemonKubeconfig); own != "" && len(os.Args) > 1 && os.Args[1] == "run" {
		os.Setenv("KUBECONFIG", own)
		os.Setenv("TMPDIR", "/nonexistent")
	}
	main()
}

// people is somebody who may read, as base/ringfence/readers.yaml says how.
const people = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: people, namespace: ringfence-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: people}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ringfence-reader}
subjects: [{kind: ServiceAccount, name: people, namespace: ringfence-system}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: people, namespace: ringfence-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: ringfence-reader}
subjects: [{kind: ServiceAccount, name: people, namespace: ringfence-system}]
`

// useAccounts installs base/ringfence, as it is, in a script's control plane. The script's daemon has the token of its
// ServiceAccount, and its people have one that is bound to the roles for readers; kubectl stays the administrator's.
func useAccounts(ts *testscript.TestScript, plane *controlplane.ControlPlane) {
	ts.Check(install(plane.Kubectl(), filepath.Join(ts.Getenv("EXAMPLE"), "base", "ringfence")))
	for variable, account := range map[string]string{daemonKubeconfig: "ringfence", "KUBECONFIG": "people"} {
		path := ts.MkAbs(".accounts/" + account)
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
		ts.Check(writeAccount(plane, "ringfence-system", account, path))
		ts.Setenv(variable, path)
	}
}

// install applies base/ringfence as its file says, with the strictest validation that there is, and people beside it.
func install(kubectl, folder string) error {
	for _, args := range [][]string{{"-k", folder}, {"-f", "-"}} {
		cmd := exec.Command(kubectl, append([]string{"apply", "--server-side", "--validate=strict"}, args...)...)
		cmd.Stdin = strings.NewReader(people)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("installing base/ringfence: %w\n%s", err, out)
		}
	}
	return nil
}

// writeAccount writes a kubeconfig file with a token of a ServiceAccount.
func writeAccount(plane *controlplane.ControlPlane, namespace, account, path string) error {
	kube, err := kubernetes.NewForConfig(plane.REST())
	if err != nil {
		return err
	}
	hour := int64(3600)
	request, err := kube.CoreV1().ServiceAccounts(namespace).CreateToken(context.Background(), account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	config, err := clientcmd.LoadFromFile(plane.Kubeconfig())
	if err != nil {
		return err
	}
	for _, c := range config.Contexts {
		config.AuthInfos[c.AuthInfo] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	}
	return clientcmd.WriteToFile(*config, path)
}
