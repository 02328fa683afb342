package messaging

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
)

// Store is what this use-case reads and writes.
type Store interface {
	// Post writes a unit, or nothing of it and one of ledger's errors.
	Post(ctx context.Context, u ledger.Unit) error
	// Fingerprint is a keyed hash: equal for equal input, and of no use to whoever sees it without the key.
	Fingerprint(b []byte) []byte
	// Answer reads the answer that an idempotency key got; nil where it has none.
	Answer(ctx context.Context, actor im.ID, key string) (*ledger.Answer, error)

	// SendFacts reads what a message is decided on, but for what stands between the two: that is CheckFacts.
	SendFacts(ctx context.Context, q SendQuery) (SendFacts, error)
	// CheckFacts is what contact checks are answered from.
	CheckFacts(ctx context.Context, v im.Viewer, now time.Time, pairs []blocking.Pair) ([]blocking.CheckFacts, error)
	Relationships(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Relationship, error)
	Members(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Member, error)

	// Messages reads messages by id, as far as the viewer may read them at now.
	Messages(ctx context.Context, v im.Viewer, ids []im.ID, now time.Time) (map[im.ID]im.Message, error)
	ListMessages(ctx context.Context, v im.Viewer, f Filter, now time.Time, r page.Request) (page.Result[im.Message], error)
	// Announcements is what messages tell their groups; what was taken back is not there.
	Announcements(ctx context.Context, messages []im.ID) (map[im.ID]im.Text, error)
	// Takes reports whether somebody ever took part in a conversation, or was in a group.
	Takes(ctx context.Context, member, conversation, group im.ID) (bool, error)
	// Others are those of some messages in which a member has no part.
	Others(ctx context.Context, member im.ID, messages []im.ID) (map[im.ID]bool, error)
}

// SendQuery asks for what a message is decided on.
type SendQuery struct {
	Viewer      im.Viewer
	WorkspaceID im.ID
	To          im.Ref // of a direct message
	GroupID     im.ID
	Mentions    []im.ID
}

// SendFacts is what a message is decided on. What the viewer may not see is not there.
type SendFacts struct {
	Workspace *im.Workspace
	Standing  string // of the viewer on the workspace; empty: he has no account there
	To        bool   // there is such a party
	ToHere    bool   // who can be written to on the workspace
	Group     *im.Group
	Place     string         // of the viewer in the group
	Mentioned map[im.ID]bool // members of the group
}

// Filter narrows a list of messages; all that is given must hold.
type Filter struct {
	Text            string
	SenderID        im.ID
	ConversationID  im.ID
	GroupID         im.ID
	WithID          im.ID // direct messages from or to this party
	From, Until     time.Time
	IncludeRecalled bool
}
