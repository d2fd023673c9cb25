package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/enforcer"
)

const (
	calico = "calico"
	vpcCNI = "aws-vpc-cni"
)

// enforcers looks what enforces policies, and on which nodes.
func (e *examination) enforcers(ctx context.Context) {
	list, err := e.kube.AppsV1().DaemonSets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		e.blind("enforcer", Unknown, "what enforces policies", err)
		return
	}
	e.sets = append([]appsv1.DaemonSet{}, list.Items...)
	sets := make([]*appsv1.DaemonSet, len(e.sets))
	for i := range e.sets {
		sets[i] = &e.sets[i]
	}
	nodes, err := e.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		e.blind("nodes", Skipped, "the nodes themselves", err)
		nodes = nil
	}
	found := enforcer.All(sets)
	if len(found) == 0 {
		e.nobody(nodes)
		return
	}
	first := found[0]
	if first.Engine == calico {
		e.calico = first.Version
	}
	e.ok("enforcer", "%s %s enforces policies (DaemonSet %s/%s)", first.Engine, first.Version, first.Set.Namespace, first.Set.Name)
	for _, second := range found[1:] {
		e.beside(first.Engine, second)
	}
	e.coverage(ctx, first, nodes)
	e.interfaces(ctx, sets, first)
}

// nobody tells that nothing known enforces, unless the nodes look as if something did that has no DaemonSet.
func (e *examination) nobody(nodes *corev1.NodeList) {
	const do = "install Calico: base/calico/install; cmd/ringfence/docs/install-eks.md for EKS"
	if nodes != nil && len(nodes.Items) > 0 {
		node := nodes.Items[0]
		switch {
		case strings.Contains(node.Status.NodeInfo.KubeletVersion, "+k3s"):
			e.add("enforcer", Unknown, "k3s enforces Kubernetes' policies by itself, unless it was told not to", "it has kube-router inside, which no DaemonSet shows", "see that k3s runs without --disable-network-policy")
			return
		case node.Labels["eks.amazonaws.com/compute-type"] == "auto":
			e.add("enforcer", Unknown, "EKS Auto Mode's nodes enforce Kubernetes' policies only if they were told to", "their agent has no DaemonSet",
				"see the NodeClass' networkPolicy, and enable-network-policy-controller in the ConfigMap kube-system/amazon-vpc-cni")
			return
		}
	}
	e.add("enforcer", Error, "nothing that is known enforces policies in this cluster", "every fence is only an object: each pod reaches each", do)
}

// beside tells of an engine that enforces beside the first.
func (e *examination) beside(first string, second enforcer.Found) {
	do := "keep one of them"
	if second.Engine == vpcCNI {
		do = "turn the agent off: enableNetworkPolicy false in the VPC CNI add-on's configuration (--enable-network-policy=false in DaemonSet kube-system/aws-node)"
	}
	e.add("enforcer", Warning, fmt.Sprintf("%s %s enforces beside %s", second.Engine, second.Version, first),
		"a packet passes only if both let it, each by the kinds that it knows: what is said here of connections is not what happens, and what one of them denies does not show in the other", do)
}

// coverage tells on which nodes the engine is not ready.
func (e *examination) coverage(ctx context.Context, engine enforcer.Found, nodes *corev1.NodeList) {
	const why = "pods there run without fences, or with those of before"
	pods, err := e.podsOf(ctx, engine.Set)
	if err != nil || nodes == nil {
		if engine.Missing > 0 {
			e.add("nodes", Error, fmt.Sprintf("%s is not ready on %d of %d nodes", engine.Engine, engine.Missing, engine.Missing+engine.Ready), why, kubectlPods(engine.Set))
		} else {
			e.ok("nodes", "%s is ready on all %d nodes that its DaemonSet wants", engine.Engine, engine.Ready)
		}
		return
	}
	var without, broken, virtual []string
	for _, n := range nodes.Items {
		ready, there := pods[n.Name]
		switch {
		case there && ready:
		case there:
			broken = append(broken, n.Name)
		case isVirtual(n):
			virtual = append(virtual, n.Name)
		default:
			without = append(without, n.Name)
		}
	}
	all := len(nodes.Items)
	if len(broken) > 0 {
		e.add("nodes", Error, fmt.Sprintf("%s is not ready on %d of %d nodes: %s", engine.Engine, len(broken), all, few(broken)), why, kubectlPods(engine.Set))
	}
	if len(without) > 0 {
		e.add("nodes", Error, fmt.Sprintf("%s has no pod on %d of %d nodes: %s", engine.Engine, len(without), all, few(without)),
			"pods there run without fences", "see the DaemonSet's tolerations and nodeSelector against the nodes' taints and labels, or keep tenants off these nodes")
	}
	if len(virtual) > 0 {
		e.add("nodes", Warning, fmt.Sprintf("%s cannot run on %d of %d nodes, which are virtual: %s", engine.Engine, len(virtual), all, few(virtual)),
			"no policy has an effect on pods there", "keep tenants off these nodes")
	}
	if len(broken)+len(without)+len(virtual) == 0 {
		e.ok("nodes", "%s is ready on all %d nodes", engine.Engine, all)
	}
}

// podsOf returns whether the DaemonSet's pod is ready, by node.
func (e *examination) podsOf(ctx context.Context, set *appsv1.DaemonSet) (map[string]bool, error) {
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil {
		return nil, err
	}
	list, err := e.kube.CoreV1().Pods(set.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i := range list.Items {
		p := &list.Items[i]
		if !metav1.IsControlledBy(p, set) || p.Spec.NodeName == "" {
			continue
		}
		ready := slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
		out[p.Spec.NodeName] = out[p.Spec.NodeName] || ready
	}
	return out, nil
}

// isVirtual says whether a node has no kernel of its own that an engine could program.
func isVirtual(n corev1.Node) bool {
	return n.Labels["eks.amazonaws.com/compute-type"] == "fargate" || n.Labels["type"] == "virtual-kubelet"
}

// interfaces tells of a Calico that does not look at the interfaces of the VPC CNI's pods.
func (e *examination) interfaces(ctx context.Context, sets []*appsv1.DaemonSet, engine enforcer.Found) {
	aws := slices.ContainsFunc(sets, func(s *appsv1.DaemonSet) bool { return s.Namespace == "kube-system" && s.Name == "aws-node" })
	if !aws || engine.Engine != calico {
		return
	}
	prefix, _ := environment(engine.Set, "FELIX_INTERFACEPREFIX")
	if prefix == "" {
		prefix = e.felixSetting(ctx, "interfacePrefix")
	}
	if !strings.Contains(prefix, "eni") {
		if prefix == "" {
			prefix = "cali, the default"
		}
		e.add("enforcer", Error, fmt.Sprintf("Calico looks at interfaces whose names begin with %s, and the VPC CNI calls pods' interfaces eni…", prefix),
			"Calico sees no pod, and enforces nothing on any", "install with spec.cni.type: AmazonVPC (base/calico/install), or set FELIX_INTERFACEPREFIX=eni on calico-node")
	}
}

func environment(set *appsv1.DaemonSet, name string) (string, bool) {
	for _, c := range set.Spec.Template.Spec.Containers {
		for _, v := range c.Env {
			if v.Name == name {
				return v.Value, true
			}
		}
	}
	return "", false
}

func kubectlPods(set *appsv1.DaemonSet) string {
	return fmt.Sprintf("kubectl get pods -n %s -o wide, and the log of the one that is not ready", set.Namespace)
}

// few names at most five.
func few(names []string) string {
	const most = 5
	slices.Sort(names)
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
