package app

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/outbound"
	"github.com/guanxi-im/guanxi/internal/webhook"
)

// openWebhooks makes what tells the systems of the settings. Each is asked at its own host and at no other.
func (s *server) openWebhooks(ids *im.IDs) (*webhook.Courier, error) {
	endpoints, hosts, err := s.endpoints()
	if err != nil {
		return nil, err
	}
	return webhook.NewCourier(webhook.Options{Endpoints: endpoints, Store: s.store, Log: s.log, Now: func() time.Time { return s.clock.Now() }, Real: time.Now,
		IDs: ids, Wake: s.hub.Wake, HTTP: outbound.Client(outbound.Options{Hosts: hosts, Networks: s.cfg.Outbound.Networks, Timeout: webhook.AttemptTime})}), nil
}

// endpoints are those of the settings, and the hosts that they are at.
func (s *server) endpoints() (out []webhook.Endpoint, hosts []string, err error) {
	set, err := s.cfg.Endpoints()
	if err != nil {
		return nil, nil, usageError{err}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		e := webhook.Endpoint{Name: name, URL: set[name].URL, Purposes: set[name].Purposes}
		for _, text := range set[name].Secrets {
			secret, err := webhook.ParseSecret(text)
			if err != nil {
				return nil, nil, usageError{fmt.Errorf("webhooks.%s.secret_file: %w", name, err)}
			}
			e.Secrets = append(e.Secrets, secret)
		}
		hosts, out = append(hosts, e.Host()), append(out, e)
	}
	return out, hosts, nil
}
