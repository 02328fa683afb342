package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	wecomsim "github.com/guanxi-im/guanxi/adapters/wecom/sim"
	"github.com/guanxi-im/guanxi/internal/config"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
)

// simulator is a platform of the demo.
type simulator interface {
	http.Handler
	Control() http.Handler
	Close() error
}

// simulation is how a platform of the demo is simulated.
type simulation struct {
	// open opens the simulator of the company, or of what the file holds.
	open func(company directory.Snapshot, file string) (simulator, error)
	// options are the adapter's for the simulator at base.
	options func(base string) map[string]string
}

// simulators are the platforms that there is a simulator of.
var simulators = map[string]simulation{
	wecomsim.Platform: {
		open: func(company directory.Snapshot, file string) (simulator, error) {
			return wecomsim.Open(wecomSeed(company), wecomsim.Options{File: file})
		},
		options: func(base string) map[string]string {
			return map[string]string{"base_url": base, "corp_id": demoCorpID, "secret": demoAppSecret, "directory_secret": demoContactSecret}
		},
	},
}

// simulatorNames lists the platforms of simulators for people.
func simulatorNames() string { return strings.Join(slices.Sorted(maps.Keys(simulators)), ", ") }

// locked is a simulator with the lock on its state file.
type locked struct {
	simulator
	lock *flock.Flock
}

// Close closes the simulator and lets go of the lock.
func (l locked) Close() error { return errors.Join(l.simulator.Close(), l.lock.Close()) }

// openSimulator opens a simulator of the company, or of its state file, which nobody else may have open. Without a file
// nothing survives.
func openSimulator(platform string, company directory.Snapshot, state string) (simulator, error) {
	if state == "" {
		return simulators[platform].open(company, "")
	}
	lock := flock.New(state + ".lock")
	mine, err := lock.TryLock()
	if err != nil {
		return nil, usageError{err}
	}
	if !mine {
		return nil, usageError{fmt.Errorf("state: another simulator has %s open", state)}
	}
	s, err := simulators[platform].open(company, state)
	if err != nil {
		return nil, usageError{errors.Join(err, lock.Close())}
	}
	return locked{s, lock}, nil
}

// simulatorServer serves a simulator to this machine alone.
func simulatorServer(s simulator, log *slog.Logger) *http.Server {
	return &http.Server{Handler: local(s.ServeHTTP), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
}

// sim runs a platform's simulator as a process of its own.
func (p *program) sim() *cobra.Command {
	var listen, state string
	c := &cobra.Command{
		Use:   "sim PLATFORM",
		Short: "Run a platform's simulator: " + simulatorNames(),
		Long: `Runs the simulator of a platform, for the demo and for tests: it answers the vendor's calls for the demo company, and keeps a ledger of them.

It listens on loopback only, and is controlled under /_sim. With --state it keeps ledger and state in a file, from which it goes on when it is started again.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if _, known := simulators[args[0]]; !known {
				return usageError{fmt.Errorf("no simulator for %q; there are: %s", args[0], simulatorNames())}
			}
			return p.simulate(c.Context(), args[0], listen, state)
		},
	}
	c.Flags().StringVar(&listen, "listen", p.variable("GUANXI_LISTEN", "127.0.0.1:0"), "address to listen on, on loopback; port 0 picks a free one")
	c.Flags().StringVar(&state, "state", p.variable("GUANXI_STATE", ""), "file that keeps ledger and state; none: nothing survives")
	return c
}

func (p *program) simulate(ctx context.Context, platform, address, state string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return usageError{err}
	}
	defer func() { _ = l.Close() }()
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() { // whatever its name resolved to
		return usageError{fmt.Errorf("listen: a simulator listens on loopback only, not on %s", l.Addr())}
	}
	s, err := openSimulator(platform, demo.Company(im.NewIDs(time.Now), time.Now()), state)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	srv := simulatorServer(s, logger(config.Log{Level: slog.LevelInfo, Format: "text"}, p.stderr))
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	fmt.Fprintf(p.stdout, "listening on http://%s\n", l.Addr())
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return srv.Shutdown(grace)
}

// How the demo's WeCom is reached. Nothing of it is secret: the simulator listens on loopback only.
const (
	demoCorpID        = "ww00000000000demo"
	demoAgentID       = 1000002
	demoAppSecret     = "demo-wecom-app-secret"
	demoContactSecret = "demo-wecom-contact-sync-secret"
)

// blacklistTag is a tag that the demo's WeCom has beside those of its contacts.
const blacklistTag = "黑名单"

// addWays are WeCom's numbers for the ways in which members came by contacts (来源):
// https://developer.work.weixin.qq.com/document/path/92114.
var addWays = map[string]int{"扫描二维码": 1, "搜索手机号": 2, "名片分享": 3}

// wecomSeed is the company as it stands on its WeCom. Who is verified is a WeCom user with a company, who is not a WeChat
// user, of whom WeCom knows a nickname.
func wecomSeed(all directory.Snapshot) wecomsim.Seed {
	at := workspaceOn(all, wecomsim.Platform)
	seed := wecomsim.Seed{CorpID: demoCorpID, Apps: []wecomsim.App{
		{Name: "guanxi", Secret: demoAppSecret, AgentID: demoAgentID, CustomerContact: at.CustomerContact},
		{Name: "contacts", Secret: demoContactSecret, ContactSync: true},
	}}
	userIDs := map[im.ID]string{} // by member
	for _, a := range all.Accounts {
		if a.WorkspaceID == at.ID && a.Kind == im.HumanAccount {
			userIDs[a.MemberID] = a.PlatformID
		}
	}
	departments := map[im.ID]int64{}
	for i, d := range all.Departments { // parents come first, and the root is 1
		departments[d.ID] = int64(i + 1)
		row := wecomsim.Department{ID: int64(i + 1), Name: d.Name, ParentID: departments[d.ParentID], Order: int64(len(all.Departments) - i)}
		if leader := userIDs[d.ManagerID]; leader != "" {
			row.Leaders = []string{leader}
		}
		seed.Departments = append(seed.Departments, row)
	}
	follows := map[im.ID][]im.Follow{}
	follower := map[im.ID]bool{}
	contacts := map[im.ID]string{}
	for _, f := range all.Follows {
		follows[f.ContactID] = append(follows[f.ContactID], f)
		follower[f.MemberID] = true
	}
	for _, m := range all.Members {
		if userIDs[m.ID] == "" {
			continue
		}
		row := wecomsim.Member{UserID: userIDs[m.ID], Name: m.Name, Position: m.Position, DirectLeader: userIDs[m.ManagerID],
			CustomerContact: follower[m.ID] || m.JobFunction == im.Sales || m.JobFunction == im.CustomerService}
		for _, id := range m.Departments {
			row.Departments = append(row.Departments, departments[id])
		}
		seed.Members = append(seed.Members, row)
	}
	group := wecomsim.TagGroup{ID: "et_group_1", Name: "客户标签", CreateTime: oldest(all.Follows).Unix(), Order: 1}
	tag := func(name string) string {
		i := slices.IndexFunc(group.Tags, func(t wecomsim.Tag) bool { return t.Name == name })
		if i < 0 {
			i = len(group.Tags)
			group.Tags = append(group.Tags, wecomsim.Tag{ID: fmt.Sprintf("et_tag_%d", i+1), Name: name, CreateTime: group.CreateTime, Order: int64(i + 1)})
		}
		return group.Tags[i].ID
	}
	for _, c := range all.Contacts {
		if c.WorkspaceID != at.ID {
			continue
		}
		contacts[c.ID] = c.PlatformID
		row := wecomsim.Contact{ExternalUserID: c.PlatformID, Name: c.Name, Type: wecomsim.WeChatUser}
		company := c.Company
		if c.Verified {
			row.Type, row.CorpName, row.CorpFullName, company = wecomsim.WeComUser, c.Company, c.Company, ""
		}
		for _, f := range follows[c.ID] {
			follow := wecomsim.Follow{UserID: userIDs[f.MemberID], Remark: c.Name, CreateTime: f.Since.Unix(), RemarkCorpName: company,
				RemarkMobiles: []string{strings.TrimPrefix(c.Phone, "+86")}, AddWay: addWays[f.Source], Operator: userIDs[f.MemberID]}
			for _, name := range c.Tags {
				follow.Tags = append(follow.Tags, tag(name))
			}
			row.Follows = append(row.Follows, follow)
		}
		seed.Contacts = append(seed.Contacts, row)
	}
	tag(blacklistTag)
	seed.TagGroups = []wecomsim.TagGroup{group}

	for _, g := range all.Groups {
		if g.WorkspaceID != at.ID {
			continue
		}
		row := wecomsim.Group{ChatID: g.PlatformID, Name: g.Name, Owner: userIDs[g.OwnerID], Notice: g.Announcement, Internal: true}
		for _, m := range all.Memberships {
			if m.GroupID != g.ID || !m.LeftAt.IsZero() {
				continue
			}
			member := wecomsim.GroupMember{ID: userIDs[m.Party.ID], JoinTime: m.JoinedAt.Unix(), JoinScene: 1, Invitor: userIDs[m.InvitedBy]}
			if m.Party.Kind == im.KindContact {
				member.ID, member.External, row.Internal = contacts[m.Party.ID], true, false
			} else if m.Admin {
				row.Admins = append(row.Admins, member.ID)
			}
			if member.ID == row.Owner {
				row.CreateTime = member.JoinTime
			}
			row.Members = append(row.Members, member)
		}
		seed.Groups = append(seed.Groups, row)
	}
	return seed
}

// workspaceOn is the company's workspace on a platform. It must have one.
func workspaceOn(company directory.Snapshot, platform string) im.Workspace {
	return company.Workspaces[slices.IndexFunc(company.Workspaces, func(w im.Workspace) bool { return w.Platform == platform })]
}

// oldest is when the first of them began.
func oldest(fs []im.Follow) time.Time {
	return slices.MinFunc(fs, func(a, b im.Follow) int { return a.Since.Compare(b.Since) }).Since
}
