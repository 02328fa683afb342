package gateway

import (
	"mime"
	"strconv"
	"strings"
)

// Media types of answers.
const (
	mediaJSON    = "application/json"
	mediaGraphQL = "application/graphql-response+json"
	mediaStream  = "text/event-stream"
)

// acceptance is what a client takes.
type acceptance struct {
	media  string // of an answer that is whole; "": none of ours
	stream bool   // a stream is among what it names, which is enough for a subscription
	prefer bool   // and is what it prefers, for queries and mutations too
}

// wish is how much somebody wants a media type: by weight, then by whether it is named itself, then by what is named first.
type wish struct {
	weight float64
	named  int // 2: itself, 1: by its family, 0: by the wildcard of all
	at     int
}

func (a wish) over(b wish) bool {
	switch {
	case a.weight != b.weight:
		return a.weight > b.weight
	case a.named != b.named:
		return a.named > b.named
	}
	return a.at < b.at
}

// negotiate reads an Accept header as RFC 9110, 12.5.1 has it: of the ranges that cover a media type the most specific one gives
// its weight. Clients that can read streams name them beside JSON in every request; only those that weigh them higher, or name
// nothing else of ours, get queries as streams.
func negotiate(accept string) (a acceptance) {
	if strings.TrimSpace(accept) == "" {
		return acceptance{media: mediaJSON}
	}
	wishes := map[string]wish{}
	at := 0
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil || !isUTF8(params["charset"]) {
			continue
		}
		w := wish{weight: 1, at: at}
		if q, ok := params["q"]; ok {
			if w.weight, err = strconv.ParseFloat(q, 64); err != nil || !(w.weight >= 0 && w.weight <= 1) {
				continue
			}
		}
		at++
		covers := []string{media}
		switch media {
		case "*/*":
			covers = []string{mediaJSON, mediaGraphQL}
		case "application/*":
			covers, w.named = []string{mediaJSON, mediaGraphQL}, 1
		default:
			w.named = 2
		}
		for _, m := range covers {
			if old, ok := wishes[m]; !ok || w.named > old.named {
				wishes[m] = w
			}
		}
	}
	best := wish{}
	for _, m := range []string{mediaJSON, mediaGraphQL} { // of two that are wanted alike it is JSON
		if w := wishes[m]; w.weight > 0 && (a.media == "" || w.over(best)) {
			a.media, best = m, w
		}
	}
	w := wishes[mediaStream]
	a.stream = w.weight > 0
	a.prefer = a.stream && (a.media == "" || w.weight > best.weight || w.weight == best.weight && best.named < 2)
	return a
}

func isUTF8(charset string) bool {
	return charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
