package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
	"github.com/ringfence/ringfence/sync"
)

// ConfigFindings are those of a configuration that cannot be read: one for each problem.
func ConfigFindings(err error) (out []Finding) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		out = append(out, Finding{
			Check: "config", Level: Error, What: line, Why: "the daemon ends with it at once", Do: "mend it; ringfence config --config FILE shows what is read",
		})
	}
	return out
}

// files looks at the configuration, the source, and what is in it.
func (e *examination) files(ctx context.Context) {
	if e.config.Given {
		e.configuration()
		e.repo(ctx, e.fetch(ctx))
		return
	}
	e.add("source", Skipped, "no source was asked for", "the daemon's file, which names it, was not given", "--config FILE")
	if e.config.Folder == "" {
		return
	}
	snapshot, err := sources.Folder(e.config.Folder)
	if err != nil {
		e.add("repository", Error, err.Error(), "nothing can be rendered", "name the root of the policy repository")
		return
	}
	e.repo(ctx, snapshot)
}

func (e *examination) configuration() {
	d := e.config.Daemon
	if err := d.CheckFiles(); err != nil {
		e.findings = append(e.findings, ConfigFindings(err)...)
		return
	}
	if d.HTTP.Auth == "none" && !isLoopback(d.HTTP.Listen) {
		e.add("config", Warning, "whoever reaches http.listen "+d.HTTP.Listen+" may read the page and the API", "they say what is open, and to whom", "set http.auth: kubernetes, or listen on 127.0.0.1")
	}
	if !e.known("config", Warning) {
		e.ok("config", "the daemon's configuration is valid")
	}
}

func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// fetch reads the source once, as the daemon does; nil if it cannot be had.
func (e *examination) fetch(ctx context.Context) *sources.Snapshot {
	const why = "nothing new can be applied, and after a restart without its cache nothing at all"
	c := e.config.Daemon.Sources()
	c.Log, c.Timeout = slog.New(slog.DiscardHandler), patience
	dir, err := os.MkdirTemp("", "ringfence-doctor-")
	if err != nil {
		e.blind("source", Unknown, "the source", err)
		return nil
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c.Dir = dir
	repository, err := sources.New(c)
	if err != nil {
		e.add("source", Error, err.Error(), why, "mend source in the daemon's file")
		return nil
	}
	defer func() { _ = repository.Close() }()
	snapshot, err := repository.Poll(ctx)
	if err != nil {
		e.add("source", Error, err.Error(), why, "see that this machine reaches it, and source.auth, source.tls and source.ref")
		return nil
	}
	e.ok("source", "%s has %s at %s", repository.URL(), snapshot.Revision().Ref, snapshot.Revision().Short())
	return snapshot
}

// repo looks whether everything in a policy repository renders, and isolates.
func (e *examination) repo(ctx context.Context, s *sources.Snapshot) {
	if s == nil {
		return
	}
	repository, err := config.ReadRepository(s.FS())
	if err == nil {
		repository, err = e.config.Daemon.Merge(repository)
	}
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			e.add("repository", Error, line, "no revision with it is applied", "mend it; ringfence config --repository DIR shows what is read")
		}
		return
	}
	e.repository = repository
	rendered, err := app.NewRenderer(e.config.Daemon, func(string) (string, bool) { return "", false }).Render(ctx, s)
	if err != nil {
		e.add("repository", Error, err.Error(), "nothing is applied", "ringfence render DIR says more")
		return
	}
	e.rendering(rendered)
	e.guard(ctx, rendered)
}

func (e *examination) rendering(r *sync.Rendered) {
	problems := r.Rendering.Problems
	for _, t := range r.Rendering.Tenants {
		problems = append(problems, t.Problems...)
	}
	if r.Rendering.Cluster != nil {
		problems = append(problems, r.Rendering.Cluster.Problems...)
	}
	for _, p := range problems {
		e.add("repository", Error, strings.ReplaceAll(p.Error(), "\n", "; "), "this overlay keeps its last good state, or has none", "mend it; ringfence render says the same")
	}
	if len(problems) == 0 {
		e.ok("repository", "all %d tenants render", len(r.Rendering.Tenants))
	}
}

// isolated is a namespace that any layout allows, to see what the guard makes of one.
const isolated = "ringfence-doctor"

// guard looks whether the guard isolates a namespace, whatever its overlay says.
func (e *examination) guard(ctx context.Context, r *sync.Rendered) {
	const why = "what an overlay does not isolate is open: isolation hangs on each overlay alone"
	name := isolated
	if len(r.Rendering.Tenants) > 0 {
		name = r.Rendering.Tenants[0].Name
	}
	objects, err := r.Guard(ctx, name)
	if err != nil {
		e.add("guard", Error, strings.ReplaceAll(err.Error(), "\n", "; "), "nobody's namespace gets the guard", "mend it; ringfence render says the same")
		return
	}
	if len(objects) == 0 {
		e.add("guard", Warning, "there is no guard at "+e.repository.Layout.Guard, why, "copy base/guard from the example, and name it in layout.guard")
		return
	}
	if missing := open(objects); missing != "" {
		e.add("guard", Warning, fmt.Sprintf("the guard at %s does not isolate every pod (%s)", e.repository.Layout.Guard, missing), why,
			"add a NetworkPolicy with an empty podSelector and policyTypes [Ingress, Egress], as base/guard/deny-all.yaml")
		return
	}
	e.ok("guard", "the guard at %s isolates every tenant's namespace in both directions", e.repository.Layout.Guard)
}

// open returns the directions in which objects do not isolate every pod; "" if they do.
func open(objects []kustomize.Object) string {
	in, out := false, false
	for _, o := range objects {
		ingress, egress := drift.NewWanted(o).Isolates()
		in, out = in || ingress, out || egress
	}
	var missing []string
	if !in {
		missing = append(missing, "ingress")
	}
	if !out {
		missing = append(missing, "egress")
	}
	return strings.Join(missing, " and ")
}
