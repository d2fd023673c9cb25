package validate

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ringfence/ringfence/drift"
	"github.com/ringfence/ringfence/kustomize/kinds"
)

// schemas are those that the API server publishes. They are read again when definitions may have changed: first the list of
// all documents with their hashes, then the documents whose hash is another.
type schemas struct {
	config Config

	mu     sync.Mutex
	asked  bool
	seen   uint64            // what drift.Cluster.Definitions was when the list was read
	listed map[string]string // the documents' addresses, with their hashes, by group and version
	kept   map[kinds.Kind]*schema
}

func newSchemas(c Config) *schemas {
	return &schemas{config: c, listed: map[string]string{}, kept: map[kinds.Kind]*schema{}}
}

// of returns the schema of a kind. Where the API server publishes none, it is one that finds nothing; so it is for Namespace,
// of which Git says little more than labels, and whose document is the longest of all.
func (s *schemas) of(ctx context.Context, k kinds.Kind) (*schema, error) {
	if k == kinds.Namespace {
		return &schema{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if now := s.config.Cluster.Definitions(); !s.asked || now != s.seen {
		if err := s.list(ctx); err != nil {
			return nil, err
		}
		s.asked, s.seen = true, now
	}
	address := s.listed["apis/"+k.GroupVersion().String()]
	// In which way Calico's kinds are served makes another schema of the same document.
	version := fmt.Sprintf("%s %s", address, s.config.Cluster.Flavour())
	if kept := s.kept[k]; kept != nil && kept.version == version {
		return kept, nil
	}
	if address == "" {
		s.kept[k] = &schema{version: version}
		return s.kept[k], nil
	}
	if err := s.read(ctx, k.GroupVersion(), address, version); err != nil {
		return nil, err
	}
	return s.kept[k], nil
}

// list reads which documents there are.
func (s *schemas) list(ctx context.Context) error {
	raw, err := s.config.Discovery.RESTClient().Get().AbsPath("/openapi/v3").Do(ctx).Raw()
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		s.config.Log.Warn("the API server's schemas cannot be read; only its own dry-run says what it refuses", "err", err)
		s.listed = map[string]string{}
		return nil
	}
	var list struct {
		Paths map[string]struct {
			ServerRelativeURL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return fmt.Errorf("reading the list of the API server's schemas: %w", err)
	}
	s.listed = map[string]string{}
	for name, document := range list.Paths {
		s.listed[name] = document.ServerRelativeURL
	}
	return nil
}

// read makes the schemas of all kinds of a group and version from its document.
func (s *schemas) read(ctx context.Context, gv runtimeschema.GroupVersion, address, version string) error {
	path, query, _ := strings.Cut(address, "?")
	request := s.config.Discovery.RESTClient().Get().AbsPath(path)
	if _, hash, ok := strings.Cut(query, "hash="); ok {
		request = request.Param("hash", hash)
	}
	raw, err := request.Do(ctx).Raw()
	var doc *document
	if err == nil {
		doc, err = parse(raw)
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return fmt.Errorf("reading the API server's schemas of %s: %w", gv, err)
	}
	for _, k := range kinds.Guarded() {
		if k.GroupVersion() != gv {
			continue
		}
		s.kept[k] = &schema{version: version}
		if doc == nil {
			continue
		}
		made, err := doc.schema(k, enforced(k, s.config.Cluster.Flavour()))
		if err != nil {
			s.config.Log.Warn("a schema of the API server cannot be used; only its own dry-run says what it refuses", "object", k.Kind+"."+k.Group, "err", err)
			continue
		}
		made.version = version
		s.kept[k] = made
	}
	return nil
}

// enforced says whether the API server checks objects of the kind against the schema that it publishes, as it does for
// CustomResourceDefinitions. The schemas of other kinds are made from Go types: what they call required is then only what
// the type cannot leave out.
func enforced(k kinds.Kind, f drift.Flavour) bool {
	switch k.Group {
	case kinds.GroupCalico:
		return f == drift.FlavourNative
	case kinds.GroupPolicy:
		return true
	}
	return false
}
