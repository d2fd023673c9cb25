// Package validate finds out what the API server would refuse before anything is written.
//
// First without asking: objects are checked against the schemas that the API server itself publishes (OpenAPI v3), by the
// code that it uses for custom resources: unknown fields, types, values, lists that are maps or sets, CEL rules. Then, once
// for all objects that are equal but for their namespace, the API server is asked by a server-side apply as dry-run, which
// goes through its admission too.
//
// # What it guarantees
//
//   - What it finds without asking, the API server refuses too (a property test holds this against a real one).
//   - Every fault of every object is found at once, with the way to the field, and a hint.
//   - What was accepted is remembered for all objects that are equal but for their namespace, as long as the schema of their
//     kind is the same; of several that ask at once, one does. Schemas are read again only after definitions may have changed
//     ([drift.Cluster.Definitions]), and then only those whose hash is another.
//   - A fault that passes (no answer, 401, 404, 408, 409, 429, 5xx) is no verdict: it is the error, and never a Fault.
//
// # Where an object is tried
//
// In its own namespace, if that exists and is not being deleted. If not, in another tenant's, in Ringfence's own, or in
// "default": admission rules may be of one namespace, so it is refused only if three of them refuse it. A full quota there
// says nothing. What is refused is not remembered, for the same reason: another tenant asks for itself.
//
// # What it never does
//
// It never writes, and never concludes from silence. It says nothing of rules about changes ("is immutable"): an object that
// cannot be changed is recreated. It does not try what has no dry-run: Calico's own API server checks nothing in one, and
// neither do webhooks that have side effects.
//
// # Limitations
//
//   - The rules of built-in kinds that are Go code in the API server (a port is at most 65535) are in no schema: package
//     kustomize knows those of the guarded kinds, and the dry-run finds the rest.
//   - Of definitions whose schemas are read while they change, the old one may be used for some seconds.
//   - An admission rule that is new does not make anybody ask again: the first write tells.
//
// # Alternatives rejected
//
// A dry-run of every object: a third of the throughput, and NotFound in a namespace that is yet to be made.
// sigs.k8s.io/kubectl-validate: for a command line, it brings its own copies of schemas and loads all of them. Schemas that are
// compiled in: a cluster may serve others. Reading CustomResourceDefinitions: one more permission, and nothing of built-in
// kinds; their OpenAPI documents hold the same schemas, rules included.
package validate
