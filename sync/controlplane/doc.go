// Package controlplane runs a real Kubernetes control plane on this machine as
// a value: [Start] gives a client configuration, a kubeconfig file and a
// kubectl, and Stop takes it all away again. Tests and "ringfence demo" use it.
//
// The server is one binary, built from the Go module in the folder server
// (which see for what runs inside). [Binary] builds it once per version of its
// sources into the user's cache folder and finds it there afterwards. Calico's
// own API server is a second one, from the folder calico, that runs beside it
// with [CalicoAggregated] and is built by [CalicoBinary].
//
// # Guarantees
//
//   - What Start returns is ready: every request that a cluster answers is
//     answered, and with Config.Calico every resource of Calico is served.
//   - Nothing outlives the program: the servers leave when Stop is called and
//     when this process dies, by SIGKILL too, and a temporary folder goes with it.
//   - Only the loopback interface is listened on, at a port that the kernel chose.
//   - A folder that is used again keeps its objects, its port and its keys, so
//     that clients see one API server go away and come back.
//   - Concurrent calls, in one process or in several, build each binary once.
//
// It never touches a kubeconfig file of the user, and never downloads anything
// but Go modules, and these only to build the binary.
//
// # Limitations
//
// There is no scheduler, kubelet or data plane; the documentation of the two
// programs says what of Calico is there. Nothing restarts Calico's API server
// but StartCalico. The binaries can be built only from a checkout of this
// repository with Go at hand; elsewhere the environment variables
// RINGFENCE_CONTROLPLANE and RINGFENCE_CALICO must name ready ones. Linux and
// macOS only.
//
// # Alternatives rejected
//
// envtest (sigs.k8s.io/controller-runtime) wants etcd and kube-apiserver
// downloaded beforehand and starts no controller, so that a deleted namespace
// never goes. kind and k3s need containers or root. A server in the test's own
// process would put k8s.io/kubernetes into the daemon's go.mod, and could not
// be killed. Calico's API server inside the other's process would have to share
// a version of Kubernetes with it.
package controlplane
