package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/guanxi-im/guanxi/internal/im"
)

// generate writes a company as a file that the import takes: JSON Lines, each row after those that it names.
func generate(args []string) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	members := flags.Int("members", 1000, "size of the company")
	format := flags.String("format", "jsonl", "jsonl")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *format != "jsonl" {
		return fmt.Errorf("--format is %q, expected jsonl", *format)
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	if err := (company{*members}).write(out); err != nil {
		return err
	}
	return out.Flush()
}

// importRow is a row of any type; what it does not have is left out.
type importRow struct {
	Type            string   `json:"type"`
	Workspace       string   `json:"workspace,omitempty"`
	Path            string   `json:"path,omitempty"`
	EmployeeNo      string   `json:"employeeNo,omitempty"`
	PlatformID      string   `json:"platformId,omitempty"`
	Name            string   `json:"name,omitempty"`
	Platform        string   `json:"platform,omitempty"`
	TimeZone        string   `json:"timeZone,omitempty"`
	CustomerContact *bool    `json:"customerContact,omitempty"`
	AccountName     string   `json:"accountName,omitempty"`
	Department      string   `json:"department,omitempty"`
	Position        string   `json:"position,omitempty"`
	Rank            int      `json:"rank,omitempty"`
	Phone           string   `json:"phone,omitempty"`
	Roles           []string `json:"roles,omitempty"`
	JobFunction     string   `json:"jobFunction,omitempty"`
	Region          string   `json:"region,omitempty"`
	Manager         string   `json:"manager,omitempty"`
	Member          string   `json:"member,omitempty"`
	Company         string   `json:"company,omitempty"`
	Verified        *bool    `json:"verified,omitempty"`
	Importance      string   `json:"importance,omitempty"`
	Owner           string   `json:"owner,omitempty"`
	Contact         string   `json:"contact,omitempty"`
	Kind            string   `json:"kind,omitempty"`
	Group           string   `json:"group,omitempty"`
}

// write writes the directory of the company: what has no place in it, such as relationships, is no file's to bring.
func (c company) write(out io.Writer) error {
	enc := json.NewEncoder(out)
	spaces := c.workspaces()
	for _, w := range spaces {
		if err := enc.Encode(importRow{Type: "workspace", Name: w.Name, Platform: w.Platform, Region: w.Region, TimeZone: w.TimeZone,
			CustomerContact: &w.CustomerContact}); err != nil {
			return err
		}
	}
	number := func(n int) string { return fmt.Sprintf("%07d", n+1) } // as member has it
	for i := range c.departments() {
		if err := enc.Encode(importRow{Type: "department", Path: c.path(i)}); err != nil {
			return err
		}
	}
	for i := range c.members {
		m, row := c.member(i), importRow{Type: "member", EmployeeNo: number(i), Department: c.path(1 + c.divisions() + i/membersPerLeaf)}
		row.Name, row.AccountName, row.Position, row.Rank, row.Phone = m.Name, m.AccountName, m.Position, m.Rank, m.Phone
		row.Roles, row.JobFunction, row.Region = m.Roles, string(m.JobFunction), m.Region
		if !m.ManagerID.IsZero() {
			row.Manager = number(c.managerOf(i))
		}
		if err := enc.Encode(row); err != nil {
			return err
		}
		for _, w := range spaces {
			if err := enc.Encode(importRow{Type: "account", Workspace: w.Name, PlatformID: m.AccountName, Member: number(i), Kind: string(im.HumanAccount)}); err != nil {
				return err
			}
		}
	}
	for i := range c.contacts() {
		x, owner := c.contact(i), number(i/contactsEach)
		if err := enc.Encode(importRow{Type: "contact", Workspace: spaces[1].Name, PlatformID: x.PlatformID, Name: x.Name, Company: x.Company, Phone: x.Phone,
			Verified: &x.Verified, Region: x.Region, Importance: string(x.Importance), Owner: owner}); err != nil {
			return err
		}
		if err := enc.Encode(importRow{Type: "follow", Workspace: spaces[1].Name, Contact: x.PlatformID, Member: owner}); err != nil {
			return err
		}
	}
	for i := range c.groups() {
		g, members := c.group(i)
		if err := enc.Encode(importRow{Type: "group", Workspace: spaces[0].Name, PlatformID: g.PlatformID, Name: g.Name, Kind: string(g.Kind),
			Owner: number(members[0])}); err != nil {
			return err
		}
		for _, m := range members {
			if err := enc.Encode(importRow{Type: "membership", Workspace: spaces[0].Name, Group: g.PlatformID, Member: number(m)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// path is the names from the head office down to the n-th department.
func (c company) path(n int) string {
	d := c.department(n)
	leaf := n - 1 - c.divisions()
	switch {
	case n == 0:
		return d.Name
	case leaf < 0:
		return c.path(0) + "/" + d.Name
	}
	return c.path(1+leaf/leavesPerDivision) + "/" + d.Name
}
