package scenario

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// A form with files is taken from somebody who has signed in and whose page was let, up to a size, and leaves nothing behind.
func TestUploads(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := testkit.Demo(t, dsn, "--http-upload-max", "2MiB")
		signed := []string{"Authorization", "Bearer " + testkit.Token(t, "linyue002")}
		let := []string{"GraphQL-Require-Preflight", "1"}
		body := func(size int) string {
			return "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n" +
				`{"query":"{ viewer { member { accountName } } }","variables":{"file":null}}` +
				"\r\n--x\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n" + `{"0":["variables.file"]}` +
				"\r\n--x\r\nContent-Disposition: form-data; name=\"0\"; filename=\"a.csv\"\r\n\r\n" + strings.Repeat("x", size) + "\r\n--x--\r\n"
		}
		for name, c := range map[string]struct {
			size    int
			headers []string
			status  int
			code    string
		}{
			"good":              {1 << 20, append(let, signed...), http.StatusOK, ""},
			"larger than JSON":  {2<<20 - 1000, append(let, signed...), http.StatusOK, ""},
			"too large":         {2 << 20, append(let, signed...), http.StatusRequestEntityTooLarge, "BAD_USER_INPUT"},
			"far too large":     {100 << 20, append(let, signed...), http.StatusRequestEntityTooLarge, "BAD_USER_INPUT"},
			"no preflight":      {10, signed, http.StatusBadRequest, "BAD_USER_INPUT"},
			"nobody":            {10, let, http.StatusUnauthorized, "UNAUTHENTICATED"},
			"nobody, too large": {100 << 20, let, http.StatusUnauthorized, "UNAUTHENTICATED"},
		} {
			r := s.In(t).Send(http.MethodPost, "/graphql", body(c.size), append(c.headers, "Content-Type", "multipart/form-data; boundary=x")...)
			if r.Status != c.status || r.Code() != c.code || (c.code == "") != strings.Contains(r.Body, "linyue002") {
				t.Errorf("%s: %d %s", name, r.Status, r.Body)
			}
		}
	})
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 && strings.Contains(left[0].Name(), "upload") {
		t.Errorf("left behind: %v %v", left, err)
	}
}
