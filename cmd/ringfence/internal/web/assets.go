package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"

	"github.com/ringfence/ringfence/cmd/ringfence/internal/picture"
)

//go:embed assets
var assetFiles embed.FS

// assets are the files that views load, each at a path that names its content, so that it is kept as long as it holds.
type assets struct {
	paths map[string]string
	files map[string]asset // by path
}

type asset struct {
	contentType string
	content     []byte
}

func readAssets() assets {
	out := assets{map[string]string{}, map[string]asset{}}
	for name, contentType := range map[string]string{
		"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // it is part of the program
		}
		if name == "page.css" {
			content = fmt.Appendf(content, ".picture{%s}\n", picture.Style)
		}
		sum := sha256.Sum256(content)
		at := path.Join("/assets", hex.EncodeToString(sum[:6]), name)
		out.paths[name], out.files[at] = at, asset{contentType, content}
	}
	return out
}

func (a assets) path(name string) string { return a.paths[name] }

// ServeHTTP implements http.Handler.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.content) // the client has gone
}
