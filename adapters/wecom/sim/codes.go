package sim

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// code is an errcode of WeCom (全局错误码): https://developer.work.weixin.qq.com/document/path/90313.
type code int

// The codes that the simulator answers.
const (
	busy            code = -1
	badSecret       code = 40001
	badUserID       code = 40003
	badCorpID       code = 40013
	badToken        code = 40014
	badUserIDs      code = 40031
	noSuchChat      code = 40050
	badMessageType  code = 40008
	badAgentID      code = 40056
	badParameter    code = 40058
	badTag          code = 40068
	badContact      code = 40096
	noToken         code = 41001
	noCorpID        code = 41002
	noSecret        code = 41004
	noUserID        code = 41009
	noAgentID       code = 41011
	tokenExpired    code = 42001
	emptyText       code = 44004
	tooOften        code = 45009
	tooManyAtOnce   code = 45033
	writeConflict   code = 45035
	apiForbidden    code = 48002
	chatDissolved   code = 49008
	badCursor       code = 50100
	noDepartment    code = 60003
	noSuchUser      code = 60111
	tooManyInScope  code = 81017
	nobodyReached   code = 81013
	toNobody        code = 82001
	noRelation      code = 84061
	notCustomerChat code = 90501
	otherAgentID    code = 301002
	nobodyLicensed  code = 701008
)

// texts are advisory: the vendor may change his, and clients act on the code alone.
var texts = map[code]string{
	busy:            "system busy",
	badSecret:       "invalid credential",
	badUserID:       "invalid userid",
	badCorpID:       "invalid corpid",
	badToken:        "invalid access_token",
	badUserIDs:      "invalid userid list",
	noSuchChat:      "chatid not found",
	badMessageType:  "invalid message type",
	badAgentID:      "invalid agentid",
	badParameter:    "invalid Request Parameter",
	badTag:          "invalid tagid",
	badContact:      "invalid external userid",
	noToken:         "access_token missing",
	noCorpID:        "corpid missing",
	noSecret:        "corpsecret missing",
	noUserID:        "missing userid",
	noAgentID:       "missing agentid",
	tokenExpired:    "access_token expired",
	emptyText:       "empty content",
	tooOften:        "api freq out of limit",
	tooManyAtOnce:   "api concurrent out of limit",
	writeConflict:   "concurrent write conflict",
	apiForbidden:    "api forbidden",
	chatDissolved:   "group chat dissolved",
	badCursor:       "invalid cursor",
	noDepartment:    "department not found",
	noSuchUser:      "userid not found",
	tooManyInScope:  "request number exceeds limit",
	nobodyReached:   "user & party & tag all invalid",
	toNobody:        "all touser & toparty & totag empty",
	noRelation:      "not external contact",
	notCustomerChat: "not customer group chat",
	otherAgentID:    "not allow operate another agent with this accesstoken",
	nobodyLicensed:  "no licensed user",
}

// Error is the text.
func (c code) Error() string {
	if t, ok := texts[c]; ok {
		return t
	}
	return "error"
}

// malformed is a body that is no JSON: the code of a bad parameter, with a warning of its own.
type malformed struct{}

// Error is the text.
func (malformed) Error() string { return badParameter.Error() + ". Warning: wrong json format." }

// head begins every answer. HTTP's own status stays 200: https://developer.work.weixin.qq.com/document/path/90664.
type head struct {
	ErrCode code   `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

var ok = head{0, "ok"}

// refusal is the head of an error, worded as the vendor's are: with a hint to quote to his support, the caller's address
// and a page on the code.
func refusal(err error, at time.Time, ip string) head {
	c, is := err.(code)
	if !is {
		c = badParameter
	}
	mark := sha256.Sum256(fmt.Append(nil, at.UnixNano(), c, ip))
	return head{c, fmt.Sprintf("%s, hint: [%d_%d_%x], from ip: %s, more info at https://open.work.weixin.qq.com/devtool/query?e=%d",
		err, at.Unix(), mark[0], mark[:16], ip, c)}
}
