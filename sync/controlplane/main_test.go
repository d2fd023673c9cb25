package controlplane

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// asParent makes the test binary a program that starts a control plane, prints
// the servers' ids and its folder, and waits to be killed.
const asParent = "CONTROLPLANE_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(asParent) == "" {
		m.Run()
		return
	}
	p, err := Start(context.Background(), Config{Calico: CalicoAggregated})
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, p.Pid(), p.CalicoPid(), p.Dir())
	time.Sleep(time.Hour)
}

// start starts a control plane for one test.
func start(t *testing.T, c Config) *ControlPlane {
	t.Helper()
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}
