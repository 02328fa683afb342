package explorer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What is embedded was built of what stands in source, and of nothing else: whoever changes one builds the other.
func TestAssetsAreFresh(t *testing.T) {
	f, err := os.Open("assets/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	sums := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		sums[name] = sum
	}
	var stand []string
	for _, pattern := range []string{"build.mjs", "package.json", "package-lock.json", "source/*", "assets/*.gz"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Errorf("%s: %v, %v", pattern, found, err)
		}
		stand = append(stand, found...)
	}
	for _, name := range stand {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != sums[name] {
			t.Errorf("%s changed since the assets were built: npm ci && npm run build", name)
		}
		if len(b) > 2<<20 {
			t.Errorf("%s has %d bytes", name, len(b))
		}
		delete(sums, name)
	}
	for name := range sums {
		t.Errorf("%s is gone since the assets were built: npm ci && npm run build", name)
	}
}

func TestServe(t *testing.T) {
	routes, err := Routes(true)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.Handle(pattern, h)
	}
	get := func(path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	for path, holds := range map[string]string{"/": "explorer/app.js", "/explorer/app.js": "graphiql", "/explorer/app.css": ".graphiql-container",
		"/explorer/LICENSES.txt": "react-dom 18", "/explorer/settings.json": `"demo":true`} {
		packed, plain := get(path, "Accept-Encoding", "br, gzip;q=0.8"), get(path, "Accept-Encoding", "gzip;q=0")
		for _, w := range []*httptest.ResponseRecorder{packed, plain} {
			if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self';") {
				t.Errorf("%s: %d %v", path, w.Code, w.Header())
			}
		}
		r, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		unpacked, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if plain.Header().Get("Content-Encoding") != "" || !bytes.Equal(unpacked, plain.Body.Bytes()) || !strings.Contains(string(unpacked), holds) {
			t.Errorf("%s: %q packed, %q not", path, unpacked[:min(200, len(unpacked))], plain.Body.Bytes()[:min(200, plain.Body.Len())])
		}
		if w := get(path, "If-None-Match", packed.Header().Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("%s: it is sent again: %d", path, w.Code)
		}
	}
	if w := get("/elsewhere"); w.Code != http.StatusNotFound {
		t.Errorf("/elsewhere: %d", w.Code)
	}
}

// The page names no other host, in markup or in style; scripts are held by the policy and by the browser's test.
func TestNoOtherHost(t *testing.T) {
	for _, name := range []string{"index.html", "app.css"} {
		b, err := files.ReadFile("assets/" + name + ".gz")
		if err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]|@import|@font-face`).Find(text); found != nil {
			t.Errorf("%s: %s", name, found)
		}
	}
}

func TestParse(t *testing.T) {
	const head = "# reader: policy\n# en: A\n# zh: 甲\n# as: x\n"
	e, err := parse("n", head+"# $a: [1]\n# $b: x.0.id of { x { id } }\n# shows: a.b = \"c: d\"\n# A comment: of its own.\n{ x }\n")
	if err != nil || e.Document != "# A comment: of its own.\n{ x }\n" || len(e.Variables) != 2 || e.Variables[1].Path != "x.0.id" ||
		e.Variables[1].Query != "{ x { id } }" || string(e.Variables[0].Value) != "[1]" || string(e.Shows[0].Value) != `"c: d"` {
		t.Errorf("%+v %v", e, err)
	}
	for _, bad := range []string{"", "{ x }", head + "{ x }", head + "# shows: a\n", head + "# shows: a = b\n", head + "# $a: b\n", head + "# of: b\n",
		strings.Replace(head, "policy", "me", 1) + "# shows: a = 1\n", strings.Replace(head, "# zh: 甲\n", "", 1) + "# shows: a = 1\n", head + "# shows: a = 1\n# en-about: b\n"} {
		if e, err := parse("n", bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, e)
		}
	}
	all, err := Examples()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(files, "examples")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, e := range all {
		if !slices.Contains(seen, e.Reader) {
			seen = append(seen, e.Reader)
		}
	}
	if len(all) != len(entries) || !slices.Equal(seen, readers) {
		t.Errorf("%d examples of %d files, for %v", len(all), len(entries), seen)
	}
}
