package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

const (
	etcdSocket     = "etcd.sock" // relative to the data folder, the process's working folder: a socket's path may have about 100 bytes only
	etcdPeerSocket = "peer.sock"
	etcdPatience   = 30 * time.Second
)

// startEtcd runs etcd in the working folder and returns once it serves. It
// listens on a socket in that folder, which its mode protects: no port, no
// certificate.
func startEtcd(ctx context.Context, fsync bool) (*embed.Etcd, error) {
	client, peer := url.URL{Scheme: "unix", Host: etcdSocket}, url.URL{Scheme: "unix", Host: etcdPeerSocket}
	c := embed.NewConfig()
	c.Name = "controlplane"
	c.Dir = "etcd"
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.UnsafeNoFsync = !fsync
	c.EnableGRPCGateway = false
	c.LogLevel = "warn"
	c.LogOutputs = []string{"stderr"}
	// There is nobody to vote against: the default second is only a wait.
	c.TickMs, c.ElectionMs = 20, 200

	e, err := embed.StartEtcd(c)
	if err != nil {
		return nil, fmt.Errorf("starting etcd: %w", err)
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case err := <-e.Err():
		return nil, fmt.Errorf("starting etcd: %w", err)
	case <-e.Server.StopNotify():
		return nil, errors.New("starting etcd: it stopped at once")
	case <-time.After(etcdPatience):
		return nil, fmt.Errorf("starting etcd: not ready after %s", etcdPatience)
	case <-ctx.Done():
		return nil, fmt.Errorf("starting etcd: %w", ctx.Err())
	}
}
