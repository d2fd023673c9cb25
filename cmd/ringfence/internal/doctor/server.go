package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// skewMost is by how much the clocks may differ before it is told; a Date header knows only seconds.
const skewMost = 5 * time.Second

// server looks whether the API server answers, and what time it has.
func (e *examination) server(ctx context.Context, rc *rest.Config) {
	client, err := rest.HTTPClientFor(rc)
	if err == nil {
		err = e.clock(ctx, client, rc)
	}
	if err == nil {
		err = e.discover()
	}
	if err != nil {
		e.add("server", Unknown, "the API server at "+rc.Host+" does not answer", err.Error(), "name another one by --kubeconfig or --context, or mend it; nothing else of the cluster is known")
		return
	}
	e.seen = true
}

// clock asks for the version, and compares the time of the answer with ours.
func (e *examination) clock(ctx context.Context, client *http.Client, rc *rest.Config) error {
	address, _, err := rest.DefaultServerUrlFor(rc)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.JoinPath("/version").String(), http.NoBody)
	if err != nil {
		return err
	}
	before := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	after := time.Now()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s", response.Status)
	}
	version, err := e.asking.ServerVersion()
	if err != nil {
		return err
	}
	e.ok("server", "Kubernetes %s answers at %s", version.GitVersion, rc.Host)
	theirs, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		e.add("clock", Skipped, "the API server does not say what time it has", "", "")
		return nil
	}
	if skew := skewOf(theirs, before, after); skew > skewMost || skew < -skewMost {
		e.add("clock", Warning, fmt.Sprintf("the API server's clock is %s off from this machine's", skew.Abs().Round(time.Second)),
			"leases, freezes, suspensions and break-glass go by the clock of who reads them, and tokens may not be valid", "synchronize the clocks (NTP)")
	} else {
		e.ok("clock", "the API server has the same time, to %s", skewMost)
	}
	return nil
}

// skewOf returns by how much their time is ahead at least: theirs is cut to a whole second, and was read between before and after.
func skewOf(theirs, before, after time.Time) time.Duration {
	switch latest := theirs.Add(time.Second); {
	case theirs.After(after):
		return theirs.Sub(after)
	case latest.Before(before):
		return latest.Sub(before)
	}
	return 0
}
