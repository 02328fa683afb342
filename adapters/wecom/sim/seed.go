package sim

// Seed is the company that a simulator starts with. The world that it becomes has the same shape: what is not set here
// can only come about through a call or an act.
type Seed struct {
	CorpID      string       `json:"corpId"`
	Apps        []App        `json:"apps,omitempty"` // not shown: they hold secrets
	Departments []Department `json:"departments"`
	Members     []Member     `json:"members"`
	TagGroups   []TagGroup   `json:"tagGroups"`
	Contacts    []Contact    `json:"contacts"`
	Groups      []Group      `json:"groups"`
	Messages    []Message    `json:"messages,omitempty"` // of the apps, the oldest first
}

// App is a secret, and what it may call: wecom has one for every application, and one for the contact-sync assistant.
type App struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
	// AgentID is what the app sends messages as; 0: it is none that can.
	AgentID int `json:"agentId,omitempty"`
	// CustomerContact: the app is listed in 客户联系 → 可调用接口的应用.
	CustomerContact bool `json:"customerContact,omitempty"`
	// ContactSync: the secret is that of the contact-sync assistant (通讯录同步助手).
	ContactSync bool `json:"contactSync,omitempty"`
	// TokenEpoch counts how often the app's tokens were taken back before their time.
	TokenEpoch int `json:"tokenEpoch,omitempty"`
}

// Department (部门). The root has the id 1 and no parent.
type Department struct {
	ID          int64    `json:"id"`
	Name        string   `json:"name"`
	EnglishName string   `json:"englishName,omitempty"`
	ParentID    int64    `json:"parentId"`
	Order       int64    `json:"order"`
	Leaders     []string `json:"leaders,omitempty"`
}

// Status is what a member's account may do (激活状态).
type Status int

// The states of a member.
const (
	Activated    Status = 1
	Disabled     Status = 2
	NotActivated Status = 4
	Left         Status = 5
)

// Member (成员) is one of the company's people.
type Member struct {
	UserID          string  `json:"userId"`
	Name            string  `json:"name"`
	Alias           string  `json:"alias,omitempty"`
	EnglishName     string  `json:"englishName,omitempty"`
	Position        string  `json:"position,omitempty"`
	Departments     []int64 `json:"departments"` // the primary one first
	DirectLeader    string  `json:"directLeader,omitempty"`
	Status          Status  `json:"status"`                    // 0 in a seed: Activated
	CustomerContact bool    `json:"customerContact,omitempty"` // has 客户联系
	Unlicensed      bool    `json:"unlicensed,omitempty"`      // has no 互通 licence
	SignedInAt      int64   `json:"signedInAt,omitempty"`
}

// TagGroup is a group of the company's customer tags (企业标签).
type TagGroup struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	CreateTime int64  `json:"createTime"`
	Order      int64  `json:"order"`
	Tags       []Tag  `json:"tags"`
}

// Tag is one customer tag.
type Tag struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	CreateTime int64  `json:"createTime"`
	Order      int64  `json:"order"`
}

// ContactType says which client a contact uses. WeCom has no other mark of who is verified: of a WeCom user the company
// is known, of a WeChat user there is but a nickname.
type ContactType int

// The types of contacts.
const (
	WeChatUser ContactType = 1
	WeComUser  ContactType = 2
)

// Contact (外部联系人) is somebody outside.
type Contact struct {
	ExternalUserID string      `json:"externalUserId"`
	Name           string      `json:"name"`
	Type           ContactType `json:"type"`
	Position       string      `json:"position,omitempty"`     // of a WeCom user, as the next two
	CorpName       string      `json:"corpName,omitempty"`     //
	CorpFullName   string      `json:"corpFullName,omitempty"` //
	Avatar         string      `json:"avatar,omitempty"`
	Gender         int         `json:"gender"`
	UnionID        string      `json:"unionId,omitempty"` // of a WeChat user
	Follows        []Follow    `json:"follows"`
}

// Follow is a member's relation to a contact.
type Follow struct {
	UserID         string   `json:"userId"`
	Remark         string   `json:"remark,omitempty"`
	Description    string   `json:"description,omitempty"`
	CreateTime     int64    `json:"createTime"`
	Tags           []string `json:"tags"`                   // ids of company tags
	PersonalTags   []string `json:"personalTags,omitempty"` // names of the member's own
	RemarkCorpName string   `json:"remarkCorpName,omitempty"`
	RemarkMobiles  []string `json:"remarkMobiles,omitempty"`
	AddWay         int      `json:"addWay"`
	Operator       string   `json:"operator,omitempty"`
	State          string   `json:"state,omitempty"` // the channel (渠道), not a state
	// DeletedByContact: the contact deleted the member. The relation stays on the member's side, and calls still work.
	DeletedByContact bool `json:"deletedByContact,omitempty"`
}

// Group is a chat. Those without customers are internal, and no call shows them.
type Group struct {
	ChatID     string        `json:"chatId"`
	Name       string        `json:"name"`
	Internal   bool          `json:"internal,omitempty"`
	Owner      string        `json:"owner"`
	CreateTime int64         `json:"createTime"`
	Notice     string        `json:"notice,omitempty"`
	Members    []GroupMember `json:"members"`
	Admins     []string      `json:"admins,omitempty"`
	Dissolved  bool          `json:"dissolved,omitempty"`
}

// GroupMember is a member or a contact in a group.
type GroupMember struct {
	ID        string `json:"id"`
	External  bool   `json:"external,omitempty"`
	JoinTime  int64  `json:"joinTime"`
	JoinScene int    `json:"joinScene"` // 1 invited, 2 by link, 3 by QR code
	Invitor   string `json:"invitor,omitempty"`
	Nickname  string `json:"nickname,omitempty"`
}

// Message (应用消息) is what an app told members. Whom it did not reach is not in it.
type Message struct {
	ID      string   `json:"msgId"`
	AgentID int      `json:"agentId"`
	To      []string `json:"to"`
	Text    string   `json:"text"`
	SentAt  int64    `json:"sentAt"` // in seconds
}
