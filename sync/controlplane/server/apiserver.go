package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/ringfence/ringfence/sync/controlplane/server/child"
	"github.com/ringfence/ringfence/sync/controlplane/server/child/pki"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	apioptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

const (
	serviceRange = "10.96.0.0/16" // of Services' addresses; nothing routes to them
	portFile     = "port"         // in the data folder: the port that its clients know
)

// serviceIP is the address of the Service "kubernetes": the first of
// serviceRange.
var serviceIP = net.IPv4(10, 96, 0, 1)

// apiserverFlags are kube-apiserver's flags as one would give them to it.
func apiserverFlags(f pki.Files) []string {
	return []string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--external-hostname=127.0.0.1",
		// Nothing can reach the Service "kubernetes"; kube-apiserver also
		// refuses to announce a loopback address there.
		"--endpoint-reconciler-type=none",
		"--etcd-servers=unix://" + etcdSocket,
		"--tls-cert-file=" + f.ServerCert,
		"--tls-private-key-file=" + f.ServerKey,
		"--client-ca-file=" + f.CA,
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-signing-key-file=" + f.ServiceAccountKey,
		"--service-account-key-file=" + f.ServiceAccountPublic,
		"--requestheader-client-ca-file=" + f.FrontProxyCA,
		"--requestheader-allowed-names=" + pki.FrontProxyName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + f.FrontProxyCert,
		"--proxy-client-key-file=" + f.FrontProxyKey,
	}
}

// newAPIServer builds kube-apiserver on l, with extra after our own flags.
// Nothing runs yet.
func newAPIServer(ctx context.Context, l net.Listener, f pki.Files, extra []string) (*aggregator.APIAggregator, error) {
	s := apioptions.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	named := s.Flags()
	for _, set := range named.FlagSets {
		flags.AddFlagSet(set)
	}
	s.SecureServing.Listener, s.SecureServing.BindPort = l, child.Port(l)
	if err := flags.Parse(append(apiserverFlags(f), extra...)); err != nil {
		return nil, fmt.Errorf("reading kube-apiserver's flags: %w", err)
	}
	if err := s.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, fmt.Errorf("setting kube-apiserver's features: %w", err)
	}
	completed, err := s.Complete(ctx)
	if err != nil {
		return nil, fmt.Errorf("completing kube-apiserver's options: %w", err)
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return nil, fmt.Errorf("validating kube-apiserver's options: %w", errors.Join(errs...))
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return nil, fmt.Errorf("configuring kube-apiserver: %w", err)
	}
	// Its own controllers speak to it through this client, whose default limit
	// of a few requests each second makes many definitions at once wait.
	for _, c := range []*rest.Config{
		config.ApiExtensions.GenericConfig.LoopbackClientConfig,
		config.KubeAPIs.ControlPlane.Generic.LoopbackClientConfig,
		config.Aggregator.GenericConfig.LoopbackClientConfig,
	} {
		c.QPS = -1
	}
	whole, err := config.Complete()
	if err != nil {
		return nil, fmt.Errorf("configuring kube-apiserver: %w", err)
	}
	server, err := app.CreateServerChain(whole)
	if err != nil {
		return nil, fmt.Errorf("creating kube-apiserver: %w", err)
	}
	return server, nil
}

// loopback returns the configuration of a client inside this process, without
// a limit of its own.
func loopback(s *aggregator.APIAggregator) *rest.Config {
	c := rest.CopyConfig(s.GenericAPIServer.LoopbackClientConfig)
	c.QPS = -1
	c.WarningHandler = rest.NoWarnings{}
	return c
}
