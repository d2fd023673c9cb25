package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/projectcalico/calico/apiserver/cmd/apiserver/server"
	"github.com/projectcalico/calico/apiserver/pkg/storage/calico"

	"github.com/ringfence/ringfence/sync/controlplane/calico/register"
	"github.com/ringfence/ringfence/sync/controlplane/server/child"
	"github.com/ringfence/ringfence/sync/controlplane/server/child/pki"
)

const (
	// version is what a node of Calico would write into ClusterInformation.
	version       = "v3.31.0"
	readyPatience = 60 * time.Second // for the whole start, on a machine that is busy
)

// serve runs Calico's API server beside the control plane of the data folder
// and prints one line of JSON to out when projectcalico.org/v3 is served. It
// returns only an error.
//
// A crash at any point leaves what the next start can use: the port is
// remembered before anyone hears of it, the certificate is made anew, and
// what is registered is registered again.
func serve(ctx context.Context, data string, out io.Writer) error {
	kubeconfig, own := filepath.Join(data, "kubeconfig"), filepath.Join(data, "calico")
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the control plane's kubeconfig file: %w", err)
	}
	config.QPS = -1
	if err := os.MkdirAll(own, 0o700); err != nil {
		return fmt.Errorf("making the folder of Calico's API server: %w", err)
	}
	l, err := child.Listen(filepath.Join(own, "port"))
	if err != nil {
		return err
	}
	r, err := register.New(config, child.Port(l), pki.In(filepath.Join(data, "pki")).CA)
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeoutCause(ctx, readyPatience, fmt.Errorf("not ready after %s", readyPatience))
	defer cancel()
	if err := r.Put(starting); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- run(l, data, kubeconfig) }()
	served := make(chan error, 1)
	go func() { served <- r.Served(starting) }()
	for {
		select {
		case err := <-served:
			if err != nil {
				return err
			}
			served = nil
			ready := child.Ready{Ready: true, URL: "https://" + l.Addr().String(), Kubeconfig: kubeconfig}
			if err := ready.Say(out); err != nil {
				return err
			}
		case err := <-ended:
			return fmt.Errorf("running Calico's API server: %w", err)
		}
	}
}

// run runs Calico's API server on l. It returns only an error.
func run(l net.Listener, data, kubeconfig string) error {
	cert, key := filepath.Join(data, "calico", "apiserver.crt"), filepath.Join(data, "calico", "apiserver.key")
	if err := pki.In(filepath.Join(data, "pki")).Issue(cert, key, register.ServerName, "localhost"); err != nil {
		return err
	}
	if err := setEnvironment(kubeconfig); err != nil {
		return err
	}
	// As Calico's own main does: its storage can do neither.
	if err := feature.DefaultMutableFeatureGate.SetFromMap(map[string]bool{
		string(features.ConsistentListFromCache): false,
		string(features.WatchList):               false,
	}); err != nil {
		return err
	}
	// The nodes of a cluster write the version; the server alone leaves it empty.
	if err := calico.CreateClientFromConfig().EnsureInitialized(context.Background(), version, "k8s"); err != nil {
		return fmt.Errorf("writing the version of Calico: %w", err)
	}
	command, options, err := server.NewCommandStartCalicoServer(io.Discard)
	if err != nil {
		return err
	}
	if err := command.ParseFlags([]string{
		"--bind-address=127.0.0.1", "--tls-cert-file=" + cert, "--tls-private-key-file=" + key,
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
	}); err != nil {
		return err
	}
	serving := options.RecommendedOptions.SecureServing
	serving.Listener, serving.BindPort = l, child.Port(l)
	prepared, err := server.PrepareServer(options)
	if err != nil {
		return err
	}
	if err := server.RunServer(options, prepared); err != nil {
		return err
	}
	return errors.New("it stopped by itself")
}

// setEnvironment sets what Calico reads from the environment alone, except what
// is set already. Its client is limited to 50 requests each second of a kind by
// default, which would make tests wait.
func setEnvironment(kubeconfig string) error {
	for name, value := range map[string]string{
		"DATASTORE_TYPE":      "kubernetes",
		"KUBECONFIG":          kubeconfig,
		"CALICO_K8SCLIENTQPS": "5000",
		"LOG_LEVEL":           "warning",
	} {
		if _, ok := os.LookupEnv(name); ok && name != "KUBECONFIG" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}
