package controlplane

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// Calico is a way in which a control plane serves Calico's resources.
type Calico string

const (
	// NoCalico serves nothing of Calico.
	NoCalico Calico = ""
	// CalicoCRD serves crd.projectcalico.org/v1 and, as clusters may from
	// Calico 3.32 on, projectcalico.org/v3 by definitions: two stores, of
	// which neither sees what is written to the other. Calico's own tiers exist.
	CalicoCRD Calico = "crd"
	// CalicoAggregated serves crd.projectcalico.org/v1 by definitions and
	// projectcalico.org/v3, above the same store, by Calico's own API server
	// v3.31.0, as most clusters do.
	CalicoAggregated Calico = "aggregated"
)

// errNoCalicoServer is of a control plane that has no API server of Calico's.
var errNoCalicoServer = errors.New("the control plane has no API server of Calico's: Config.Calico is not CalicoAggregated")

// KillCalico kills Calico's API server, as a crash would, and returns when it
// is gone. It stays registered: kube-apiserver answers 503 in its place. If it
// does not run, nothing changes.
func (p *ControlPlane) KillCalico() error {
	if p.flavour != CalicoAggregated {
		return errNoCalicoServer
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killCalico()
	return nil
}

// killCalico needs mu.
func (p *ControlPlane) killCalico() {
	if p.calico != nil {
		p.calico.kill()
		p.calico = nil
	}
}

// StartCalico starts Calico's API server again after [ControlPlane.KillCalico]
// or a death of its own, at the same port, and returns when a client finds what
// it serves. If it runs, nothing changes. ctx bounds the start alone.
func (p *ControlPlane) StartCalico(ctx context.Context) error {
	if p.flavour != CalicoAggregated {
		return errNoCalicoServer
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return errors.New("starting Calico's API server: the control plane was stopped")
	}
	if p.calico.runs() {
		return nil
	}
	args := []string{"apiserver", "--parent", "--data", p.dir}
	started, err := startProcess(ctx, calicoProgram.what, p.calicoBinary, args, p.env, filepath.Join(p.dir, "calico.log"), p.log)
	if err != nil {
		return fmt.Errorf("starting Calico's API server: %w", err)
	}
	p.calico = started
	return nil
}

// CalicoPid returns the id of the process of Calico's API server, 0 if it does
// not run.
func (p *ControlPlane) CalicoPid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.calico.runs() {
		return 0
	}
	return p.calico.pid
}
