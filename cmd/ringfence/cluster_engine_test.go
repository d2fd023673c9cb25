package main

import (
	"os/exec"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// calicoEngine is what Calico's operator leaves behind, as far as anyone can see in the API: a DaemonSet, and its pod on the one node.
const calicoEngine = `
kubectl create namespace calico-system
kubectl apply -f - <<END
apiVersion: v1
kind: Node
metadata: {name: one}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: calico-system}
spec:
  selector: {matchLabels: {k8s-app: calico-node}}
  template:
    metadata: {labels: {k8s-app: calico-node}}
    spec:
      containers:
      - name: calico-node
        image: quay.io/calico/node:v3.31.0
        env: [{name: FELIX_INTERFACEPREFIX, value: eni}]
END
kubectl patch daemonset calico-node -n calico-system --subresource=status --type=merge -p '{"status":{"desiredNumberScheduled":1,"numberReady":1,"currentNumberScheduled":1,"numberMisscheduled":0}}'
kubectl create -f - <<END
apiVersion: v1
kind: Pod
metadata:
  name: calico-node-one
  namespace: calico-system
  labels: {k8s-app: calico-node}
  ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: calico-node, uid: $(kubectl get daemonset calico-node -n calico-system -o 'jsonpath={.metadata.uid}'), controller: true}]
spec:
  nodeName: one
  automountServiceAccountToken: false
  containers: [{name: calico-node, image: node}]
END
kubectl patch pod calico-node-one -n calico-system --subresource=status --type=merge -p '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
`

// installEngine makes the API look as if Calico enforced: enforcing.
func installEngine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: enforcing")
	}
	cmd := exec.Command("bash", "-e")
	cmd.Env = command(ts, "kubectl").Env
	cmd.Env = append(cmd.Env, "PATH="+ts.Getenv("PATH"))
	cmd.Stdin = strings.NewReader(calicoEngine)
	out, err := cmd.CombinedOutput()
	if err != nil {
		ts.Fatalf("installing an engine: %v\n%s", err, out)
	}
}
