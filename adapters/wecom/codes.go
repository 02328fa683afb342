package wecom

import (
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

// The codes of a token that does not hold. Both ask for one renewal.
const (
	tokenInvalid = "40014"
	tokenExpired = "42001"
)

// vendorCode is one of WeCom's error codes (全局错误码).
type vendorCode struct {
	is         adapters.Code
	text       string // ours: theirs echoes what was sent
	retryAfter time.Duration
}

// codes is WeCom's codes as https://developer.work.weixin.qq.com/document/path/90313 has them, read as its copy of
// 2026-02. What it does not list is Unknown, and logged as a gap.
//
// Who exceeds a limit by the minute is shut out for 60 seconds, by the hour for 60 minutes, and the code is the same
// (https://developer.work.weixin.qq.com/document/path/90312). So 45009 asks for the lesser: who comes back too early is
// told so again.
var codes = map[int]vendorCode{
	-1:     {is: adapters.Unavailable, text: "WeCom is busy"},
	6000:   {is: adapters.Conflict, text: "somebody else changed the same at the same time"},
	40001:  {is: adapters.Unauthenticated, text: "the secret is wrong, or its app is disabled"},
	40003:  {is: adapters.NotFound, text: "no such member"},
	40013:  {is: adapters.Unauthenticated, text: "the corpid is wrong"},
	40014:  {is: adapters.Unauthenticated, text: "the token does not hold, nor does a new one"},
	40031:  {is: adapters.NotFound, text: "the list names a member that there is not"},
	40032:  {is: adapters.InvalidArgument, text: "the list of members is too long"},
	40008:  {is: adapters.InvalidArgument, text: "no such type of message"},
	40056:  {is: adapters.InvalidArgument, text: "no such app; is agent_id right?"},
	40058:  {is: adapters.InvalidArgument, text: "a parameter is wrong"},
	40063:  {is: adapters.InvalidArgument, text: "a parameter is empty"},
	40068:  {is: adapters.InvalidArgument, text: "no such tag, or one of another app"},
	40091:  {is: adapters.Unauthenticated, text: "the secret is another company's"},
	40096:  {is: adapters.NotFound, text: "no such external contact, or its member is out of the app's range"},
	40144:  {is: adapters.QuotaExceeded, text: "the contact has as many tags as it can have"},
	41001:  {is: adapters.Internal, text: "the call has no token"},
	41002:  {is: adapters.Unauthenticated, text: "the corpid is missing"},
	41004:  {is: adapters.Unauthenticated, text: "the secret is missing"},
	41009:  {is: adapters.InvalidArgument, text: "the member is missing"},
	41011:  {is: adapters.InvalidArgument, text: "the agentid is missing"},
	42001:  {is: adapters.Unauthenticated, text: "the token expired, and so did a new one"},
	44004:  {is: adapters.InvalidArgument, text: "the text is empty"},
	45009:  {is: adapters.RateLimited, text: "too many calls", retryAfter: time.Minute},
	45029:  {is: adapters.InvalidArgument, text: "the answer would be too long"},
	45033:  {is: adapters.RateLimited, text: "too many calls at once", retryAfter: time.Second},
	45035:  {is: adapters.Conflict, text: "another write to the same is under way"},
	45036:  {is: adapters.RateLimited, text: "WeCom takes the access for abnormal", retryAfter: time.Hour},
	48002:  {is: adapters.PermissionDenied, text: "the app may not make this call; is it listed in 可调用接口的应用?"},
	48006:  {is: adapters.PermissionDenied, text: "the permission was withdrawn, as the app was not used for long"},
	48009:  {is: adapters.PermissionDenied, text: "the contact-sync assistant may not read details from this address"},
	48011:  {is: adapters.NotEnabled, text: "the company's members are not active enough for customer data"},
	50002:  {is: adapters.PermissionDenied, text: "the member is out of the app's range"},
	50003:  {is: adapters.PermissionDenied, text: "the app is disabled"},
	50100:  {is: adapters.InvalidArgument, text: "the cursor does not hold"},
	60003:  {is: adapters.NotFound, text: "no such department"},
	60011:  {is: adapters.PermissionDenied, text: "member, department or tag is out of the app's range"},
	60020:  {is: adapters.PermissionDenied, text: "the calling address is not a trusted one (可信IP)"},
	60021:  {is: adapters.PermissionDenied, text: "the member is out of the app's range"},
	60030:  {is: adapters.PermissionDenied, text: "the department is out of the app's range"},
	60111:  {is: adapters.NotFound, text: "no such member"},
	81013:  {is: adapters.NotFound, text: "no such member, or one out of the app's range"},
	82001:  {is: adapters.InvalidArgument, text: "the message is to nobody"},
	84061:  {is: adapters.NotFound, text: "member and contact are not related"},
	84074:  {is: adapters.NotEnabled, text: "customer contact is not open to it (客户联系)"},
	301002: {is: adapters.InvalidArgument, text: "the secret is another app's; is agent_id right?"},
	701008: {is: adapters.NotEnabled, text: "the member has no licence for customer contact (互通)"},
}
