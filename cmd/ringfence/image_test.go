package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ringfence/ringfence"
	"github.com/ringfence/ringfence/sources/gitserver"
	"github.com/ringfence/ringfence/sync/controlplane"
)

// imageUser is whom the image says that it runs as.
const imageUser = 65532

// TestReleaseModule has the tests of the nested module run that makes the image and the list of licences.
func TestReleaseModule(t *testing.T) {
	testModule(t, filepath.Join(repositoryRoot, ".ci", "release"))
}

// The image works: unpacked and run in a chroot by its user, with a service account's token as a pod finds it, it
// fences the example's tenants; it has written to its data folder alone, and ends with 0.
func TestImageRuns(t *testing.T) {
	plane, err := controlplane.Start(t.Context(), controlplane.Config{Log: io.Discard, Calico: controlplane.CalicoCRD})
	require.NoError(t, err)
	t.Cleanup(func() { _ = plane.Stop() })
	git, err := gitserver.New(gitserver.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = git.Close() })
	require.NoError(t, git.CreateRepository("policies", ringfence.Example()))

	root := unpackImage(t)
	out, err := inImage(t.Context(), root, nil, "version").CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "ringfence v1.2.3 (revision 0123456789ab, ")

	pod := mountPod(t, plane, root, git.URL("policies"))
	before := filesIn(t, root)
	daemon := startImage(t, root, pod)
	require.Eventually(t, func() bool { return strings.Contains(fetch(daemon.metrics), `ringfence_tenants{state="synced"} 3`) },
		eventuallyLimit, 50*time.Millisecond)
	assert.Contains(t, fetch(daemon.url+"/readyz"), "HTTP 200")
	out, err = exec.Command(plane.Kubectl(), "get", "networkpolicy", "deny-all", "-n", "caas-acme", "-o", "name").CombinedOutput()
	require.NoError(t, err, "%s", out)

	require.NoError(t, daemon.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, daemon.cmd.Wait(), "%s", &daemon.log)
	after := filesIn(t, root)
	assert.Greater(t, len(after), len(before))
	for name, owner := range after {
		if _, ok := before[name]; !ok {
			assert.True(t, strings.HasPrefix(name, "var/lib/ringfence/"), "it wrote %s", name)
			assert.Equal(t, before["var/lib/ringfence"], owner, name)
		}
	}
}

// BenchmarkImage prints what the image's binary is like: its size, how long it takes until it answers, and the memory
// that it holds, with 100 tenants of 5 objects that are synced and have been left alone for a minute.
func BenchmarkImage(b *testing.B) {
	for range b.N {
		plane, err := controlplane.Start(b.Context(), controlplane.Config{Log: io.Discard, Calico: controlplane.CalicoCRD})
		require.NoError(b, err)
		git, err := gitserver.New(gitserver.Config{Dir: b.TempDir()})
		require.NoError(b, err)
		require.NoError(b, git.CreateRepository("policies", generated(100, 3)))
		root := unpackImage(b)
		pod := mountPod(b, plane, root, git.URL("policies"))
		began := time.Now()
		daemon := startImage(b, root, pod)
		started := time.Since(began)
		require.Eventually(b, func() bool { return strings.Contains(fetch(daemon.metrics), `ringfence_tenants{state="synced"} 100`) },
			5*time.Minute, 100*time.Millisecond)
		time.Sleep(time.Minute)
		pid := daemon.cmd.Process.Pid
		b.ReportMetric(megabytes(b, pid, "RssAnon"), "MB-private") // its own memory
		b.ReportMetric(megabytes(b, pid, "VmRSS"), "MB-resident")  // and the pages of its binary, which the kernel may drop
		b.ReportMetric(float64(started.Milliseconds()), "ms-start")
		info, err := os.Stat(filepath.Join(root, "ringfence"))
		require.NoError(b, err)
		b.ReportMetric(float64(info.Size())/1e6, "MB-binary")
		require.NoError(b, daemon.cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(b, daemon.cmd.Wait())
		require.NoError(b, git.Close())
		require.NoError(b, plane.Stop())
	}
}

// megabytes returns a line of a process's status file (proc_pid_status(5)), in MB.
func megabytes(tb testing.TB, pid int, name string) float64 {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(tb, err)
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB$`).FindSubmatch(status)
	require.NotNil(tb, m, name)
	n, err := strconv.Atoi(string(m[1]))
	require.NoError(tb, err)
	return float64(n) * 1024 / 1e6
}

// unpackImage has the image built and returns the folder in which its layers were unpacked one over the other.
func unpackImage(tb testing.TB) string {
	tb.Helper()
	layout := filepath.Join(tb.TempDir(), "layout")
	build := exec.CommandContext(tb.Context(), "go", "run", "-C", filepath.Join(repositoryRoot, ".ci", "release"), ".",
		"image", "-o", layout, "-version", "v1.2.3", "-revision", "0123456789ab")
	build.Env = append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(tb, err, "%s", out)

	type descriptor struct{ Digest string }
	type manifest struct{ Manifests, Layers []descriptor }
	blob := func(d descriptor) []byte {
		data, err := os.ReadFile(filepath.Join(layout, "blobs", strings.Replace(d.Digest, ":", "/", 1)))
		require.NoError(tb, err)
		return data
	}
	data, err := os.ReadFile(filepath.Join(layout, "index.json"))
	require.NoError(tb, err)
	var m manifest
	for m.Layers == nil { // the layout's index, that of the machines, the image
		m = manifest{}
		require.NoError(tb, json.Unmarshal(data, &m))
		if m.Layers == nil {
			require.Len(tb, m.Manifests, 1)
			data = blob(m.Manifests[0])
		}
	}
	root := filepath.Join(tb.TempDir(), "root")
	require.NoError(tb, os.Mkdir(root, 0o755))
	for _, layer := range m.Layers {
		unpackLayer(tb, blob(layer), root)
	}
	return root
}

func unpackLayer(tb testing.TB, layer []byte, root string) {
	tb.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(layer))
	require.NoError(tb, err)
	r := tar.NewReader(plain)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(tb, err)
		path := filepath.Join(root, filepath.FromSlash(header.Name))
		if header.Typeflag == tar.TypeDir {
			require.NoError(tb, os.Mkdir(path, header.FileInfo().Mode()))
		} else {
			data, err := io.ReadAll(r)
			require.NoError(tb, err)
			require.NoError(tb, os.WriteFile(path, data, header.FileInfo().Mode()))
		}
		require.NoError(tb, os.Chmod(path, header.FileInfo().Mode()))
		if os.Geteuid() == 0 {
			require.NoError(tb, os.Lchown(path, header.Uid, header.Gid))
		}
	}
}

// inImage returns a command of the image, as its user: root becomes that user, and anybody else is that user in
// a namespace of users.
func inImage(ctx context.Context, root string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/ringfence", args...)
	cmd.Dir, cmd.Env = "/", append([]string{}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: imageUser, Gid: imageUser}
	} else {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// mountPod puts below root what the kubelet mounts into the pod, and returns its environment: the shipped configuration,
// but that it polls url and listens elsewhere, and the service account, with the rights that base/ringfence gives it.
func mountPod(tb testing.TB, plane *controlplane.ControlPlane, root, url string) (env []string) {
	tb.Helper()
	mount := func(name, data string) {
		path := filepath.Join(root, name)
		require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(tb, os.WriteFile(path, []byte(data), 0o644))
	}
	shipped, err := os.ReadFile(filepath.Join(repositoryRoot, "base", "ringfence", "config.yaml"))
	require.NoError(tb, err)
	text := string(shipped)
	const remote = "url: https://git.example.com/platform/policies.git"
	require.Contains(tb, text, remote)
	text = strings.Replace(text, remote, fmt.Sprintf("url: %q\n  poll: \"@every 1s\"", url), 1)
	for _, port := range []string{":8080", ":9090", ":8081"} { // other daemons run on this machine
		require.Contains(tb, text, `"`+port+`"`)
		text = strings.Replace(text, `"`+port+`"`, `"`+freeAddress(tb)+`"`, 1)
	}
	mount("config/ringfence.yaml", text)
	mount("etc/ringfence/git/token", "token")
	mount("etc/ringfence/hook/secret", "secret")
	rest := plane.REST()
	mount("var/run/secrets/kubernetes.io/serviceaccount/token", serviceAccountToken(tb, plane))
	mount("var/run/secrets/kubernetes.io/serviceaccount/ca.crt", string(rest.CAData))
	address, err := neturl.Parse(rest.Host)
	require.NoError(tb, err)
	return []string{"KUBERNETES_SERVICE_HOST=" + address.Hostname(), "KUBERNETES_SERVICE_PORT=" + address.Port()}
}

// serviceAccountToken returns a token of the daemon's service account, as the kubelet asks for one.
func serviceAccountToken(tb testing.TB, plane *controlplane.ControlPlane) string {
	tb.Helper()
	require.NoError(tb, install(plane.Kubectl(), filepath.Join(repositoryRoot, "base", "ringfence")))
	client, err := kubernetes.NewForConfig(plane.REST())
	require.NoError(tb, err)
	request, err := client.CoreV1().ServiceAccounts("ringfence-system").CreateToken(tb.Context(), "ringfence", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(tb, err)
	return request.Status.Token
}

// imageDaemon is the daemon of an image, in its chroot.
type imageDaemon struct {
	cmd *exec.Cmd
	log bytes.Buffer // read once the process has ended
	// url is the page's, metrics that of the metrics.
	url, metrics string
}

// startImage starts the daemon, and returns once it answers.
func startImage(tb testing.TB, root string, env []string) *imageDaemon {
	tb.Helper()
	config, err := readDaemon(filepath.Join(root, "config", "ringfence.yaml"))
	require.NoError(tb, err)
	d := &imageDaemon{url: "http://" + config.HTTP.Listen, metrics: "http://" + config.HTTP.MetricsListen + "/metrics"}
	d.cmd = inImage(context.Background(), root, env, "run", "--config", "/config/ringfence.yaml")
	d.cmd.Stderr = &d.log
	require.NoError(tb, d.cmd.Start())
	tb.Cleanup(func() {
		if d.cmd.ProcessState == nil {
			_ = d.cmd.Process.Kill()
			_ = d.cmd.Wait()
			tb.Log(d.log.String())
		}
	})
	for deadline := time.Now().Add(eventuallyLimit); !strings.HasPrefix(fetch(d.url+"/healthz"), "HTTP 200"); time.Sleep(5 * time.Millisecond) {
		require.True(tb, time.Now().Before(deadline), "it does not answer")
	}
	return d
}

// freeAddress returns an address of the loopback interface that nobody listens on.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(tb, err)
	require.NoError(tb, listener.Close())
	return listener.Addr().String()
}

// filesIn returns the owner of each file and folder below root, by name.
func filesIn(tb testing.TB, root string) map[string]uint32 {
	tb.Helper()
	owners := map[string]uint32{}
	require.NoError(tb, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		owners[filepath.ToSlash(name)] = info.Sys().(*syscall.Stat_t).Uid
		return err
	}))
	return owners
}
