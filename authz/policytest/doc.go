// Package policytest holds policy files to what people expect of them: cases in YAML that an administrator writes and reads,
// without Go.
//
//	people:
//	  anna: {Roles: employee, Rank: 3, JobFunction: SALES, manager: boris}
//	  boris: {Roles: dept_manager, Rank: 7}
//	things:
//	  big_customer: {is: contact, Importance: KEY, OpenValue: 600000}
//	cases:
//	  - {who: anna, on: wecom, does: block, to: boris, expect: deny}
//	  - name: two people have to agree
//	    who: anna
//	    on: wecom
//	    does: block
//	    to: big_customer
//	    expect: {outcome: review, needs: admin+manager_of_actor}
//
// People and things have the facts that conditions name, without r.sub and r.obj before them; who is not said to be anything
// else is ACTIVE and employed. Where one person stands to another follows from their managers. The names of one [Read] are
// known in all its files, and besides them those of the cast that it is given.
//
// # Cases
//
//	name    what it shows; without one it is called by what is asked
//	who     a person
//	on      a platform, or other for one that nobody wrote rules for; without it: no platform is in question
//	does    an action of `guanxi policy schema`
//	to      a thing, a person (a member), or a type of `guanxi policy schema` about which there is nothing to say
//	with    facts that are otherwise here: {r.sub.Status: FROZEN, r.obj.Mine: true}
//	made    when it was asked for, and
//	at      when somebody wants to take it back; without it, the file's now
//	expect  allow, review or deny; or {outcome, rules, needs, duties, undo, shows}, of which only what stands there is compared
//
// who, on, does and to may be lists: then all of them together are asked. Needs and duties are spelt as in policy files. undo
// is open or closed, worked out from the duties of the decision as the gateway does; days end in the file's zone. Of the
// actions read and unmask shows is what may be seen.
//
// In a file with `exact: true` all is compared, and what is left out is none.
//
// # Matrices
//
//	matrix:
//	  - name: who may block whom
//	    who: [employee, dept_manager, auditor]
//	    on: [wecom, native]
//	    does: [block member, block contact]
//	    cells:
//	      employee: {block member: {native: allow}, block contact: allow}
//	      dept_manager: {block member: allow, block contact: allow}
//
// Every cell that is not listed must be denied. A cell is an outcome, or a review and who must agree: review admin+legal.
package policytest
