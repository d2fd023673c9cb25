package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/app"
	"github.com/ringfence/ringfence/cmd/ringfence/internal/config"
	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/drift/permissions"
)

// Config says what is looked at.
type Config struct {
	// REST reaches the cluster. Required.
	REST *rest.Config
	// Daemon is the daemon's configuration, or the defaults. Required.
	Daemon *config.Daemon
	// Given says that Daemon is somebody's own: then its source is fetched.
	Given bool
	// Folder is a policy repository on this machine that is looked at if no source is; "": none.
	Folder string
	// As is whose rights are asked for, as with kubectl --as; "": those of the kubeconfig's user.
	As string
}

// patience is how long one part may take.
const patience = 30 * time.Second

// examination is one look at everything. One goroutine uses it.
type examination struct {
	config   Config
	kube     *app.Kube
	asking   discovery.DiscoveryInterface
	dynamic  dynamic.Interface
	findings []Finding

	// What one check finds and others need.
	repository *config.Repository // nil: not read
	served     map[schema.GroupResource]bool
	silent     []string           // groups that do not answer
	sets       []appsv1.DaemonSet // nil: they could not be seen
	flavour    drift.Flavour
	calico     string // its version, as far as anybody says; "": it does not run
	seen       bool   // whether the cluster can be asked
}

// Examine looks at everything. before are findings that the caller has already.
func Examine(ctx context.Context, c Config, before ...Finding) (Report, error) {
	e := &examination{config: c, findings: before}
	rc := rest.CopyConfig(c.REST)
	rc.QPS, rc.Timeout, rc.WarningHandler = -1, patience, rest.NoWarnings{}
	var err error
	if e.kube, err = app.NewKube(rc); err != nil {
		return Report{}, err
	}
	if e.asking, err = discovery.NewDiscoveryClientForConfig(rc); err != nil {
		return Report{}, fmt.Errorf("reaching the API server: %w", err)
	}
	if e.dynamic, err = dynamic.NewForConfig(rc); err != nil {
		return Report{}, fmt.Errorf("reaching the API server: %w", err)
	}
	e.files(ctx)
	if e.server(ctx, rc); e.seen {
		e.enforcers(ctx)
		e.apis(ctx)
		e.felix(ctx)
		e.rights(ctx)
		e.state(ctx)
	}
	return reportOf(e.findings), nil
}

func (e *examination) ok(check, format string, args ...any) {
	e.findings = append(e.findings, Finding{Check: check, Level: OK, What: fmt.Sprintf(format, args...)})
}

func (e *examination) add(check string, level Level, what, why, do string) {
	e.findings = append(e.findings, Finding{Check: check, Level: level, What: what, Why: why, Do: do})
}

// blind tells what could not be seen: unknown, or skipped where that is no gap of the whole.
func (e *examination) blind(check string, level Level, what string, err error) {
	do := permissions.Hint(permissions.Reader, err)
	if do == "" && apierrors.IsForbidden(err) {
		do = "ask as somebody who may see it"
	}
	e.add(check, level, what+" cannot be seen", err.Error(), do)
}

// discover finds out what is served.
func (e *examination) discover() error {
	_, lists, err := e.asking.ServerGroupsAndResources()
	failed := (*discovery.ErrGroupDiscoveryFailed)(nil)
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	e.served = map[schema.GroupResource]bool{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return err
		}
		for _, r := range list.APIResources {
			e.served[schema.GroupResource{Group: gv.Group, Resource: r.Name}] = true
		}
	}
	if failed != nil {
		for gv := range failed.Groups {
			e.silent = append(e.silent, gv.Group)
		}
		slices.Sort(e.silent)
	}
	return nil
}

func (e *examination) serves(group string) bool {
	for gr := range e.served {
		if gr.Group == group {
			return true
		}
	}
	return false
}
