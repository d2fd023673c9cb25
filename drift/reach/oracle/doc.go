// Package oracle is the root of a module that shows drift/reach, and kustomize/valid, against others: nothing of it, or of what it needs, ever
// reaches the daemon's go.mod. Its packages hold the tests, each against one of the others:
//
//   - cyclonus: all 230 cases of the conformance suite of Kubernetes NetworkPolicy, 124,884 verdicts.
//   - felix: random worlds through Calico's own conversion, calculation graph and checker.
//   - selector: a corpus and a fuzzer of selectors, against Calico's own parser.
//   - valid: objects with a few fields changed, and the inputs of Calico's own tests, through Calico's validator and
//     kustomize/valid.
//
// TestOracle in drift/reach runs them with those of the root module. With RINGFENCE_SCALE=full there are ten times as
// many worlds and selectors.
//
// # Guarantees
//
//   - What is compared is equal without exception; each class of cases on which others differ among themselves is a test
//     of its own that says who is right.
//   - The tests of a run are the same as those of the last: seeds are fixed.
//
// # Never
//
// Nothing here is ever imported by the daemon, reaches a network when it runs, or says of a difference that it is all
// right: it is explained by a test, or it fails.
//
// # Versions
//
// Calico's modules are those of v3.31.0, which needs the k8s.io modules at v0.33.5: the replace directives of its own
// go.mod do not bind others, so they are repeated here, with kube-openapi and gnostic-models at what k8s.io v0.33.5 was
// made with. The daemon has newer ones of all of these and of projectcalico/api; drift/reach is compiled here with the
// older, of which it needs only types. Calico's two modules are not in the checksum database: adding to go.sum needs
// GONOSUMDB=github.com/projectcalico/*, using it as it is needs nothing.
//
// Everything is compiled with CGO_ENABLED=0 and -trimpath, by CI's vet and lint as by TestOracle, so that Calico is
// compiled once.
//
// # Alternatives rejected
//
//   - Calico's newer code: 3.31 is the last that knows AdminNetworkPolicy, and one module can have one version only.
//   - Build tags in the root module: its go.mod would still hold some 150 more modules.
package oracle
