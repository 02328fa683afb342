package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// idealReads are the statements of each shape: the best that we can write, with the conditions under which the asker
// may see the rows. $1 is the only argument.
var idealReads = map[string]struct{ postgres, sqlite []string }{
	"Q1": {postgres: []string{one}, sqlite: []string{one}},
	"Q2": {
		postgres: []string{fifty, `select r.initiator_id, r.id, r.target_kind, coalesce(t.name, c.name)
			from (select id from members where id > $1 order by id limit 50) m
			cross join lateral (select * from relationships x where x.initiator_id = m.id and x.kind = 'BLOCK'
				and not (x.state = 'UNDONE' and x.undo_terms ->> 'trace' = 'false') order by x.id desc limit 3) r
			left join members t on r.target_kind = 'member' and t.id = r.target_id
			left join external_contacts c on r.target_kind = 'contact' and c.id = r.target_id order by m.id, r.id desc`},
		sqlite: []string{fifty, `select r.initiator_id, r.id, r.target_kind, coalesce(t.name, c.name)
			from (select id from members where id > $1 order by id limit 50) m
			join relationships r on r.id in (select x.id from relationships x where x.initiator_id = m.id and x.kind = 'BLOCK'
				and not (x.state = 'UNDONE' and x.undo_terms ->> 'trace' = 0) order by x.id desc limit 3)
			left join members t on r.target_kind = 'member' and t.id = r.target_id
			left join external_contacts c on r.target_kind = 'contact' and c.id = r.target_id order by m.id, r.id desc`},
	},
	"Q3":      {postgres: []string{fiftyEvents}, sqlite: []string{fiftyEvents}},
	"Q3names": {postgres: []string{fiftySealed}, sqlite: []string{fiftySealed}},
	"key":     {postgres: []string{keyText}, sqlite: []string{keyText}}, // of a sealed text
}

const (
	one = `select m.id, m.name, m.employee_no, d.name from members m
		left join member_departments md on md.member_id = m.id and md.is_primary left join departments d on d.id = md.department_id where m.id = $1`
	fifty = `select m.id, m.name, d.name, g.name from members m
		left join member_departments md on md.member_id = m.id and md.is_primary left join departments d on d.id = md.department_id
		left join members g on g.id = m.manager_id where m.id > $1 order by m.id limit 51`
	fiftyEvents = `select e.id, e.at, e.action, e.outcome, e.decision_id, e.request_id, e.sequence from audit_events e
		where e.action not like 'archive.%' and e.id < $1 order by e.id desc limit 51`
	fiftySealed = `select e.id, e.at, e.action, e.outcome, e.decision_id, e.request_id, e.sequence, e.actor_name, e.subject_name, e.detail from audit_events e
		where e.action not like 'archive.%' and e.id < $1 order by e.id desc limit 51`
	keyText = "select subject_id, wrapped from data_keys where id = $1"
)

// serveIdealReads is net/http, encoding/json and the best SQL, without GraphQL: the limit of what a gateway could do. It
// authenticates nobody, and opens sealed texts as the gateway does.
func serveIdealReads(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("ideal-reads", flag.ContinueOnError)
	url := flags.String("db", "", "database to read")
	keyset := flags.String("keyset", "", "file with the master key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	h, err := newReadsHandler(ctx, *url, *keyset)
	if err != nil {
		return err
	}
	return serveIdeal(ctx, h)
}

// step is what the ideal does to answer, without HTTP and JSON, as often as it goes: what there is to compare with pgbench. It
// prints how often that was in a second.
func step(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("step", flag.ContinueOnError)
	url := flags.String("db", "", "database to read")
	keyset := flags.String("keyset", "", "file with the master key")
	var q readsRequest
	flags.StringVar(&q.OperationName, "shape", "", "what to read")
	flags.StringVar(&q.Variables.At, "at", "", "where")
	clients := flags.Int("clients", 1, "how many ask at once")
	d := flags.Duration("time", time.Second, "how long they do")
	if err := flags.Parse(args); err != nil {
		return err
	}
	debug.SetGCPercent(idealGC)
	h, err := newReadsHandler(ctx, *url, *keyset)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	var n atomic.Int64
	var failed atomic.Value
	began := time.Now()
	for range *clients {
		all.Go(func() {
			for time.Since(began) < *d {
				if _, err := h.answer(ctx, q); err != nil {
					failed.Store(err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	if err, _ := failed.Load().(error); err != nil {
		return err
	}
	fmt.Println(float64(n.Load()) / time.Since(began).Seconds())
	return nil
}

func newReadsHandler(ctx context.Context, url, keyset string) (*readsHandler, error) {
	h := &readsHandler{}
	b, err := os.ReadFile(keyset)
	if err != nil {
		return nil, err
	}
	if h.master, err = envelope.Open(b); err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		h.query, err = sqliteReader(ctx, path)
	} else {
		h.query, err = postgresReader(ctx, url)
	}
	return h, err
}

// cells are the columns of a row as they lie: PostgreSQL's in its binary format, numbers of SQLite as digits. They hold until
// the next row.
type cells struct {
	of       [][]byte
	postgres bool
}

func (c cells) bytes(i int) []byte { return bytes.Clone(c.of[i]) }
func (c cells) text(i int) string  { return string(c.of[i]) }

// some is a text that may be null.
func (c cells) some(i int) *string {
	if c.of[i] == nil {
		return nil
	}
	s := string(c.of[i])
	return &s
}

// id is the zero id for null.
func (c cells) id(i int) (id im.ID) {
	copy(id[:], c.of[i])
	return id
}

// number is zero for null.
func (c cells) number(i int) (n int64) {
	if c.postgres && len(c.of[i]) == 8 {
		return int64(binary.BigEndian.Uint64(c.of[i]))
	}
	n, _ = strconv.ParseInt(string(c.of[i]), 10, 64) // the columns are of numbers
	return n
}

type readsHandler struct {
	master *envelope.Master
	keys   sync.Map // im.ID → envelope.Key
	// query runs the statements of a shape, with one argument, in one round trip; each row goes to the function of its
	// statement.
	query reader
}

// readsRequest is a request.
type readsRequest struct {
	OperationName string `json:"operationName"`
	Variables     struct {
		At string `json:"at"`
	} `json:"variables"`
}

type named struct {
	Name string `json:"name"`
}

type q1Member struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	EmployeeNo string `json:"employeeNo"`
	Department *named `json:"department"`
}

type q2Member struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Department    *named   `json:"department"`
	Manager       *named   `json:"manager"`
	Relationships q2Blocks `json:"relationships"`
}

type q2Blocks struct {
	Nodes []q2Block `json:"nodes"`
}

type q2Block struct {
	ID     string   `json:"id"`
	Target q2Target `json:"target"`
}

type q2Target struct {
	Typename string `json:"__typename"`
	Name     string `json:"name"`
}

type q3Event struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	Action     string    `json:"action"`
	Outcome    *string   `json:"outcome"`
	DecisionID *string   `json:"decisionId"`
	RequestID  *string   `json:"requestId"`
	Sequence   *int64    `json:"sequence"`
	*q3Texts
}

type q3Texts struct {
	ActorName   string `json:"actorName"`
	SubjectName string `json:"subjectName"`
	Detail      string `json:"detail"`
}

type pageInfo struct {
	EndCursor   *string `json:"endCursor"`
	HasNextPage bool    `json:"hasNextPage"`
}

type listOf[T any] struct {
	Nodes    []T      `json:"nodes"`
	PageInfo pageInfo `json:"pageInfo"`
}

// whole cuts the row off that a query reads beyond its page, and says where the page ends.
func (c *listOf[T]) whole(order string, id func(T) im.ID) {
	if c.PageInfo.HasNextPage = len(c.Nodes) > 50; c.PageInfo.HasNextPage {
		c.Nodes = c.Nodes[:50]
	}
	if n := len(c.Nodes); n > 0 {
		end := page.Encode(order, page.Position{ID: id(c.Nodes[n-1])})
		c.PageInfo.EndCursor = &end
	}
}

// ServeHTTP answers one request.
func (h *readsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q readsRequest
	var a struct {
		Data any `json:"data"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &q)
	}
	if err == nil {
		a.Data, err = h.answer(r.Context(), q)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	b, err := json.Marshal(a)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // a client that hung up is no fault of ours
}

func (h *readsHandler) answer(ctx context.Context, q readsRequest) (any, error) {
	switch q.OperationName {
	case "Q1":
		ref, _ := nodeid.Decode(q.Variables.At)
		var a struct {
			Member *q1Member `json:"member"`
		}
		err := h.query(ctx, "Q1", ref.ID, func(c cells) error {
			a.Member = &q1Member{nodeid.Encode(im.KindMember, c.id(0)), c.text(1), c.text(2), called(c, 3)}
			return nil
		})
		return a, err
	case "Q2":
		return h.fifty(ctx, q.Variables.At)
	case "Q3", "Q3names":
		return h.events(ctx, q.OperationName, q.Variables.At)
	}
	return nil, fmt.Errorf("no shape is called %q", q.OperationName)
}

func called(c cells, i int) *named {
	if c.of[i] == nil {
		return nil
	}
	return &named{c.text(i)}
}

func (h *readsHandler) fifty(ctx context.Context, after string) (any, error) {
	at, err := page.Decode(directory.MembersByID, after)
	if err != nil {
		return nil, err
	}
	var a struct {
		Members listOf[*q2Member] `json:"members"`
	}
	ids := make([]im.ID, 0, 51)
	at50 := make(map[im.ID]*q2Member, 51)
	err = h.query(ctx, "Q2", at.ID, func(c cells) error {
		id := c.id(0)
		m := &q2Member{nodeid.Encode(im.KindMember, id), c.text(1), called(c, 2), called(c, 3), q2Blocks{[]q2Block{}}}
		a.Members.Nodes, ids, at50[id] = append(a.Members.Nodes, m), append(ids, id), m
		return nil
	}, func(c cells) error {
		t := q2Target{Typename: "Member", Name: c.text(3)}
		if string(c.of[2]) == string(im.KindContact) {
			t.Typename = "ExternalContact"
		}
		if m := at50[c.id(0)]; m != nil {
			m.Relationships.Nodes = append(m.Relationships.Nodes, q2Block{nodeid.Encode(im.KindRelationship, c.id(1)), t})
		}
		return nil
	})
	n := min(len(ids), 50) - 1
	a.Members.whole(directory.MembersByID, func(*q2Member) im.ID { return ids[n] })
	return a, err
}

func (h *readsHandler) events(ctx context.Context, shape, after string) (any, error) {
	at, err := page.Decode(audit.Newest, after)
	if err != nil {
		return nil, err
	}
	var a struct {
		Events listOf[*q3Event] `json:"auditEvents"`
	}
	type sealed struct {
		id                     im.ID
		actor, subject, detail []byte
	}
	var boxes []sealed
	err = h.query(ctx, shape, at.ID, func(c cells) error {
		b := sealed{id: c.id(0)}
		if shape != "Q3" {
			b.actor, b.subject, b.detail = c.bytes(7), c.bytes(8), c.bytes(9)
		}
		e := &q3Event{ID: nodeid.Encode(im.KindAudit, b.id), At: time.UnixMicro(c.number(1)).UTC(), Action: c.text(2), Outcome: c.some(3), RequestID: c.some(5)}
		if did := nodeid.Encode(im.KindDecision, c.id(4)); did != "" {
			e.DecisionID = &did
		}
		if n := c.number(6); n > 0 {
			e.Sequence = &n
		}
		a.Events.Nodes, boxes = append(a.Events.Nodes, e), append(boxes, b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	n := min(len(boxes), 50)
	for i, b := range boxes[:n] {
		if shape == "Q3" {
			break
		}
		t := &q3Texts{}
		for _, x := range []struct {
			box    []byte
			column string
			into   *string
		}{{b.actor, "actor_name", &t.ActorName}, {b.subject, "subject_name", &t.SubjectName}, {b.detail, "detail", &t.Detail}} {
			if *x.into, err = h.open(ctx, x.box, envelope.At("audit_events", x.column, b.id)); err != nil {
				return nil, err
			}
		}
		a.Events.Nodes[i].q3Texts = t
	}
	a.Events.whole(audit.Newest, func(*q3Event) im.ID { return boxes[n-1].id })
	return a, nil
}

// open opens a sealed text; it reads a key once.
func (h *readsHandler) open(ctx context.Context, box, at []byte) (string, error) {
	id, err := envelope.KeyID(box)
	if err != nil {
		return "", err
	}
	key, ok := h.keys.Load(id)
	if !ok {
		err := h.query(ctx, "key", id, func(c cells) error {
			k, err := h.master.Unwrap(id, c.id(0), c.bytes(1))
			key = k
			return err
		})
		if err != nil {
			return "", err
		}
		h.keys.Store(id, key)
	}
	return key.(envelope.Key).Open(box, at)
}

// reader runs the statements of a shape.
type reader func(ctx context.Context, shape string, at im.ID, each ...func(cells) error) error

// postgresReader sends the statements of a shape as one batch, every one prepared before.
func postgresReader(ctx context.Context, url string) (reader, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = poolSize
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, shape string, at im.ID, each ...func(cells) error) error {
		texts, id := idealReads[shape].postgres, pgtype.UUID{Bytes: at, Valid: true}
		if len(texts) == 1 {
			rows, err := pool.Query(ctx, texts[0], id)
			return drained(rows, err, each[0])
		}
		var b pgx.Batch
		for _, t := range texts {
			b.Queue(t, id)
		}
		results := pool.SendBatch(ctx, &b)
		for i := range texts {
			rows, err := results.Query()
			if err := drained(rows, err, each[i]); err != nil {
				_ = results.Close()
				return err
			}
		}
		return results.Close()
	}, nil
}

func drained(rows pgx.Rows, err error, each func(cells) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(cells{rows.RawValues(), true}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sqliteReader runs them one by one, prepared before, on as many connections as there are cores.
func sqliteReader(ctx context.Context, path string) (reader, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(5000)&_pragma=cache_size(-32000)&_pragma=mmap_size(268435456)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(max(2, runtime.GOMAXPROCS(0)))
	db.SetMaxIdleConns(max(2, runtime.GOMAXPROCS(0)))
	ready := map[string][]*sql.Stmt{}
	for shape, texts := range idealReads {
		for _, t := range texts.sqlite {
			s, err := db.PrepareContext(ctx, t)
			if err != nil {
				return nil, err
			}
			ready[shape] = append(ready[shape], s)
		}
	}
	one := func(ctx context.Context, s *sql.Stmt, at im.ID, each func(cells) error) error {
		rows, err := s.QueryContext(ctx, at[:])
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		row, into := make([][]byte, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = (*sql.RawBytes)(&row[i])
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			if err := each(cells{of: row}); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	return func(ctx context.Context, shape string, at im.ID, each ...func(cells) error) error {
		for i, s := range ready[shape] {
			if err := one(ctx, s, at, each[i]); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// poolSize is how many connections the ideal and pgbench have: more only wait for each other on few cores.
const poolSize = 8

// idealGC lets the heap of the ideal grow to five times what lives in it, which is next to nothing.
const idealGC = 400
