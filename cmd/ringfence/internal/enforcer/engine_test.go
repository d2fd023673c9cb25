package enforcer

import (
	"testing"

	"github.com/stretchr/testify/assert"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// set is a DaemonSet with one container.
func set(namespace, name string, wanted, ready int32, c corev1.Container) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "other", Image: "other:v0"}, c}}}},
		Status:     appsv1.DaemonSetStatus{DesiredNumberScheduled: wanted, NumberReady: ready},
	}
}

func TestAssess(t *testing.T) {
	calico := corev1.Container{Name: "calico-node", Image: "quay.io/calico/node:v3.31.0"}
	agent := corev1.Container{Name: "aws-eks-nodeagent", Image: "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon/aws-network-policy-agent:v1.2.7-eksbuild.1"}
	enforcing := agent
	enforcing.Args = []string{"--enable-ipv6=false", "--enable-network-policy=true"}
	for _, tt := range []struct {
		name string
		sets []*appsv1.DaemonSet
		want State
	}{
		{"nothing at all", nil, State{Engine: None}},
		{"a DaemonSet of something else", []*appsv1.DaemonSet{set("kube-system", "kube-proxy", 3, 3, corev1.Container{})}, State{Engine: None}},
		{"Calico by its operator", []*appsv1.DaemonSet{set("calico-system", "calico-node", 3, 3, calico)}, State{Engine: "calico", Version: "v3.31.0", Ready: 3}},
		{"not on every node", []*appsv1.DaemonSet{set("kube-system", "calico-node", 3, 1, calico)}, State{Engine: "calico", Version: "v3.31.0", Ready: 1, Missing: 2}},
		{"one that a tenant calls so", []*appsv1.DaemonSet{set("caas-acme", "calico-node", 3, 3, calico)}, State{Engine: None}},
		{"the agent of the VPC CNI, which is not told to enforce", []*appsv1.DaemonSet{set("kube-system", "aws-node", 2, 2, agent)}, State{Engine: None}},
		{"the same, which is", []*appsv1.DaemonSet{set("kube-system", "aws-node", 2, 2, enforcing)}, State{Engine: "aws-vpc-cni", Version: "v1.2.7-eksbuild.1", Ready: 2}},
		{
			"Calico beside it",
			[]*appsv1.DaemonSet{set("kube-system", "aws-node", 2, 2, enforcing), set("calico-system", "calico-node", 2, 2, calico)},
			State{Engine: "calico", Version: "v3.31.0", Ready: 2},
		},
		{"more ready than wanted, for a moment", []*appsv1.DaemonSet{set("kube-system", "cilium", 1, 2, corev1.Container{})}, State{Engine: "cilium", Ready: 2}},
	} {
		assert.Equal(t, tt.want, assess(tt.sets), tt.name)
	}
}

func TestTag(t *testing.T) {
	for image, want := range map[string]string{
		"quay.io/calico/node:v3.31.0": "v3.31.0", "node": "", "registry:5000/node": "", "registry:5000/node:v1@sha256:00": "v1", "node@sha256:00": "", "": "",
	} {
		assert.Equal(t, want, tag(image), image)
	}
}
