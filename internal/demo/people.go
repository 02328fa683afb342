package demo

import (
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

// department is a row of the organisation's tree, after the one that it is in. Those without a head of their own
// have the head above them.
type department struct {
	parent, name, manager string
}

// path is how rows of people name the department: from below the root.
func (d department) path() string {
	if d.parent == "" || d.parent == root {
		return d.name
	}
	return d.parent + "/" + d.name
}

const root = "总部"

var departments = []department{
	{"", root, "001"},
	{root, "信息部", "002"},
	{root, "销售部", "003"},
	{"销售部", "华东", "003"},
	{"销售部", "华南", "003"},
	{root, "研发部", "007"},
	{root, "人事部", "001"},
	{root, "法务部", "001"},
	{root, "客服部", "014"},
}

// person is a row of the table of people. Manager is an employee number.
type person struct {
	no, name, department, position string
	rank                           int
	role                           string
	function                       im.JobFunction
	manager                        string
}

// account is the account name by the naming rule.
func (p person) account() string { return pinyin.AccountName(p.name, p.no) }

// heads are on every platform that their people are on.
var heads = []string{"001", "002", "003", "007", "014"}

// workspaces are those that the person has an account on.
func (p person) workspaces() []string {
	on := []string{native, wecom}
	head := slices.Contains(heads, p.no)
	if head || slices.Contains([]string{"客服部", "人事部"}, p.department) {
		on = append(on, dingtalk)
	}
	if head || slices.Contains([]string{"研发部", "信息部"}, p.department) {
		on = append(on, feishu)
	}
	if slices.Contains(personal, p.no) {
		on = append(on, wechat)
	}
	return on
}

// personal are those who use a personal account at work.
var personal = []string{"004", "005"}

// in are the employee numbers of a department and those below it.
func in(department string) []string {
	var out []string
	for _, p := range slices.Concat(named, others) {
		if p.department == department || strings.HasPrefix(p.department, department+"/") {
			out = append(out, p.no)
		}
	}
	return out
}

// named are the people that scenarios and documents speak of: the table of DEMO.md.
var named = []person{
	{"001", "陈光", root, "总经理", 10, "super_admin", im.Management, ""},
	{"002", "林悦", "信息部", "信息总监", 8, "admin", im.IT, "001"},
	{"003", "赵敏", "销售部", "销售总监", 7, "dept_manager", im.Sales, "001"},
	{"004", "王芳", "销售部/华东", "销售", 3, "employee", im.Sales, "003"},
	{"005", "李强", "销售部/华东", "销售", 3, "employee", im.Sales, "003"},
	{"006", "孙丽", "研发部", "工程师", 4, "employee", im.General, "007"},
	{"007", "周杰", "研发部", "研发总监", 7, "dept_manager", im.Management, "001"},
	{"008", "吴昊", "研发部", "工程师", 3, "employee", im.General, "007"},
	{"009", "郑岚", "人事部", "人事经理", 6, "hr", im.HR, "001"},
	{"010", "冯涛", "信息部", "系统管理员", 5, "it", im.IT, "002"},
	{"011", "何云", "法务部", "法务", 6, "legal", im.Legal, "001"},
	{"012", "顾平", root, "审计", 6, "auditor", im.General, "001"},
	{"013", "唐心", "客服部", "客服", 2, "employee", im.CustomerService, "014"},
	{"014", "秦朗", "客服部", "客服经理", 6, "dept_manager", im.CustomerService, "001"},
	{"015", "孟洁", "研发部", "工程师", 2, "employee", im.General, "007"},
	{"016", "单晓雨", "研发部", "工程师", 3, "employee", im.General, "007"},
	{"017", "韩磊", "信息部", "信息副总监", 7, "admin", im.IT, "002"},
}

// others fill the company up. They all are plain employees, so that nobody but the named decides anything.
var others = []person{
	{"018", "曾志远", "信息部", "运维工程师", 3, "employee", im.IT, "002"},
	{"019", "钱雨桐", "信息部", "桌面支持", 2, "employee", im.IT, "002"},
	{"020", "高翔", "信息部", "安全工程师", 4, "employee", im.IT, "002"},

	{"021", "梁思远", "研发部", "架构师", 5, "employee", im.General, "007"},
	{"022", "任佳慧", "研发部", "工程师", 3, "employee", im.General, "021"},
	{"023", "宋子墨", "研发部", "工程师", 3, "employee", im.General, "021"},
	{"024", "欧阳雪", "研发部", "测试工程师", 3, "employee", im.General, "021"},
	{"025", "邓凯文", "研发部", "工程师", 4, "employee", im.General, "021"},
	{"026", "许诗涵", "研发部", "产品经理", 4, "employee", im.General, "007"},
	{"027", "叶文博", "研发部", "工程师", 2, "employee", im.General, "021"},
	{"028", "苏晓彤", "研发部", "设计师", 3, "employee", im.General, "026"},
	{"029", "丁浩然", "研发部", "工程师", 2, "employee", im.General, "021"},
	{"030", "罗嘉欣", "研发部", "测试工程师", 2, "employee", im.General, "021"},
	{"031", "尉迟瑞", "研发部", "工程师", 3, "employee", im.General, "021"},

	{"032", "蒋海涛", "销售部/华东", "区域经理", 5, "employee", im.Sales, "003"},
	{"033", "沈梦琪", "销售部/华东", "销售", 3, "employee", im.Sales, "032"},
	{"034", "仇海峰", "销售部/华东", "销售", 3, "employee", im.Sales, "032"},
	{"035", "杨若曦", "销售部/华东", "销售", 2, "employee", im.Sales, "032"},
	{"036", "徐俊杰", "销售部/华东", "销售", 3, "employee", im.Sales, "032"},
	{"037", "陆怡然", "销售部/华东", "销售助理", 2, "employee", im.Sales, "032"},
	{"038", "吕明辉", "销售部/华东", "销售", 4, "employee", im.Sales, "032"},

	{"039", "谭永强", "销售部/华南", "区域经理", 5, "employee", im.Sales, "003"},
	{"040", "黄丽华", "销售部/华南", "销售", 3, "employee", im.Sales, "039"},
	{"041", "区文杰", "销售部/华南", "销售", 3, "employee", im.Sales, "039"},
	{"042", "麦家豪", "销售部/华南", "销售", 3, "employee", im.Sales, "039"},
	{"043", "朱婉婷", "销售部/华南", "销售", 2, "employee", im.Sales, "039"},
	{"044", "潘志强", "销售部/华南", "销售", 4, "employee", im.Sales, "039"},
	{"045", "廖静怡", "销售部/华南", "销售助理", 2, "employee", im.Sales, "039"},
	{"046", "温国栋", "销售部/华南", "销售", 3, "employee", im.Sales, "039"},

	{"047", "范雪梅", "人事部", "招聘主管", 4, "employee", im.HR, "001"},
	{"048", "汪思琪", "人事部", "人事专员", 2, "employee", im.HR, "047"},
	{"049", "金宇航", "人事部", "培训专员", 2, "employee", im.HR, "047"},

	{"050", "石建国", "法务部", "法务专员", 3, "employee", im.Legal, "001"},

	{"051", "姚晓燕", "客服部", "客服主管", 4, "employee", im.CustomerService, "014"},
	{"052", "戴文静", "客服部", "客服", 2, "employee", im.CustomerService, "051"},
	{"053", "魏子轩", "客服部", "客服", 2, "employee", im.CustomerService, "051"},
	{"054", "方晓琳", "客服部", "客服", 3, "employee", im.CustomerService, "051"},
	{"055", "袁佳怡", "客服部", "客服", 2, "employee", im.CustomerService, "051"},
	{"056", "贾鹏飞", "客服部", "客服", 3, "employee", im.CustomerService, "051"},
	{"057", "邹美玲", "客服部", "客服", 2, "employee", im.CustomerService, "051"},
	{"058", "翟天宇", "客服部", "客服", 2, "employee", im.CustomerService, "051"},

	{"059", "崔永年", root, "财务主管", 5, "employee", im.General, "001"},
	{"060", "白雅文", root, "总经理助理", 4, "employee", im.General, "001"},
}
