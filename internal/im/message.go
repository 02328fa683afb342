package im

import "time"

// MessageKind is what a message is made of.
type MessageKind string

// The kinds of messages. The gateway's own are texts.
const (
	TextMessage  MessageKind = "TEXT"
	ImageMessage MessageKind = "IMAGE"
	FileMessage  MessageKind = "FILE"
	VoiceMessage MessageKind = "VOICE"
	OtherMessage MessageKind = "OTHER"
)

// Message (消息) is what one party wrote to another, or to a group.
type Message struct {
	ID             ID
	WorkspaceID    ID
	ConversationID ID // the same for all between two parties, and for all in one group; see messaging
	GroupID        ID // zero: it is direct
	Sender         Ref
	Recipient      Ref // of a direct one
	Mentions       []ID
	Announcement   bool
	Kind           MessageKind
	Text           Text
	SentAt         time.Time
	RecalledAt     time.Time
	RecalledBy     ID
}

// Ref points at the message.
func (m Message) Ref() Ref { return Ref{KindMessage, m.ID} }
