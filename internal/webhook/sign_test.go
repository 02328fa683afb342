package webhook

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func secret(t *testing.T, text string) Secret {
	t.Helper()
	s, err := ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The example that the libraries of Standard Webhooks are tested with.
const vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestSign(t *testing.T) {
	const id, body, want = "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	at, one, other := time.Unix(1614265330, 0), secret(t, vectorSecret), secret(t, "whsec_"+strings.Repeat("AAAA", 8))
	if got := sign([]Secret{one}, id, at, []byte(body)); got != want {
		t.Errorf("signed %s, not %s", got, want)
	}
	first, second, two := strings.Cut(sign([]Secret{other, one}, id, at, []byte(body)), " ")
	if !two || second != want || !strings.HasPrefix(first, "v1,") || first == second {
		t.Errorf("by two secrets: %s and %s", first, second)
	}
}

func TestParseSecret(t *testing.T) {
	for text, ok := range map[string]bool{
		vectorSecret: true, "whsec_" + strings.Repeat("AAAA", 8): true, "whsec_" + strings.Repeat("AAAA", 7): false, strings.Repeat("AAAA", 8): false,
		"whsec_": false, "whsec_" + strings.Repeat("AAAA", 30): false, "whsec_" + strings.Repeat("A A!", 8): false,
	} {
		s, err := ParseSecret(text)
		if (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), text) && text != "whsec_" {
			t.Errorf("%v quotes it", err)
		}
		if shown := fmt.Sprintf("%v %+v %#v %s %v", s, s, s, s, Endpoint{Secrets: []Secret{s}}); ok && strings.Count(shown, "[redacted]") != 5 {
			t.Errorf("it prints as %s", shown)
		}
	}
}
