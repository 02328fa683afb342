package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TokenTTL is how long a token holds, by the simulator's clock.
const TokenTTL = 7200 * time.Second

// token is an access_token. It says itself whose it is and until when, under the secret's signature, so that it holds
// over a restart.
func (a *App) token(expires time.Time) string {
	text := fmt.Sprintf("%s|%d|%d", a.Name, a.TokenEpoch, expires.Unix())
	return base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + a.sign(text)
}

func (a *App) sign(text string) string {
	h := hmac.New(sha256.New, []byte(a.Secret))
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// appOf is the app whose token it is, or why it is nobody's: missing, not one or taken back, expired.
func (w *world) appOf(token string, now time.Time) (*App, error) {
	if token == "" {
		return nil, noToken
	}
	body, signature, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	parts := strings.Split(string(text), "|")
	if err != nil || len(parts) != 3 {
		return nil, badToken
	}
	a := w.app(parts[0])
	if a == nil || !hmac.Equal([]byte(a.sign(string(text))), []byte(signature)) || parts[1] != strconv.Itoa(a.TokenEpoch) {
		return nil, badToken
	}
	if expires, err := strconv.ParseInt(parts[2], 10, 64); err != nil || now.Unix() >= expires {
		return nil, tokenExpired
	}
	return a, nil
}

// Gets a token for a secret.
//
//vendor:op GET /cgi-bin/gettoken
//vendor:doc https://developer.work.weixin.qq.com/document/path/91039
func (c *call) getToken() (any, error) {
	corp, secret := c.query.Get("corpid"), c.query.Get("corpsecret")
	switch {
	case corp == "":
		return nil, noCorpID
	case secret == "":
		return nil, noSecret
	case corp != c.CorpID:
		return nil, badCorpID
	}
	for i := range c.Apps {
		if a := &c.Apps[i]; hmac.Equal([]byte(a.Secret), []byte(secret)) {
			return struct {
				head
				Token   string `json:"access_token"`
				Expires int    `json:"expires_in"`
			}{ok, a.token(c.now.Add(TokenTTL)), int(TokenTTL / time.Second)}, nil
		}
	}
	return nil, badSecret
}
