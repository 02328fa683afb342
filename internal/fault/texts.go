package fault

import "golang.org/x/text/language"

// Language is one of the languages that the gateway speaks to people.
type Language int

// The languages.
const (
	English Language = iota
	Chinese
)

var matcher = language.NewMatcher([]language.Tag{language.English, language.SimplifiedChinese})

// Speak picks the language for an Accept-Language header; English where it names none of ours.
func Speak(acceptLanguage string) Language {
	if len(acceptLanguage) > 256 {
		return English
	}
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(tags) == 0 {
		return English
	}
	_, i, _ := matcher.Match(tags...)
	return Language(i)
}

// texts is the catalogue: every sentence in each language, with the same arguments.
var texts = map[string][2]string{
	"internal":        {"Something went wrong on our side; the trace id tells us what.", "服务端出错；请凭 traceId 与我们联系。"},
	"unauthenticated": {"Sign in first: send Authorization: Bearer with a valid token.", "请先登录：在 Authorization 头中携带有效的 Bearer 令牌。"},
	"unavailable":     {"The store does not answer; nothing was changed. Try again soon.", "存储暂不可用，未作任何更改，请稍后重试。"},
	"deadline":        {"The request took longer than it may.", "请求超时。"},
	"forbidden":       {"Policy does not let you see this.", "策略不允许您查看该内容。"},
	"policy_denied":   {"Policy refuses this.", "策略拒绝了该操作。"},

	"not_acceptable":         {"This server answers {0}.", "本服务只返回 {0}。"},
	"media_type":             {"Send the request as {0}.", "请以 {0} 发送请求。"},
	"method":                 {"Use {0}.", "请使用 {0}。"},
	"get_reads":              {"GET is for queries only; send everything else by POST.", "GET 仅用于查询，其他操作请使用 POST。"},
	"get_streams":            {"GET is for queries and subscriptions only; send mutations by POST.", "GET 仅用于查询和订阅，变更请使用 POST。"},
	"subscription_transport": {"A subscription needs {0} or a {1} socket.", "订阅须使用 {0} 或 {1} 连接。"},
	"upgrade":                {"This is no handshake of a WebSocket that speaks {0}.", "这不是 {0} WebSocket 的握手请求。"},
	"live_many":              {"You have {0} sockets and streams open already; close some.", "您已打开 {0} 个连接，请先关闭一些。"},
	"body_too_large":         {"A request has at most {0} bytes.", "请求最多 {0} 字节。"},
	"body_cut":               {"The request did not arrive whole.", "请求未完整到达。"},
	"body_slow":              {"The request took too long to arrive.", "请求到达过慢。"},
	"body_json":              {"The body is no GraphQL request in JSON: query, variables, operationName, extensions, documentId.", "请求体不是 JSON 形式的 GraphQL 请求：query、variables、operationName、extensions、documentId。"},
	"parameter_json":         {"The parameter {0} is no JSON object.", "参数 {0} 不是 JSON 对象。"},
	"query_missing":          {"There is no query.", "缺少 query。"},
	"form":                   {"A request with files is a form that begins with the fields operations and map, in this order and of moderate size.", "带文件的请求须为表单，依次以 operations 和 map 字段开头，且大小适中。"},
	"form_json":              {"The field {0} of the form is not what the GraphQL multipart request specification says.", "表单字段 {0} 不符合 GraphQL multipart 请求规范。"},
	"form_many":              {"A request has at most {0} files.", "一个请求最多 {0} 个文件。"},
	"form_files":             {"The files of the form are not those that map names, each once.", "表单中的文件与 map 所列不一致。"},
	"form_path":              {"A path of map leads to no null of the variables.", "map 中的路径未指向 variables 中的 null。"},
	"form_disk":              {"The file could not be kept; try again soon.", "文件暂时无法保存，请稍后重试。"},
	"no_upload":              {"A file is sent beside the operation, as the GraphQL multipart request specification says.", "文件须按 GraphQL multipart 请求规范随操作一并上传。"},
	"preflight":              {"Such a request needs the header {0}, so that no page of another site can send it unasked.", "此类请求须带 {0} 头，以防其他网站的页面擅自发送。"},
	"origin":                 {"Pages of this origin may not ask here.", "不允许来自该源的页面访问。"},
	"query_bytes":            {"A document has at most {0} bytes.", "文档最多 {0} 字节。"},
	"query_tokens":           {"A document has at most {0} tokens.", "文档最多 {0} 个词法单元。"},
	"query_operations":       {"A document has at most {0} operations.", "文档最多 {0} 个操作。"},
	"query_fragments":        {"A document has at most {0} fragments.", "文档最多 {0} 个片段。"},
	"query_roots":            {"An operation has at most {0} root fields.", "一个操作最多 {0} 个根字段。"},
	"query_depth":            {"Fields are nested at most {0} deep.", "字段最多嵌套 {0} 层。"},
	"query_nest":             {"Fields and fragments are nested at most {0} deep.", "字段与片段最多嵌套 {0} 层。"},
	"query_aliases":          {"An operation has at most {0} aliases.", "一个操作最多 {0} 个别名。"},
	"query_directives":       {"An operation has at most {0} directives.", "一个操作最多 {0} 个指令。"},
	"query_selections":       {"An operation selects at most {0} fields, with every fragment spread.", "一个操作（展开片段后）最多选择 {0} 个字段。"},
	"query_cost":             {"An operation may cost at most {0}; this one asks for {1}. Ask for smaller pages, or for less.", "一个操作的成本最多 {0}，该操作为 {1}。请减小每页数量或少选字段。"},
	"variables_large":        {"Variables hold at most {0} values, and are nested moderately.", "变量最多 {0} 个值，且嵌套不宜过深。"},
	"document_hash":          {"The hash is not the SHA-256 of the query.", "哈希与 query 的 SHA-256 不符。"},
	"document_unknown":       {"No document of this id or hash is known here; send it whole.", "未知的文档 id 或哈希，请发送完整文档。"},
	"document_refused":       {"Only registered documents are answered here.", "此处只受理已登记的文档。"},
	"rate_limited":           {"You have asked for too much in a short time; try again in {0} seconds.", "请求过于频繁，请在 {0} 秒后重试。"},

	"id_malformed":      {"“{0}” is no id of a {1}.", "“{0}”不是 {1} 的 id。"},
	"reason_required":   {"Say why: the reason must not be empty.", "请填写原因。"},
	"text_too_long":     {"At most {0} characters; this has {1}.", "最多 {0} 个字符，现有 {1} 个。"},
	"text_malformed":    {"The text is not valid UTF-8 or holds control characters.", "文本不是有效的 UTF-8，或含有控制字符。"},
	"expiry_past":       {"expiresAt must lie in the future.", "expiresAt 必须晚于当前时间。"},
	"key_malformed":     {"An idempotency key has 1 to 200 printable characters.", "幂等键须为 1 到 200 个可打印字符。"},
	"action_unknown":    {"Policy knows no action “{0}” to ask about.", "策略中没有可询问的操作“{0}”。"},
	"fact_unknown":      {"There is no fact “{0}”.", "没有名为“{0}”的事实。"},
	"fact_unknown_near": {"There is no fact “{0}”; did you mean {1}?", "没有名为“{0}”的事实，您是否指 {1}？"},
	"fact_value":        {"{0} cannot be “{1}”; expected {2}.", "{0} 不能是“{1}”，应为：{2}。"},
	"fact_action":       {"The action that is asked for cannot be overridden.", "不能改写所询问的操作。"},
	"no_common_account": {"The two have no workspace in common.", "双方没有共同的工作空间。"},
	"no_common_group":   {"The two are not both in this group.", "双方并不都在该群中。"},
	"not_on_workspace":  {"The two are not both on one of the workspaces named.", "双方并不都在所指定的工作空间上。"},
	"workspace_twice":   {"A workspace is named twice.", "工作空间重复。"},
	"datetime":          {"A moment is written in RFC 3339 with an offset: 2026-11-21T09:00:00+08:00.", "时间须为带时区的 RFC 3339 格式，例如 2026-11-21T09:00:00+08:00。"},
	"too_many":          {"At most {0} entries; this has {1}.", "最多 {0} 项，现有 {1} 项。"},
	"exactly_one":       {"Give exactly one of {0}.", "请在 {0} 中恰好提供一个。"},

	"not_found_target":       {"There is no such member or contact, or you may not see it.", "该成员或外部联系人不存在，或您无权查看。"},
	"not_found_member":       {"There is no such member, or you may not see the person.", "该成员不存在，或您无权查看。"},
	"not_found_group":        {"There is no such group, or you may not see it.", "该群不存在，或您无权查看。"},
	"not_found_relationship": {"There is no such relationship, or you may not see it.", "该关系不存在，或您无权查看。"},
	"not_found_alert":        {"There is no such alert, or you may not see it.", "该告警不存在，或您无权查看。"},
	"not_found_approval":     {"There is no such approval, or you may not see it.", "该审批不存在，或您无权查看。"},

	"conflict_live":             {"One of this kind stands between the two already: {0}.", "双方之间已有同类关系：{0}。"},
	"conflict_review":           {"This waits for review already: {0}.", "该操作已在审批中：{0}。"},
	"persons_only":              {"A service cannot do this; ask as a person.", "服务不能执行此操作，请以个人身份进行。"},
	"conflict_voted":            {"You have given your verdict on this already.", "您已对该审批表态。"},
	"conflict_race":             {"Others keep changing it at the same moment; look again.", "数据正被他人修改，请刷新后重试。"},
	"key_reused":                {"This idempotency key was used for another request.", "该幂等键已用于另一请求。"},
	"transition_lift":           {"The relationship is {0}: there is nothing to lift.", "该关系当前状态为 {0}，无可解除。"},
	"transition_undo":           {"The relationship is {0}: there is nothing to take back.", "该关系当前状态为 {0}，无可撤销。"},
	"window_closed":             {"It could be taken back until {0}; now it can only be lifted.", "撤销期限已于 {0} 截止，现只能解除。"},
	"window_none":               {"The terms under which it was made do not let it be taken back; it can be lifted.", "按其建立时的条款不可撤销，但可以解除。"},
	"not_enabled":               {"This workspace has no customer contact (客户联系), which this takes.", "该工作空间未开通客户联系，无法进行此操作。"},
	"unsupported":               {"This platform has nothing of the kind.", "该平台不支持此操作。"},
	"blacklist_contact":         {"Only an external contact can be blacklisted.", "只有外部联系人可以加入黑名单。"},
	"members_only":              {"Only a member can be isolated, or blocked in a group.", "只能隔离成员，或在群内屏蔽成员。"},
	"group_block_group":         {"A group block names its group, and no other kind names one.", "群内屏蔽须指明群，其他类型不得指明群。"},
	"group_block_scope":         {"A group block holds in its group alone.", "群内屏蔽仅在该群内生效。"},
	"source_ours":               {"Only the gateway itself says that; name CONTACT_LIST, CHAT, CONSOLE or API.", "该来源仅由网关设置；请使用 CONTACT_LIST、CHAT、CONSOLE 或 API。"},
	"declared_carried_out":      {"Here it is carried out, so it is not for a person to declare.", "此处会真正执行，无需由个人申报。"},
	"delegate_required":         {"This cuts approvals between the two: name who takes them over.", "该操作会阻断双方的审批流，请指定审批代理人。"},
	"delegate_party":            {"Neither of the two can take over the approvals between them.", "当事双方不能作为彼此审批的代理人。"},
	"delegate_inactive":         {"Who takes over approvals needs an active account on this workspace.", "审批代理人在该工作空间须有启用状态的账号。"},
	"short_gone":                {"The tag “{0}” is no longer in the platform's library.", "标签“{0}”已不在平台的标签库中。"},
	"short_not_ours":            {"{0} can be changed only by whoever made it.", "{0} 只能由其创建者更改。"},
	"short_empty":               {"There was no {0} before, and the platform takes no empty one.", "原先没有 {0}，而平台不接受空值。"},
	"delivery_InvalidArgument":  {"The platform did not understand the request.", "平台无法识别该请求。"},
	"delivery_NotFound":         {"The platform does not know the contact, or no member follows it there.", "平台上没有该联系人，或没有成员跟进该联系人。"},
	"delivery_PermissionDenied": {"The platform does not let our app do this.", "平台未授权本应用执行此操作。"},
	"delivery_Unauthenticated":  {"The platform does not accept our credentials.", "平台不接受本应用的凭证。"},
	"delivery_NotEnabled":       {"The organisation has not opened this on the platform.", "企业尚未在平台上开通此功能。"},
	"delivery_NotSupported":     {"The platform has no call for this.", "平台没有此操作的接口。"},
	"delivery_RateLimited":      {"The platform asks us to slow down; it is tried again.", "平台限制了调用频率，稍后重试。"},
	"delivery_QuotaExceeded":    {"The platform's quota is used up.", "平台配额已用尽。"},
	"delivery_Rejected":         {"A person on the platform said no.", "平台上的相关人员拒绝了该操作。"},
	"delivery_Conflict":         {"Somebody changed the same on the platform at the same moment.", "平台上的同一数据正被他人修改。"},
	"delivery_Unavailable":      {"The platform does not answer; it is tried again.", "平台无响应，稍后重试。"},
	"delivery_Indeterminate":    {"The platform's answer was lost; it is looked at again.", "平台的应答丢失，将重新核对。"},
	"delivery_Internal":         {"The platform broke its own contract.", "平台的应答与其文档不符。"},
	"delivery_Unknown":          {"The platform refused for a reason that we do not know.", "平台因未知原因拒绝。"},
	"transition_decide":         {"The approval is {0}: there is nothing to decide.", "该审批当前状态为 {0}，无需再表态。"},
	"transition_cancel":         {"The approval is {0}: there is nothing to take back.", "该审批当前状态为 {0}，无可撤回。"},
	"approval_void":             {"What was to be approved has changed meanwhile; the approval is void.", "申请内容已变化，该审批作废。"},

	"page_both":        {"Page forwards with first and after or backwards with last and before, not both.", "请使用 first/after 向前翻页，或 last/before 向后翻页，不可同时使用。"},
	"page_size":        {"{0} must lie between 0 and {1}; it is {2}.", "{0} 须在 0 到 {1} 之间，现为 {2}。"},
	"cursor_malformed": {"This cursor is none of ours, or of another list.", "该游标不是本系统或本列表的游标。"},
	"cursor_expired":   {"This cursor is older than what is kept; read the lists anew.", "游标过旧，请重新读取列表。"},
}
