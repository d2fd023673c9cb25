package enforcer

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// The engines that are none.
const (
	None    = "none"    // nothing that is known enforces policies
	Unknown = "unknown" // it could not be seen
)

// Engine is one that enforces policies, and how it is told.
type Engine struct {
	// Name is what it is called in metrics.
	Name string
	// DaemonSets are the names that it may have, and Namespaces where.
	DaemonSets, Namespaces []string
	// Container is the one whose image has the version.
	Container string
	// Argument is what that container must be started with; "" for nothing.
	Argument string
}

// Known returns the engines that are looked for; of several the first counts. The names are those of the engines' own
// manifests and charts: Calico's operator and manifests (canal: Calico's policies on flannel), Cilium and its
// edition in GKE, Antrea, OVN-Kubernetes, kube-router, Azure's, and that of the Amazon VPC CNI, whose agent is
// there always and enforces only if it is told to.
func Known() []Engine {
	system := []string{"kube-system"}
	return []Engine{
		{Name: "calico", DaemonSets: []string{"calico-node", "canal"}, Namespaces: []string{"calico-system", "kube-system"}, Container: "calico-node"},
		{Name: "cilium", DaemonSets: []string{"cilium", "anetd"}, Namespaces: []string{"kube-system", "cilium"}, Container: "cilium-agent"},
		{Name: "antrea", DaemonSets: []string{"antrea-agent"}, Namespaces: system, Container: "antrea-agent"},
		{Name: "ovn-kubernetes", DaemonSets: []string{"ovnkube-node"}, Namespaces: []string{"openshift-ovn-kubernetes", "ovn-kubernetes"}},
		{Name: "kube-router", DaemonSets: []string{"kube-router"}, Namespaces: system, Container: "kube-router"},
		{Name: "azure-npm", DaemonSets: []string{"azure-npm"}, Namespaces: system, Container: "azure-npm"},
		{Name: "aws-vpc-cni", DaemonSets: []string{"aws-node"}, Namespaces: system, Container: "aws-eks-nodeagent", Argument: "--enable-network-policy=true"},
	}
}

// State is what enforces policies, on how many nodes.
type State struct {
	// Engine is the name of one of Known, None or Unknown.
	Engine string
	// Version is the tag of its image; "" where there is none.
	Version string
	// Ready is on how many nodes it is ready, Missing on how many it should be and is not.
	Ready, Missing int
}

// Found is an engine that was found.
type Found struct {
	State
	// Set is its DaemonSet.
	Set *appsv1.DaemonSet
}

// All returns every engine that the DaemonSets of a cluster are of, in the order of Known.
func All(sets []*appsv1.DaemonSet) (out []Found) {
	for _, e := range Known() {
		for _, set := range sets {
			version, is := e.is(set)
			if !is {
				continue
			}
			wanted, ready := int(set.Status.DesiredNumberScheduled), int(set.Status.NumberReady)
			out = append(out, Found{State{Engine: e.Name, Version: version, Ready: ready, Missing: max(0, wanted-ready)}, set})
			break
		}
	}
	return out
}

// assess returns what the DaemonSets of a cluster come to.
func assess(sets []*appsv1.DaemonSet) State {
	if all := All(sets); len(all) > 0 {
		return all[0].State
	}
	return State{Engine: None}
}

// is says whether the DaemonSet is the engine's, and in which version.
func (e Engine) is(set *appsv1.DaemonSet) (version string, is bool) {
	if !slices.Contains(e.DaemonSets, set.Name) || !slices.Contains(e.Namespaces, set.Namespace) {
		return "", false
	}
	containers := set.Spec.Template.Spec.Containers
	i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == e.Container })
	if i < 0 {
		return "", e.Argument == ""
	}
	return tag(containers[i].Image), e.Argument == "" || slices.Contains(containers[i].Args, e.Argument)
}

// tag returns the tag of an image; "" where there is none.
func tag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	_, tag, found := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	if !found {
		return ""
	}
	return tag
}
