package im

import "time"

// Notice (通知) is word to one person of what was done. It is read here: nothing is sent.
type Notice struct {
	ID       ID
	At       time.Time
	Purpose  string // what the word is about: OPPORTUNITY_LOSS, BLOCK_OVERUSE, …
	Subject  Ref    // the relationship
	MemberID ID     // who is told
	To       string // what he is called
}

// NoticeChannel is how people get notices.
const NoticeChannel = "guanxi"
