package im

roles := {
	"super_admin": {"super_admin", "admin", "dept_manager", "employee"},
	"admin": {"admin", "dept_manager", "employee"},
	"dept_manager": {"dept_manager", "employee"},
	"hr": {"hr", "employee"},
	"auditor": {"auditor", "employee"},
	"employee": {"employee"},
}

has(role) if role in roles[input.sub.tier]

block if input.act in {"block_member", "block_external"}

# W-01
allow if {
	input.act == "block_external"
	has("employee")
}

# W-02
allow if {
	input.act == "block_member"
	has("dept_manager")
}

# W-03
review if {
	input.act == "block_member"
	has("employee")
	input.env.internal_block
}

# C-01
deny if {
	block
	input.obj.relation in {"superior", "subordinate"}
}

# C-02
deny if {
	input.act == "block_member"
	input.obj.owns_shared_group
}

# C-03
deny if {
	block
	input.obj.id == input.sub.id
}

# C-04
deny if input.sub.status != "ACTIVE"

# C-06
review if {
	input.act == "block_external"
	has("employee")
	input.sub.job in {"SALES", "CUSTOMER_SERVICE"}
}

# C-07
review if {
	input.act == "block_external"
	input.obj.open_value >= 100000
}

# C-10
deny if {
	block
	has("auditor")
}

default outcome := "DENY"

outcome := "REVIEW" if {
	review
	not deny
}

outcome := "ALLOW" if {
	allow
	not review
	not deny
}
