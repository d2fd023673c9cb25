// Command server is a whole Kubernetes control plane in one process, for
// tests and demonstrations: etcd, kube-apiserver and the few controllers
// without which its API does not behave like a cluster's (deletion of
// namespaces, garbage collection, service accounts and their tokens,
// aggregation of cluster roles). Called as kubectl, or with kubectl as its
// first argument, it is kubectl.
//
// It is a Go module of its own, so that no other program's go.mod ever sees
// k8s.io/kubernetes. Package controlplane, one folder up, builds it, starts
// it and ends it; run by hand it prints a line of JSON when it is ready and
// stays until it is interrupted:
//
//	server serve --data /tmp/cluster --calico crd
//	KUBECONFIG=/tmp/cluster/kubeconfig server kubectl get namespaces
//
// # Guarantees
//
//   - Everything listens on the loopback interface or on sockets inside the
//     data folder. The API server's port is chosen by the kernel and held from
//     that moment; a data folder that is used again keeps its port and its keys.
//   - Authentication is by client certificate or token; authorization is Node
//     and RBAC; admission is kube-apiserver's default set.
//   - With --parent, nothing outlives the process that holds the other end of
//     standard input, however that one dies.
//   - "Ready" means: every controller runs on synced caches, the aggregated
//     roles have their rules, the default service account exists, and with
//     --calico each Calico resource is served.
//
// # Limitations
//
// There is no scheduler, no kubelet and no controller for workloads: a
// Deployment stays a Deployment and a Pod stays Pending. Calico's resources
// are custom resources: with "--calico crd", projectcalico.org/v3 has the
// validation and the defaults of the published schemas and nothing more (no
// tiered RBAC, no defaulting of spec.types, no tier label); with "--calico
// aggregated" only crd.projectcalico.org/v1 is served, and the module in the
// folder ../calico serves the rest.
//
// # Alternatives rejected
//
// The released binaries of etcd and kube-apiserver would have to be
// downloaded and trusted apart from go.sum. The whole kube-controller-manager
// links 290 packages more (volumes, clouds, scheduling) for six controllers
// and holds back namespace deletion for five seconds, for the sake of a second
// API server that is never there.
package main
