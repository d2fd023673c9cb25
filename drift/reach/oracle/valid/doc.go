// Package valid holds kustomize/valid, which says offline what Calico refuses, against Calico's own validator: objects
// that Calico takes, with up to four fields changed to what may stand there and may not. Each field is one of
// testdata/fields.yaml.
//
// It guarantees that the verdict on each object, with the selectors of drift/reach, is equal without exception but for
// the two that kustomize/valid documents.
//
// It never looks at the Kubernetes part of a StagedKubernetesNetworkPolicy, and needs no API server: what Calico's
// own server refuses, and how, is seen in sync/controlplane.
package valid
