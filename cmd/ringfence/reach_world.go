package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config/strict"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/world"
	"github.com/ringfence/ringfence/sources"
)

// world makes the world that is asked about.
func (r *reachRequest) world(ctx context.Context, stderr io.Writer) (*world.World, error) {
	if r.live {
		return r.liveWorld(ctx)
	}
	snapshot, err := sources.Folder(r.dir)
	if err != nil {
		return nil, err
	}
	files := snapshot.FS()
	repository, err := config.ReadRepository(files)
	if err != nil {
		return nil, err
	}
	if err := repository.CheckTree(files); err != nil {
		return nil, err
	}
	options, err := r.options(repository.Network)
	if err != nil {
		return nil, err
	}
	isRepository, err := hasKustomizations(files)
	if err != nil {
		return nil, err
	}
	if isRepository {
		return r.repositoryWorld(ctx, repository, options, stderr)
	}
	w, problems, err := world.OfFolder(files, repository.Kustomize().Limits, options)
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		fmt.Fprintln(stderr, printable(p.Error()))
	}
	return w, r.knowsTenants(w)
}

func (r *reachRequest) repositoryWorld(ctx context.Context, repository *config.Repository, options world.Options, stderr io.Writer) (*world.World, error) {
	rendering, err := renderFolder(ctx, r.dir)
	if err != nil {
		return nil, err
	}
	for _, p := range everything(rendering).problems {
		fmt.Fprintln(stderr, printable(p.Error()))
	}
	w, err := world.OfRendering(rendering, repository.Layout, options)
	if err != nil {
		return nil, err
	}
	for _, tenant := range r.tenants {
		if !slices.Contains(w.Tenants, tenant) {
			return nil, unknownTenant(rendering, tenant)
		}
	}
	return w, nil
}

// knowsTenants checks the --tenant flags where namespaces are all that is known of tenants.
func (r *reachRequest) knowsTenants(w *world.World) error {
	var errs []error
	for _, tenant := range r.tenants {
		names := slices.DeleteFunc(w.Namespaces(), func(n string) bool { return n == "" })
		if slices.Contains(names, tenant) {
			continue
		}
		hint := ""
		if near := strict.Nearest(tenant, names); near != "" {
			hint = fmt.Sprintf(" (did you mean %s?)", near)
		}
		errs = append(errs, fmt.Errorf("there is no namespace %q%s", tenant, hint))
	}
	return errors.Join(errs...)
}

func (r *reachRequest) options(network config.Network) (world.Options, error) {
	for _, flag := range []struct {
		name  string
		texts []string
		into  *[]netip.Prefix
	}{{"--pod-cidr", r.podCIDRs, &network.PodCIDRs}, {"--node-cidr", r.nodeCIDRs, &network.NodeCIDRs}} {
		var given []netip.Prefix
		for _, text := range flag.texts {
			cidr, err := netip.ParsePrefix(text)
			if err != nil {
				return world.Options{}, fmt.Errorf("%s %s: %w", flag.name, text, err)
			}
			given = append(given, cidr)
		}
		if len(given) > 0 {
			*flag.into = given
		}
	}
	if r.calicoVersion != "" {
		network.CalicoVersion = r.calicoVersion
	}
	return world.Options{Network: network, Pending: r.pending}, nil
}

func (r *reachRequest) liveWorld(ctx context.Context) (*world.World, error) {
	options, err := r.options(config.DefaultRepository().Network)
	if err != nil {
		return nil, err
	}
	restConfig, err := r.cluster.rest()
	if err != nil {
		return nil, err
	}
	silenceClient()
	restConfig.QPS = -1 // one LIST for each kind: the API server's own fairness is enough
	var cluster world.Cluster
	if cluster.Dynamic, err = dynamic.NewForConfig(restConfig); err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	if cluster.Discovery, err = discovery.NewDiscoveryClientForConfig(restConfig); err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	w, err := world.OfCluster(ctx, cluster, options, world.Given{PodCIDRs: len(r.podCIDRs) > 0, CalicoVersion: r.calicoVersion != ""})
	if err != nil {
		return nil, err
	}
	return w, r.knowsTenants(w)
}

// hasKustomizations tells a policy repository from a plain folder of manifests.
func hasKustomizations(files fs.FS) (found bool, err error) {
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case name == config.RepositoryFile,
			slices.Contains([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, entry.Name()) && !entry.IsDir():
			found = true
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("looking for kustomizations: %w", err)
	}
	return found, nil
}
