package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// A gateway that is killed once a system has a webhook, and before it has written down that it has, sends the same one again,
// under the same id: the next one at once on SQLite, and on PostgreSQL when the lease of the dead one has run out.
func TestKilledAfterAWebhookArrived(t *testing.T) {
	bin := build(t)
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		crm, dir := testkit.Receive(t, secret), t.TempDir()
		for name, text := range map[string]string{"secret": secret, "guanxi.yaml": fmt.Sprintf("webhooks: {crm: {url: '%s', secret_file: %s}}\n", crm.URL, filepath.Join(dir, "secret"))} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p := gateway(t, bin, dsn, "--config", filepath.Join(dir, "guanxi.yaml"), "--outbound-networks", "127.0.0.0/8")
		p.start()
		killed := make(chan struct{})
		crm.Before(func() { crm.Before(nil); _ = p.cmd.Process.Kill(); close(killed) })
		url, _ := p.where()
		lin := testkit.At(t, url).As("linyue002")
		lin.Do(`mutation($t:ID!){block(input:{targetId:$t,kind:BLACKLIST,reason:"seen"}){results{relationship{id}}}}`, map[string]any{"t": lin.Contact("wm_lanhai")})
		select {
		case <-killed:
		case <-time.After(15 * time.Second):
			t.Fatal("no webhook came")
		}
		p.kill()
		p.start()
		defer p.stop()
		url, _ = p.where()
		again := testkit.At(t, url)
		if !strings.HasPrefix(dsn, "sqlite:") {
			again.Advance(31 * time.Second)
		}
		got := crm.Until(t, 2)
		if got[0] != got[1] || got[0].ID == "" {
			t.Errorf("sent %v, and then %v", got[0], got[1])
		}
		again.Advance(time.Hour)
		delivery := again.As("linyue002").Do(`{relationships{nodes{notices{channel delivery{state attempts}}}}}`, nil).Get("relationships.nodes.0.notices")
		if text := fmt.Sprint(delivery); !strings.Contains(text, "map[attempts:2 state:DELIVERED]") || len(crm.Got()) != 2 {
			t.Errorf("%s, sent %d times", text, len(crm.Got()))
		}
	})
}
