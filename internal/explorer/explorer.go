// Package explorer is the page at /: GraphiQL with example operations, from the binary alone. It speaks to its own
// gateway and to nobody else, which its Content-Security-Policy holds it to.
//
// What is in assets is built of source by build.mjs (npm ci && npm run build); whoever only builds the gateway needs
// neither.
package explorer

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets/*.gz examples/*.graphql
var files embed.FS

// policy is what the page may load: itself. Styles may stand in the page, as the editor measures text by them; scripts
// may not.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Routes are the explorer's pages by pattern. In the demo it asks for the personas.
func Routes(demo bool) (map[string]http.Handler, error) {
	all, err := Examples()
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(struct {
		Demo     bool      `json:"demo"`
		Examples []Example `json:"examples"`
	}{demo, all})
	if err != nil {
		return nil, err
	}
	routes := map[string]http.Handler{}
	for pattern, page := range map[string]struct{ file, media string }{
		"GET /{$}":                   {"index.html", "text/html; charset=utf-8"},
		"GET /explorer/app.js":       {"app.js", "text/javascript; charset=utf-8"},
		"GET /explorer/app.css":      {"app.css", "text/css; charset=utf-8"},
		"GET /explorer/LICENSES.txt": {"LICENSES.txt", "text/plain; charset=utf-8"},
	} {
		packed, err := files.ReadFile(path.Join("assets", page.file+".gz"))
		if err != nil {
			return nil, err
		}
		if routes[pattern], err = newPage(page.media, packed); err != nil {
			return nil, fmt.Errorf("explorer: %s: %w", page.file, err)
		}
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(settings); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	routes["GET /explorer/settings.json"], err = newPage("application/json; charset=utf-8", packed.Bytes())
	return routes, err
}

// page is one file of the explorer, packed, as most clients take it.
type page struct {
	media, tag string
	packed     []byte
	size       int64 // unpacked
}

func newPage(media string, packed []byte) (*page, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	size, err := io.Copy(io.Discard, r) // a file that does not unpack is found at the start
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(packed)
	return &page{media: media, tag: `"` + hex.EncodeToString(sum[:8]) + `"`, packed: packed, size: size}, nil
}

// ServeHTTP answers with the file, unpacked for clients that do not say that they unpack.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache") // asked for anew each time, and not sent again
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", "W/"+p.tag)
	if strings.Contains(r.Header.Get("If-None-Match"), p.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", p.media)
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(p.packed)))
		_, _ = w.Write(p.packed) // a client that hung up is no fault of ours
		return
	}
	h.Set("Content-Length", strconv.FormatInt(p.size, 10))
	if unpacked, err := gzip.NewReader(bytes.NewReader(p.packed)); err == nil {
		_, _ = io.Copy(w, unpacked)
	}
}

// takesGzip reads an Accept-Encoding header.
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if coding = strings.TrimSpace(coding); strings.EqualFold(coding, "gzip") || coding == "*" {
			q, weighed := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			n, err := strconv.ParseFloat(q, 64)
			return !weighed || err == nil && n > 0
		}
	}
	return false
}
