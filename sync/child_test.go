package sync

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	stdsync "sync"
	"syscall"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/ringfence/ringfence/kustomize"
	"github.com/ringfence/ringfence/sources"
)

// asChild makes the test binary a daemon: it holds a childConfig.
const asChild = "RINGFENCE_TEST_CHILD"

// childConfig is what a daemon in a process of its own is told.
type childConfig struct {
	Kubeconfig string // leads to the API server
	Repo, Data string // folders of the policy repository and of the daemon's own
	Namespace  string // of the state
	Instance   string
	Candidate  string // its name in a leader election, with a lease of 2 s; "" for none
}

// syncer is an Engine or a Replica.
type syncer interface {
	Run(ctx context.Context) error
	Loaded() <-chan struct{}
	Offer(s *sources.Snapshot)
	Owner(namespace string) (string, bool)
}

// childMain is a daemon: a real engine on a real source. On its standard input it is told
// "poll", "arm N MOMENT": to kill itself when it passes the moment for the nth time, and
// "halt N MOMENT": to stop itself there. The end of its input ends it. On its standard output
// it says "ready", "dies MOMENT", "halts MOMENT" and what it wrote: "wrote CODE UID VERSION".
func childMain(text string) error {
	var c childConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	source, err := sources.New(sources.Config{URL: "file://" + c.Repo, Ref: sources.Ref{Branch: "main"}, Dir: c.Data})
	if err != nil {
		return err
	}
	defer source.Close()
	fuse := &fuse{}
	engine, err := childEngine(c, source, fuse)
	if err != nil {
		return err
	}
	polls := make(chan struct{}, 1)
	poller, err := sources.NewPoller(sources.PollerConfig{Repository: source, Schedule: beat(time.Second), Trigger: polls, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			word := strings.SplitN(in.Text(), " ", 3)
			switch word[0] {
			case "poll":
				trigger(polls)
			case "arm", "halt":
				fuse.arm(word[2], word[1], word[0] == "halt")
			}
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // whoever started it is gone
	}()
	var wg stdsync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = engine.Run(ctx) })
	select {
	case <-ctx.Done():
		return nil
	case <-engine.Loaded():
	}
	fmt.Fprintln(os.Stdout, "ready")
	wg.Go(func() { _ = poller.Run(ctx) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-poller.Snapshots():
			engine.Offer(s)
		}
	}
}

// childEngine wires the engine as the daemon does.
func childEngine(c childConfig, source *sources.Repository, f *fuse) (syncer, error) {
	rest, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return nil, err
	}
	rest.QPS = -1
	lease := &Lease{Fence: NewFence(), Poll: source.Poll, Identity: c.Candidate, Duration: 2 * time.Second, Renew: 1200 * time.Millisecond}
	if lease.Kube, err = kubernetes.NewForConfig(rest); err != nil {
		return nil, err
	}
	rest.Wrap(func(next http.RoundTripper) http.RoundTripper { return fused{next, f} })
	if c.Candidate != "" {
		rest.Wrap(lease.Fence.Wrap)
	}
	renderer := &kustomizer{}
	config := Config{
		Renderer: renderer, Source: source, Namespace: c.Namespace, Instance: c.Instance,
		MaxPrune: PruneLimit{Objects: -1, Tenants: -1}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if config.Dynamic, err = dynamic.NewForConfig(rest); err != nil {
		return nil, err
	}
	if config.Discovery, err = discovery.NewDiscoveryClientForConfig(rest); err != nil {
		return nil, err
	}
	if config.Metadata, err = metadata.NewForConfig(rest); err != nil {
		return nil, err
	}
	if config.Kube, err = kubernetes.NewForConfig(rest); err != nil {
		return nil, err
	}
	var e syncer
	if c.Candidate != "" {
		e, err = NewReplica(config, lease)
	} else {
		var engine *Engine
		if engine, err = New(config); err == nil {
			engine.at = func(_, state string) { f.pass("in " + state) }
		}
		e = engine
	}
	if err != nil {
		return nil, err
	}
	renderer.owner = e.Owner
	return e, nil
}

// beat is a schedule.
type beat time.Duration

func (b beat) Next(t time.Time) time.Time { return t.Add(time.Duration(b)) }

// fuse kills or stops this process when it passes a moment.
type fuse struct {
	mu     stdsync.Mutex
	moment string
	left   int
	halts  bool
}

func (f *fuse) arm(moment, nth string, halts bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moment, f.halts = moment, halts
	_, _ = fmt.Sscan(nth, &f.left)
}

// pass says that a moment is passed.
func (f *fuse) pass(moment string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.moment != moment {
		return
	}
	if f.left--; f.left > 0 {
		return
	}
	if f.halts {
		f.moment = ""
		fmt.Fprintln(os.Stdout, "halts "+moment)
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return
	}
	fmt.Fprintln(os.Stdout, "dies "+moment)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// fused is the way to the API server: the moments of a round between which it writes.
type fused struct {
	next http.RoundTripper
	fuse *fuse
}

func (f fused) RoundTrip(r *http.Request) (*http.Response, error) {
	what := writeOf(r)
	if what == "" {
		return f.next.RoundTrip(r)
	}
	f.fuse.pass("before " + what)
	// From here on it is as if it were on the wire: what this process learns later changes nothing.
	answer, err := f.next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	f.fuse.pass("after " + what)
	if err == nil {
		tellWrite(r, answer)
	}
	return answer, err
}

// tellWrite says what a write came to.
func tellWrite(r *http.Request, answer *http.Response) {
	var got struct {
		Metadata struct{ UID, ResourceVersion string }
		Details  struct{ UID string }
	}
	var sent struct {
		Metadata struct{ ResourceVersion string }
	}
	if r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			_ = json.NewDecoder(body).Decode(&sent)
		}
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil || json.Unmarshal(body, &got) != nil {
		return // the state, as protobuf
	}
	uid, version := got.Metadata.UID, got.Metadata.ResourceVersion
	if version != "" && version == sent.Metadata.ResourceVersion {
		version = "same" // it changed nothing
	}
	if r.Method == http.MethodDelete {
		version = ""
		if uid == "" {
			uid = got.Details.UID
		}
	}
	fmt.Fprintf(os.Stdout, "wrote %d %s %s\n", answer.StatusCode, uid, version)
}

// writeOf names the write that a request is; "" if it is none that matters.
func writeOf(r *http.Request) string {
	name := filepath.Base(r.URL.Path)
	copied := strings.HasSuffix(name, kustomize.ReservedSuffix)
	switch {
	case r.Method == http.MethodGet, dryRun(r), strings.HasSuffix(r.URL.Path, "/events"):
		return ""
	case strings.Contains(r.URL.Path, "/configmaps"):
		return "state"
	case r.Method == http.MethodDelete && copied:
		return "uncopy"
	case r.Method == http.MethodDelete:
		return "delete"
	case copied:
		return "copy"
	case r.Method == http.MethodPut:
		return "replace"
	case r.Header.Get("Content-Type") == "application/merge-patch+json":
		return "release"
	case r.Method == http.MethodPatch:
		return "apply"
	}
	return ""
}
