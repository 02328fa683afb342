package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// argsVariable makes this test binary the program: its arguments, one a line.
const argsVariable = "GUANXI_TEST_PROGRAM_ARGS"

func TestMain(m *testing.M) {
	if args := os.Getenv(argsVariable); args != "" {
		os.Exit(Run(context.Background(), strings.Split(args, "\n"), nil, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// simulatorProcess is `guanxi sim wecom` as a process of its own.
type simulatorProcess struct {
	t       *testing.T
	command *exec.Cmd
	url     string
	token   string
}

func startSimulator(t *testing.T, state string) *simulatorProcess {
	t.Helper()
	s := &simulatorProcess{t: t, command: exec.Command(os.Args[0])}
	s.command.Env = append(os.Environ(), argsVariable+"="+strings.Join([]string{"sim", "wecom", "--listen", "127.0.0.1:0", "--state", state}, "\n"))
	s.command.Stderr = os.Stderr
	out, err := s.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	url, listens := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !listens {
		t.Fatalf("it says %q: %v", line, err)
	}
	s.url = url
	var got struct {
		Token string `json:"access_token"`
	}
	if err := s.ask("GET", "/cgi-bin/gettoken?corpid="+demoCorpID+"&corpsecret="+demoAppSecret, "", &got); err != nil || got.Token == "" {
		t.Fatal("no token", err)
	}
	s.token = got.Token
	return s
}

func (s *simulatorProcess) kill() {
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
}

func (s *simulatorProcess) ask(method, path, body string, into any) error {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

type ledgerEntry struct {
	Seq     int64
	Request struct {
		Remark string
	}
	Effect *struct{ Kind string }
}

func (s *simulatorProcess) ledger() (out []ledgerEntry) {
	s.t.Helper()
	if err := s.ask("GET", "/_sim/ledger", "", &out); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// Killed while many write, a simulator remembers all that it answered; and no second one opens its file.
func TestSimulatorKilled(t *testing.T) {
	state := filepath.Join(t.TempDir(), "wecom.jsonl")
	answered := map[string]bool{}
	for round := range 3 {
		s := startSimulator(t, state)
		if code, stderr := runProgram("sim", "wecom", "--state", state); code != exitUsage || !strings.Contains(stderr, "another simulator") {
			t.Fatalf("a second one on the file: exit %d: %s", code, stderr)
		}
		var mu sync.Mutex
		var writers sync.WaitGroup
		for i := range 6 {
			writers.Go(func() {
				for j := 0; ; j++ {
					remark := fmt.Sprintf("%d.%d.%d", round, i, j)
					var m struct{ Errcode int }
					if s.ask("POST", "/cgi-bin/externalcontact/remark?access_token="+s.token,
						fmt.Sprintf(`{"userid":"wangfang004","external_userid":"wm_lanhai","remark":%q}`, remark), &m) != nil {
						return // killed
					}
					mu.Lock()
					answered[remark] = m.Errcode == 0
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(100+70*round) * time.Millisecond)
		s.kill()
		writers.Wait()
	}
	s := startSimulator(t, state)
	kept := map[string]bool{}
	last := ""
	for i, e := range s.ledger() {
		if e.Seq != int64(i+1) {
			t.Fatalf("entry %d has the number %d", i+1, e.Seq)
		}
		if e.Request.Remark != "" {
			kept[e.Request.Remark] = e.Effect != nil && e.Effect.Kind == "remark_changed"
			last = e.Request.Remark
		}
	}
	if len(answered) < 30 {
		t.Errorf("only %d calls were answered", len(answered))
	}
	for remark, fine := range answered {
		if !fine || !kept[remark] {
			t.Errorf("%s was answered (well: %v), and is kept: %v", remark, fine, kept[remark])
		}
	}
	var now struct {
		Follows []struct{ Remark string } `json:"follow_user"`
	}
	if err := s.ask("GET", "/cgi-bin/externalcontact/get?external_userid=wm_lanhai&access_token="+s.token, "", &now); err != nil || len(now.Follows) != 1 || now.Follows[0].Remark != last {
		t.Errorf("the remark is %v, and the last of the ledger %q: %v", now, last, err)
	}
}

func runProgram(args ...string) (code int, stderr string) {
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	code = Run(ctx, args, nil, &out, &errs)
	return code, errs.String()
}

func TestSimulatorUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"sim", "nowhere"}, `no simulator for "nowhere"; there are: wecom`},
		{[]string{"sim"}, "accepts 1 arg"},
		{[]string{"sim", "wecom", "--listen", "0.0.0.0:0"}, "loopback only"},
		{[]string{"sim", "wecom", "--state", filepath.Join(t.TempDir(), "no", "file")}, "no such file"},
	} {
		if code, stderr := runProgram(c.args...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit %d: %s", c.args, code, stderr)
		}
	}
}

// The demo's WeCom has the rows of the demo company.
func TestSimulatorDemo(t *testing.T) {
	s := startSimulator(t, filepath.Join(t.TempDir(), "state"))
	var state struct {
		Departments []struct {
			ID, ParentID int64
			Name         string
			Leaders      []string
		}
		Members []struct {
			UserID, Name, DirectLeader string
			Departments                []int64
		}
		TagGroups []struct{ Tags []struct{ ID, Name string } }
		Contacts  []struct {
			ExternalUserID, Name, CorpName string
			Type                           int
			Follows                        []struct {
				UserID, Remark string
				Tags           []string
			}
		}
		Groups []struct {
			ChatID, Owner string
			Internal      bool
			Members       []struct{ ID string }
		}
	}
	if err := s.ask("GET", "/_sim/state", "", &state); err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, g := range state.TagGroups {
		for _, tag := range g.Tags {
			tags[tag.ID] = tag.Name
		}
	}
	have := map[string]bool{}
	for _, d := range state.Departments {
		have[fmt.Sprint("department ", d.ID, d.ParentID, d.Name, d.Leaders)] = true
	}
	for _, m := range state.Members {
		have[fmt.Sprint("member ", m.UserID, m.Name, m.DirectLeader, m.Departments)] = true
	}
	for _, c := range state.Contacts {
		names := []string{}
		for _, id := range c.Follows[0].Tags {
			names = append(names, tags[id])
		}
		have[fmt.Sprint("contact ", c.ExternalUserID, c.Name, c.CorpName, c.Type, c.Follows[0].UserID, c.Follows[0].Remark, names)] = true
	}
	for _, g := range state.Groups {
		have[fmt.Sprint("group ", g.ChatID, g.Owner, g.Internal, g.Members)] = true
	}
	for _, want := range []string{
		fmt.Sprint("department ", 1, 0, "总部", []string{"chenguang001"}),
		fmt.Sprint("department ", 4, 3, "华东", []string{"zhaomin003"}),
		fmt.Sprint("member ", "wangfang004", "王芳", "zhaomin003", []int64{4}),
		fmt.Sprint("member ", "mengjie015", "孟洁", "zhoujie007", []int64{6}),
		fmt.Sprint("contact ", "wm_haikang", "周采购", "海康采购", 2, "wangfang004", "周采购", []string{"重点客户", "华东"}),
		fmt.Sprint("contact ", "wm_spam", "某某推广", "", 1, "wangfang004", "某某推广", []string{}),
		fmt.Sprint("contact ", "wm_xingyun", "云女士", "星云科技", 2, "zhaomin003", "云女士", []string{"重点客户"}),
		fmt.Sprint("group ", "grp_haikang", "wangfang004", false, []struct{ ID string }{{"wangfang004"}, {"liqiang005"}, {"wm_haikang"}}),
		fmt.Sprint("group ", "grp_sales", "zhaomin003", true, []struct{ ID string }{{"zhaomin003"}, {"wangfang004"}, {"liqiang005"}}),
	} {
		if !have[want] {
			t.Errorf("no %s", want)
		}
	}
	if len(state.Members) != 60 || len(state.Contacts) < 520 {
		t.Errorf("%d members, %d contacts", len(state.Members), len(state.Contacts))
	}
}
