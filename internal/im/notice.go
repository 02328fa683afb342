package im

import "time"

// Notice (通知) is word to one person, or to one system, of what was done. People read it here; to systems it is sent.
type Notice struct {
	ID       ID
	At       time.Time
	Purpose  string // what the word is about: OPPORTUNITY_LOSS, BLOCK_OVERUSE, …
	Subject  Ref    // the relationship
	MemberID ID     // the person who is told; zero: a system is
	Endpoint string // the name of the system's endpoint; empty: a person is told
	To       string // what the person or the endpoint is called

	// State and Version are the subject's as they were when a system was told: whoever hears late can tell which of two is newer.
	State    RelationshipState
	Version  int
	Delivery Delivery // of a system; its Kind and VendorRef are empty
}

// The channels of notices.
const (
	ChannelGateway = "guanxi"  // it is read here: there is nothing to deliver
	ChannelWebhook = "webhook" // it is sent, signed
)

// Channel is how it comes to whom it is for.
func (n Notice) Channel() string {
	if n.Endpoint != "" {
		return ChannelWebhook
	}
	return ChannelGateway
}

// NoticeEnded is the purpose of the word that what a system was told of has ended. It goes to whom was told.
const NoticeEnded = "RELATIONSHIP_ENDED"

// Why a webhook did not arrive.
const (
	WebhookSilent    = "EndpointSilent"    // no answer: no connection, or not in time
	WebhookFails     = "EndpointFails"     // 5xx, 408 or 429
	WebhookRefused   = "EndpointRefused"   // any other status but 2xx and 410
	WebhookGone      = "EndpointGone"      // 410
	WebhookRedirects = "EndpointRedirects" // redirects are not followed
	WebhookForbidden = "EndpointForbidden" // its address is one that may not be dialled
	WebhookOverdue   = "EndpointOverdue"   // it could not be tried for too long: the endpoint is disabled, or not in the settings
)

// WebhookCodes are all of them.
var WebhookCodes = []string{WebhookSilent, WebhookFails, WebhookRefused, WebhookGone, WebhookRedirects, WebhookForbidden, WebhookOverdue}

// EndpointHealth is how the endpoint of a system does.
type EndpointHealth struct {
	Name          string
	URL           string // a hash of it
	Failures      int    // since it was last answered as it should
	FailingSince  time.Time
	LastErrorCode string
	DeliveredAt   time.Time
	DisabledAt    time.Time // zero: it is not
	ProbeAt       time.Time // while it is disabled: when one is tried to see whether it is back
	Pending       int       // what waits for it
}
