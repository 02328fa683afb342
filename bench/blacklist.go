package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// blacklists measures how a blacklist of 100,000 rows is taken in, as a bulk that was approved; and the same file once more. Policy
// would not let a file of more than 10,000 rows in (C-08): each row is decided by the shipped rules, but nobody is asked about
// the file.
func blacklists(ctx context.Context, o options) error {
	d, err := newDatabase(ctx, o.postgres)
	if err != nil {
		return err
	}
	defer d.drop()
	master, err := newMaster()
	if err != nil {
		return err
	}
	store, err := db.Open(ctx, d.url, db.Options{Master: master, Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if _, err := store.Migrate(ctx); err != nil {
		return err
	}
	if err := errors.Join(d.open(), d.fill(ctx, company{o.members}, master), store.Start(ctx)); err != nil {
		return err
	}
	svc, err := listing(store)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "guanxi-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "blacklist.csv")
	rows, err := d.unwanted(ctx, file)
	if err != nil {
		return err
	}
	like := im.Import{Kind: im.BlacklistImport, WorkspaceID: workspaceRow.id(1), Bulk: authz.BulkApproved, Encoding: string(intake.UTF8)}
	if like.RequestedBy, err = d.admin(ctx); err != nil {
		return err
	}
	fmt.Printf("A blacklist of %d rows on %s; %d cores, %s, program and database on the same machine\n\n", rows, d.describe(ctx), runtime.NumCPU(), runtime.Version())
	profile := o.profile
	for _, run := range []struct {
		name                string
		accepted, unchanged int
	}{{"blacklist", rows, 0}, {"the same file again: nothing changed", 0, rows}} {
		if err := d.settleDown(ctx); err != nil {
			return err
		}
		began := time.Now()
		var i im.Import
		if err := profiled(profile, func() (err error) {
			i, err = takeIn(ctx, svc, like, file)
			return err
		}); err != nil {
			return err
		}
		took := time.Since(began)
		profile = ""
		if i.State != im.JobDone || i.Accepted != run.accepted || i.Unchanged != run.unchanged {
			return fmt.Errorf("%s: %+v", run.name, i)
		}
		fmt.Printf("%-40s %6.2f s %8.0f rows/s\n", run.name, took.Seconds(), float64(rows)/took.Seconds())
	}
	return nil
}

func takeIn(ctx context.Context, svc *intake.Service, like im.Import, file string) (i im.Import, err error) {
	open := func() (io.ReadCloser, error) { return os.Open(file) }
	f, err := open()
	if err != nil {
		return i, err
	}
	if err = errors.Join(intake.Survey(f, &like), f.Close()); err != nil {
		return i, err
	}
	return svc.TakeIn(ctx, like, open, func(im.Import) {})
}

// listing is the use-case of taking blacklists in, by the shipped rules.
func listing(store *db.Store) (*intake.Service, error) {
	platforms := platform.NewCatalogue(adapters.All())
	src := authz.Sources{Duties: blocking.Duties()}
	var more []authz.Layer
	for _, x := range platforms.All() {
		src.Platforms = append(src.Platforms, authz.Platform{Name: x.Name, Organisation: x.Organisation})
		if x.Rules != nil {
			more = append(more, authz.Layer{Name: authz.PlatformLayer(x.Name), Domain: x.Name, Files: x.Rules})
		}
	}
	src.Layers = authz.Shipped(more...)
	policy, err := authz.Build(src)
	if err != nil {
		return nil, err
	}
	own, err := platform.Connect(platforms, nil, nil, adapters.Env{}, nil)
	if err != nil {
		return nil, err
	}
	ids := im.NewIDs(time.Now)
	who := identity.New(store, policy, identity.Demo(time.Now))
	block := blocking.New(store, blocking.Options{Policy: policy, Platforms: own, Viewer: who.Viewer, Now: time.Now, IDs: ids, Currency: "CNY",
		Wake: func() {}, Deliver: func(context.Context, []im.Intent) {}})
	return intake.New(store, intake.Options{Now: time.Now, IDs: ids, Policy: policy, Viewer: who.Viewer,
		Kinds: map[im.ImportKind]intake.Kind{im.BlacklistImport: &intake.Blacklist{Store: store, Blocking: block, Viewer: who.Viewer}}}), nil
}

// unwanted writes a blacklist of 100,000 contacts.
func (d *database) unwanted(ctx context.Context, path string) (n int, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriter(f)
	fmt.Fprintln(out, "platform_id,reason")
	rows, err := d.sql.QueryContext(ctx, "select platform_id from external_contacts order by id limit 100000")
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	for ; err == nil && rows.Next(); n++ {
		var id string
		err = rows.Scan(&id)
		fmt.Fprintf(out, "%s,骚扰客户，多次投诉\n", id)
	}
	return n, errors.Join(err, rows.Err(), rows.Close(), out.Flush(), f.Close())
}

// admin is somebody who sees all contacts, and whose rank lets him blacklist.
func (d *database) admin(ctx context.Context) (id im.ID, err error) {
	err = d.sql.QueryRowContext(ctx, `select m.id from members m join member_roles mr on mr.member_id = m.id where mr.role = 'admin' and m.rank >= 3
		and m.job_function not in ('SALES', 'CUSTOMER_SERVICE') order by m.id limit 1`).Scan(&id)
	return id, err
}

func newMaster() (*envelope.Master, error) {
	keyset, err := envelope.NewKeyset()
	if err != nil {
		return nil, err
	}
	return envelope.Open(keyset)
}
