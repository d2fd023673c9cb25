package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

func newTenantCommand(environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "tenant", Short: "Write the overlay of a new tenant", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newTenantNewCommand())
	return cmd
}

func newTenantNewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write the overlay of a new tenant",
		Long: `Writes the overlay of a new tenant into the policy repository in --dir: a folder where layout.tenants has
them, with the resources that all other tenants share, or else the Namespace alone. The namespace is --namespace, or NAME
as the only glob of layout.namespaces has it ("caas-*" makes caas-NAME of it).

--from-live NS writes the overlay of a namespace that lives: what the shared resources do not give already is written as it is, one
file for each guarded object, without what the server and other tools have added to it; where the base has another object of that
name, a patch keeps the live one. What Helm charts brought is left out, unless --charts is given, and so is what an overlay may not hold. Findings
say so, name what opens everything and what other tools keep, and announce all in which the cluster and the
overlay still differ.

Nothing is overwritten, and what would not render is not left behind. Without --from-live no cluster is asked, and nothing is ever
written to one. Commit it, and see with ringfence diff what it would do.

Exit codes: 0 it is written, whatever was found; 2 it is not.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "one NAME is needed")
			}
			return nil
		},
	}
	dir := cmd.Flags().String("dir", ".", "the root of the policy repository")
	namespace := cmd.Flags().String("namespace", "", "the tenant's namespace")
	from := cmd.Flags().String("from-live", "", "the namespace whose live policies are taken into the overlay")
	charts := cmd.Flags().Bool("charts", false, "with --from-live: take what Helm charts brought, too")
	cluster := clusterFlags(cmd)
	must(cmd.MarkFlagDirname("dir"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if reasons := validation.IsDNS1123Label(args[0]); len(reasons) > 0 {
			return usage(cmd, "%q is no name of a tenant: %s", args[0], strings.Join(reasons, "; "))
		}
		n := newTenant{dir: *dir, name: args[0], namespace: *namespace}
		switch {
		case cmd.Flags().Changed("from-live") && *from == "":
			return usage(cmd, "--from-live is empty")
		case *from == "" && (*charts || cluster.kubeconfig != "" || cluster.context != ""):
			return usage(cmd, "--charts, --kubeconfig and --context go with --from-live")
		case *from != "" && *namespace != "" && *namespace != *from:
			return usage(cmd, "--from-live names the namespace: leave --namespace out")
		case *from != "":
			n.namespace, n.live = *from, &liveNamespace{cluster: cluster, charts: *charts}
		}
		return n.write(cmd.Context(), cmd.OutOrStdout())
	}
	return cmd
}

// newTenant is a tenant whose overlay is to be written.
type newTenant struct {
	dir, name, namespace string
	live                 *liveNamespace // where its policies are taken from; nil if from nowhere
}

func (n newTenant) write(ctx context.Context, out io.Writer) error {
	snapshot, err := sources.Folder(n.dir)
	if err != nil {
		return err
	}
	repository, err := config.ReadRepository(snapshot.FS())
	if err != nil {
		return err
	}
	folder, err := folderFor(repository.Layout.Tenants, n.name)
	if err != nil {
		return err
	}
	n.namespace = cmp.Or(n.namespace, namespaceFor(repository.Layout.Namespaces, n.name))
	before, err := n.others(ctx, snapshot.FS())
	if err != nil {
		return err
	}
	for _, t := range before.Tenants {
		if t.Name == n.namespace {
			return fmt.Errorf("the namespace %s is %s's already", n.namespace, t.Overlay)
		}
	}
	shared, err := sharedResources(snapshot.FS(), before.Overlays)
	if err != nil {
		return err
	}
	if n.live != nil {
		if err := n.live.look(ctx, n.namespace); err != nil {
			return err
		}
	}
	target := filepath.Join(n.dir, filepath.FromSlash(folder))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // as Git makes folders
		return fmt.Errorf("making the overlay's parent: %w", err)
	}
	if err := os.Mkdir(target, 0o755); err != nil { //nolint:gosec // as Git makes folders
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already, and nothing is overwritten", folder)
		}
		return fmt.Errorf("making the overlay: %w", err)
	}
	o := n.plain(shared)
	if err := n.fill(ctx, target, o); err != nil {
		return errors.Join(err, os.RemoveAll(target))
	}
	if n.live != nil {
		if err := n.adopt(ctx, repository, folder, o, out); err != nil {
			return errors.Join(err, os.RemoveAll(target))
		}
		return nil
	}
	text := fmt.Sprintf("%s: the namespace %s; see what it would do: ringfence diff --tenant %s\n", folder, n.namespace, n.namespace)
	if len(before.Overlays) == 0 {
		text += "it is the first tenant: put what all are to share among its resources (such as ../../base/tenant), and the next ones get it too\n"
	}
	_, err = io.WriteString(out, text)
	return err
}

// others renders the tenants that there are. In a policy repository there may be none yet; a folder that says nothing of being
// one is taken for a mistake.
func (n newTenant) others(ctx context.Context, files fs.FS) (*kustomize.Rendering, error) {
	rendering, err := renderFolder(ctx, n.dir)
	if !errors.Is(err, kustomize.ErrNoOverlays) {
		return rendering, err
	}
	if _, none := fs.Stat(files, config.RepositoryFile); none != nil {
		return nil, err
	}
	return &kustomize.Rendering{}, nil
}

// overlay is what is in the files of one.
type overlay struct {
	comment, namespace string
	resources          []string
	patches            []string // as they stand in the kustomization
	files              map[string]string
}

// kustomization returns the file that names the others.
func (o *overlay) kustomization() string {
	text := o.comment + fmt.Sprintf("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: %s\n", o.namespace)
	if len(o.resources) > 0 {
		text += "resources:\n- " + strings.Join(o.resources, "\n- ") + "\n"
	}
	if len(o.patches) > 0 {
		text += "patches:\n" + strings.Join(o.patches, "")
	}
	return text
}

// plain is the overlay of a tenant that has nothing of its own: what all share, or the Namespace alone.
func (n newTenant) plain(shared []string) *overlay {
	o := &overlay{namespace: n.namespace, resources: slices.Clone(shared), files: map[string]string{}}
	switch kept := n.live != nil && n.live.keptBy != ""; {
	case len(shared) == 0 && kept:
	case len(shared) == 0:
		o.resources = []string{"namespace.yaml"}
		o.files["namespace.yaml"] = fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n", n.namespace)
	case kept:
		o.patches = []string{"- target: {kind: Namespace} # another tool keeps it\n  patch: '{$patch: delete, apiVersion: v1, kind: Namespace, metadata: {name: tenant}}'\n"}
	}
	return o
}

// fill writes the files and makes sure that they render.
func (n newTenant) fill(ctx context.Context, target string, o *overlay) error {
	files := maps.Clone(o.files)
	files["kustomization.yaml"] = o.kustomization()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(target, name), []byte(text), 0o644); err != nil { //nolint:gosec // as Git writes files
			return fmt.Errorf("writing the overlay: %w", err)
		}
	}
	rendering, err := renderFolder(ctx, n.dir)
	if err != nil {
		return err
	}
	chosen, err := only(rendering, n.namespace)
	if err != nil {
		for _, p := range rendering.Problems {
			err = errors.Join(err, p)
		}
		return fmt.Errorf("rendering what was written: %w", err)
	}
	for _, p := range chosen.problems {
		err = errors.Join(err, p)
	}
	return err
}

// folderFor returns the folder of a tenant's overlay.
func folderFor(glob, name string) (string, error) {
	parent, last := path.Split(glob)
	if strings.Count(last, "*") != 1 || strings.ContainsAny(parent, `*?[\`) || strings.ContainsAny(last, `?[\`) {
		return "", fmt.Errorf("layout.tenants is %q, which does not say where one is to be made: make the folder by hand", glob)
	}
	return parent + strings.Replace(last, "*", name, 1), nil
}

// namespaceFor returns the namespace of a name, by the only glob that there is.
func namespaceFor(globs []string, name string) string {
	if len(globs) != 1 || strings.Count(globs[0], "*") != 1 || strings.ContainsAny(globs[0], `?[\`) {
		return name
	}
	if ok, err := path.Match(globs[0], name); err == nil && ok {
		return name
	}
	return strings.Replace(globs[0], "*", name, 1)
}

// sharedResources returns the folders outside their own that all overlays have among their resources, in the order of the first.
func sharedResources(files fs.FS, overlays []string) ([]string, error) {
	var shared []string
	for i, overlay := range overlays {
		data, err := fs.ReadFile(files, path.Join(overlay, "kustomization.yaml"))
		if err != nil {
			return nil, fmt.Errorf("reading how %s is made: %w", overlay, err)
		}
		var k struct{ Resources []string }
		if err := yaml.Unmarshal(data, &k); err != nil {
			return nil, fmt.Errorf("reading how %s is made: %w", overlay, err)
		}
		var both []string
		for _, r := range k.Resources {
			if strings.HasPrefix(r, "../") && (i == 0 || slices.Contains(shared, r)) {
				both = append(both, r)
			}
		}
		shared = both
	}
	return shared, nil
}
