package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/ringfence/ringfence/sync/controlplane/server/calico"
	"github.com/ringfence/ringfence/sync/controlplane/server/child"
	"github.com/ringfence/ringfence/sync/controlplane/server/child/pki"
)

const (
	readyPatience = 60 * time.Second      // for the whole start, on a machine that is busy
	lockPatience  = 5 * time.Second       // for a predecessor on the same folder to be gone
	pause         = 20 * time.Millisecond // between two looks at what is not there yet
)

// serve runs the control plane in the data folder and prints one line of JSON
// to out when it is ready. It returns only an error: a control plane that
// works runs until the process ends.
//
// Everything is begun in the order of need; a crash at any point leaves a
// folder that the next start can use: keys are whole or absent, the port is
// remembered before anyone hears of it, etcd has its log.
func serve(ctx context.Context, o options, out io.Writer) error {
	spareTime()
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	if err := os.Chdir(o.data); err != nil { // sockets have short, relative paths
		return fmt.Errorf("entering the data folder: %w", err)
	}
	lock, err := own(o.data)
	if err != nil {
		return err
	}
	defer lock.Close()
	files, err := pki.Ensure(filepath.Join(o.data, "pki"), serviceIP)
	if err != nil {
		return err
	}
	l, err := child.Listen(filepath.Join(o.data, portFile))
	if err != nil {
		return err
	}
	r := child.Ready{Ready: true, URL: "https://" + l.Addr().String(), Kubeconfig: filepath.Join(o.data, "kubeconfig")}
	if err := writeKubeconfig(r.Kubeconfig, r.URL, files); err != nil {
		return err
	}
	store, err := startEtcd(ctx, o.fsync)
	if err != nil {
		return err
	}
	server, err := newAPIServer(ctx, l, files, o.apiserver)
	if err != nil {
		return err
	}
	if o.calico == calico.Native {
		calico.Prefer(server.GenericAPIServer.AggregatedDiscoveryGroupManager)
	}
	prepared, err := server.PrepareRun()
	if err != nil {
		return fmt.Errorf("preparing kube-apiserver: %w", err)
	}

	ended := make(chan error, 1)
	go func() { ended <- prepared.Run(ctx) }()
	begun := make(chan error, 1)
	go func() { begun <- begin(ctx, loopback(server), files, o.calico) }()
	for {
		select {
		case err := <-begun:
			if err != nil {
				return err
			}
			begun = nil
			go spareMemory(ctx)
			if err := r.Say(out); err != nil {
				return err
			}
		case err := <-ended:
			return fmt.Errorf("running kube-apiserver: %w", orStopped(err))
		case err := <-store.Err():
			return fmt.Errorf("running etcd: %w", orStopped(err))
		case <-store.Server.StopNotify():
			return fmt.Errorf("running etcd: %w", orStopped(nil))
		}
	}
}

func orStopped(err error) error {
	if err == nil {
		return errors.New("it stopped by itself")
	}
	return err
}

// own takes the data folder for this process alone, until it ends.
func own(data string) (*fileutil.LockedFile, error) {
	path := filepath.Join(data, "lock")
	for end := time.Now().Add(lockPatience); ; time.Sleep(pause) {
		lock, err := fileutil.TryLockFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, fileutil.ErrLocked) {
			return nil, fmt.Errorf("locking the data folder: %w", err)
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("locking the data folder: another control plane runs in %s; stop it or name another folder", data)
		}
	}
}

// begin brings what an API server alone does not have and returns when the
// control plane is ready.
func begin(ctx context.Context, c *rest.Config, f pki.Files, flavour calico.Flavour) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyPatience, fmt.Errorf("not ready after %s", readyPatience))
	defer cancel()
	client, err := kubernetes.NewForConfig(c)
	if err != nil {
		return fmt.Errorf("creating a client: %w", err)
	}
	if err := child.Until(ctx, "kube-apiserver", func() bool {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	}); err != nil {
		return err
	}
	// Before the controllers, so that the garbage collector knows the kinds
	// from the first and not from its second look at discovery.
	if err := calico.Install(ctx, c, flavour); err != nil {
		return err
	}
	forever := context.WithoutCancel(ctx)
	k, err := newControllers(forever, c, f)
	if err != nil {
		return err
	}
	k.run(forever)
	if err := child.Until(ctx, "the garbage collector", func() bool { return k.graph.IsSynced(klog.FromContext(ctx)) }); err != nil {
		return err
	}
	if err := child.Until(ctx, "the aggregated cluster roles", func() bool {
		for _, name := range []string{"admin", "edit", "view"} {
			role, err := client.RbacV1().ClusterRoles().Get(ctx, name, metav1.GetOptions{})
			if err != nil || len(role.Rules) == 0 {
				return false
			}
		}
		return true
	}); err != nil {
		return err
	}
	return child.Until(ctx, "the default service account", func() bool {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}
