package main

import (
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/ringfence/ringfence/sync/controlplane/server/child/pki"
)

// writeKubeconfig writes the file, readable by its owner only, with which a
// client at url is in the group system:masters. The keys are inside, so that
// the file can be copied.
func writeKubeconfig(path, url string, f pki.Files) error {
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		return fmt.Errorf("writing the kubeconfig file: %w", err)
	}
	cert, err := os.ReadFile(f.AdminCert)
	if err != nil {
		return fmt.Errorf("writing the kubeconfig file: %w", err)
	}
	key, err := os.ReadFile(f.AdminKey)
	if err != nil {
		return fmt.Errorf("writing the kubeconfig file: %w", err)
	}
	const cluster, user = "ringfence", "kubernetes-admin"
	c := clientcmdapi.NewConfig()
	c.Clusters[cluster] = &clientcmdapi.Cluster{Server: url, CertificateAuthorityData: ca}
	c.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	c.Contexts[cluster] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: user}
	c.CurrentContext = cluster
	out, err := clientcmd.Write(*c)
	if err != nil {
		return fmt.Errorf("writing the kubeconfig file: %w", err)
	}
	// A reader sees the old file or the new one.
	if err := os.WriteFile(path+".new", out, 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig file: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the kubeconfig file: %w", err)
	}
	return nil
}
