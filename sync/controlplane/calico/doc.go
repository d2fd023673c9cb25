// Command calico is Calico's own API server, v3.31.0, as a child of package
// controlplane: it serves projectcalico.org/v3 above crd.projectcalico.org/v1,
// beside the kube-apiserver of module server, which hands the group on to it.
//
// It is a Go module of its own, so that neither the daemon's go.mod nor the
// server's ever sees the older Kubernetes that Calico is made for. Package
// controlplane, one folder up, builds it, starts it and ends it; run by hand,
// beside "server serve --calico aggregated" on the same data folder, it prints
// a line of JSON when it is ready and stays until it is interrupted:
//
//	calico apiserver --data /tmp/cluster
//
// # Guarantees
//
//   - The server is Calico's own code, with the options of its own main.
//   - It listens on the loopback interface, on a port that the kernel chose and
//     that the data folder remembers. kube-apiserver verifies its certificate, and
//     it delegates authentication and authorization to kube-apiserver.
//   - With --parent, it does not outlive the process that holds the other end
//     of standard input, however that one dies.
//   - "Ready" means: a client of kube-apiserver finds the resources and the tiers
//     that Calico makes by itself.
//
// It never changes what Calico's code answers, and listens nowhere else.
//
// # Limitations
//
// Its own rights are those of the group system:masters, not of a service account.
// Its client may send 5,000 requests each second of a kind instead of 50, so that
// tests need not wait, unless the environment variable CALICO_K8SCLIENTQPS says
// otherwise. There is one of it, not two.
//
// Calico's modules are not in the checksum database: adding to go.sum needs
// GONOSUMDB=github.com/projectcalico/*, using it as it is needs nothing. The
// replace directives of Calico's own go.mod do not bind others and are repeated
// here.
//
// # Alternatives rejected
//
// Calico's image needs a container runtime. A proxy that imitates the server
// would show what we believe of it, not what it does.
package main
