package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/sync/controlplane"
)

var manifestsFolder = filepath.Join(repositoryRoot, "base", "ringfence")

func kustomized(t *testing.T, folder string) resmap.ResMap {
	t.Helper()
	out, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	require.NoError(t, err)
	return out
}

// find decodes the object of a kind and name, strictly.
func find(t *testing.T, objects resmap.ResMap, kind, name string, into any) {
	t.Helper()
	for _, r := range objects.Resources() {
		if r.GetKind() == kind && (r.GetName() == name || strings.HasPrefix(r.GetName(), name+"-")) { // what is generated has a hash
			require.NoError(t, yaml.UnmarshalStrict([]byte(r.MustYaml()), into))
			return
		}
	}
	require.Fail(t, "it is not there", "%s %s", kind, name)
}

// A real API server takes what is in base/ringfence as it is: the whole, each file alone, and the overlay of the README. It
// warns of nothing, and Pod Security admission lets the Deployment's pods in.
func TestManifestsApply(t *testing.T) {
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Log: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, plane.Stop()) })
	kubectl := func(stdin []byte, args ...string) (stdout, stderr string, err error) {
		cmd := exec.CommandContext(t.Context(), plane.Kubectl(), args...)
		var out, errs bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
		err = cmd.Run()
		return out.String(), errs.String(), err
	}
	accepted := func(stdin []byte, args ...string) {
		t.Helper()
		_, stderr, err := kubectl(stdin, append([]string{"apply", "--server-side", "--validate=strict"}, args...)...)
		require.NoError(t, err, "%v\n%s", args, stderr)
		assert.Empty(t, stderr, "%v warns", args)
	}
	rendered, _, err := kubectl(nil, "kustomize", manifestsFolder)
	require.NoError(t, err)
	text, err := kustomized(t, manifestsFolder).AsYaml()
	require.NoError(t, err)
	assert.ElementsMatch(t, documents(string(text)), documents(rendered), "what tests look at is what kubectl makes of it")

	accepted(nil, "-k", manifestsFolder)
	files, err := filepath.Glob(filepath.Join(manifestsFolder, "*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		if name := filepath.Base(file); name != "kustomization.yaml" && name != "config.yaml" {
			accepted(nil, "--dry-run=server", "--force-conflicts", "-f", file)
		}
	}
	overlay, err := kustomized(t, exampleOverlay(t)).AsYaml()
	require.NoError(t, err)
	accepted(withoutMonitoring(t, overlay), "--dry-run=server", "--force-conflicts", "-f", "-")

	var deployment appsv1.Deployment
	find(t, kustomized(t, manifestsFolder), "Deployment", "ringfence", &deployment)
	accepted(podOf(t, deployment), "--dry-run=server", "-f", "-")
	for name, spoil := range map[string]func(*corev1.PodSpec){ // that admission looks at all
		"seccompProfile":            func(p *corev1.PodSpec) { p.SecurityContext.SeccompProfile = nil },
		"runAsNonRoot":              func(p *corev1.PodSpec) { p.SecurityContext.RunAsNonRoot = nil },
		"unrestricted capabilities": func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.Capabilities = nil },
	} {
		spoiled := *deployment.DeepCopy()
		spoil(&spoiled.Spec.Template.Spec)
		_, stderr, err := kubectl(podOf(t, spoiled), "apply", "--server-side", "--dry-run=server", "-f", "-")
		require.Error(t, err, name)
		assert.Regexp(t, `violates PodSecurity "restricted:latest".*`+name, stderr)
	}
}

// documents are the objects of a manifest.
func documents(text string) []string { return strings.Split(strings.TrimSpace(text), "\n---\n") }

// podOf is a pod as the ReplicaSet's controller makes it.
func podOf(t *testing.T, d appsv1.Deployment) []byte {
	t.Helper()
	pod := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "ringfence", Namespace: d.Namespace, Labels: d.Spec.Template.Labels},
		Spec:       d.Spec.Template.Spec,
	}
	data, err := json.Marshal(pod)
	require.NoError(t, err)
	return data
}

// exampleOverlay writes the overlay that the README shows into a copy of the repository, and returns its folder.
func exampleOverlay(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(root, "base"), os.DirFS(filepath.Join(repositoryRoot, "base"))))
	files := regexp.MustCompile("(?s)```\n# (deploy/ringfence/[a-z.]+)\n(.*?\n)```\n").FindAllStringSubmatch(readme(t), -1)
	require.Len(t, files, 2)
	for _, m := range files {
		path := filepath.Join(root, filepath.FromSlash(m[1]))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(m[2]), 0o600))
	}
	return filepath.Join(root, "deploy", "ringfence")
}

// withoutMonitoring leaves out what only a cluster with the Prometheus operator takes; module telemetry checks it.
func withoutMonitoring(t *testing.T, manifest []byte) []byte {
	t.Helper()
	var kept [][]byte
	left := 0
	for document := range bytes.SplitSeq(manifest, []byte("\n---\n")) {
		if bytes.Contains(document, []byte("apiVersion: monitoring.coreos.com/v1\n")) {
			left++
			continue
		}
		kept = append(kept, document)
	}
	require.Equal(t, 2, left, "the PodMonitor and the PrometheusRule of the example")
	return bytes.Join(kept, []byte("\n---\n"))
}

// The base and the README's overlay agree with the daemon that they start: its file is accepted and named where it is mounted, its addresses
// are the container's ports and the probes', its Secrets are mounted where it looks for them, and it keeps its
// state and lease in the namespace where its account may.
func TestManifestsAgree(t *testing.T) {
	for name, folder := range map[string]string{"base": manifestsFolder, "README": exampleOverlay(t)} {
		t.Run(name, func(t *testing.T) { agree(t, kustomized(t, folder)) })
	}
}

func agree(t *testing.T, objects resmap.ResMap) {
	var (
		deployment appsv1.Deployment
		file       corev1.ConfigMap
		service    corev1.Service
	)
	find(t, objects, "Deployment", "ringfence", &deployment)
	find(t, objects, "ConfigMap", "ringfence-config", &file)
	find(t, objects, "Service", "ringfence", &service)
	pod := deployment.Spec.Template.Spec
	container := pod.Containers[0]

	daemon, err := config.ParseDaemon("config.yaml", []byte(file.Data["config.yaml"]))
	require.NoError(t, err)
	assert.True(t, daemon.LeaderElection.Enabled, "there are two replicas")
	assert.Equal(t, deployment.Namespace, daemon.LeaderElection.Namespace)
	assert.Equal(t, "kubernetes", daemon.HTTP.Auth)
	assert.Equal(t, []string{"run", "--config=" + mounted(pod, file.Name) + "/config.yaml"}, container.Args)
	for path, volume := range map[string]string{
		daemon.Source.Auth.TokenFile: "ringfence-git", daemon.HTTP.HookSecretFile: "ringfence-hook", daemon.DataDir + "/x": "data",
	} {
		if path != "" {
			assert.Equal(t, mounted(pod, volume), filepath.Dir(path))
		}
	}
	ports := map[string]int32{}
	for _, p := range container.Ports {
		ports[p.Name] = p.ContainerPort
	}
	for name, address := range map[string]string{"http": daemon.HTTP.Listen, "metrics": daemon.HTTP.MetricsListen, "hook": daemon.HTTP.HookListen} {
		if address != "" {
			host, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			assert.Empty(t, host, "reached from outside of the pod")
			assert.Equal(t, port, jsonOf(t, ports[name]), name)
		}
	}
	for _, p := range service.Spec.Ports {
		assert.Contains(t, ports, p.TargetPort.StrVal)
	}
	assert.Equal(t, deployment.Spec.Template.Labels["app.kubernetes.io/name"], service.Spec.Selector["app.kubernetes.io/name"])
	assert.EqualValues(t, imageUser, *pod.SecurityContext.RunAsUser, "as the image says")
	assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
	assert.True(t, *pod.AutomountServiceAccountToken)
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// mounted returns where the volume of a ConfigMap, a Secret or of that name is mounted; "" if nowhere.
func mounted(pod corev1.PodSpec, of string) string {
	for _, v := range pod.Volumes {
		if v.Name == of || v.ConfigMap != nil && v.ConfigMap.Name == of || v.Secret != nil && v.Secret.SecretName == of {
			for _, m := range pod.Containers[0].VolumeMounts {
				if m.Name == v.Name {
					return m.MountPath
				}
			}
		}
	}
	return ""
}
