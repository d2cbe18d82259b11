// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// supervisor is the half that stays. All its work is done by the main
// goroutine, one command after another.
type supervisor struct {
	state
	spec   certSpec
	audit  bool
	extra  []string // further flags of kube-apiserver
	grace  time.Duration
	wait   time.Duration
	child  *child
	paused bool
	began  time.Time
	work   chan request
	ended  chan string
}

// request is one command line and where its answer goes.
type request struct {
	line   string
	answer chan<- []byte
}

type sanList []string

func (l *sanList) String() string     { return strings.Join(*l, ",") }
func (l *sanList) Set(v string) error { *l = append(*l, v); return nil }

type options struct {
	untilPid int           // 0: the parent
	limit    time.Duration // 0: none
	ignoreIn bool
}

func parseFlags(args []string) (*supervisor, *options, error) {
	s := &supervisor{began: time.Now(), work: make(chan request),
		ended: make(chan string, 8)}
	o := &options{}
	f := flag.NewFlagSet("apiserver", flag.ExitOnError)
	f.StringVar(&s.dir, "dir", "", "state directory, made if missing")
	f.IntVar(&s.port, "port", 0, "port; 0 takes a free one")
	f.StringVar(&s.spec.key, "key", "ecdsa", "keys of CA and server: rsa, ecdsa")
	f.StringVar(&s.spec.kind, "cert", "good", "server certificate: "+kindNames())
	f.Var((*sanList)(&s.spec.sans), "san", "further name or address, repeatable")
	f.BoolVar(&s.audit, "audit", false, "write every request to DIR/audit.log")
	f.DurationVar(&s.grace, "grace", time.Second,
		"what 'stop' and 'restart' leave the server to end by itself")
	f.DurationVar(&s.wait, "wait", 90*time.Second, "longest start")
	f.BoolVar(&o.ignoreIn, "ignore-stdin", false,
		"standard input is no control and its end no reason to end")
	f.IntVar(&o.untilPid, "until-pid", 0,
		"end when this process ends, not with the parent; ignores stdin")
	f.DurationVar(&o.limit, "for", 0,
		"end after this time, not with the parent; ignores stdin")
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: apiserver --dir DIR [OPTION]..."+
			" [-- FLAG OF KUBE-APISERVER...]\n"+
			"       apiserver ctl DIR COMMAND ...")
		f.PrintDefaults()
		fmt.Fprint(f.Output(), commandHelp())
	}
	_ = f.Parse(args)
	s.extra = f.Args()
	if s.dir == "" {
		return nil, nil, errors.New("--dir DIR is missing")
	}
	if err := s.spec.check(); err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(s.dir)
	s.dir = dir
	return s, o, err
}

func supervisorMain(args []string) int {
	s, o, err := parseFlags(args)
	if err != nil {
		return fail("%v", err)
	}
	s.listenForEnd(o)
	if err := s.open(); err != nil {
		return fail("%v", err)
	}
	code := s.serve(o)
	s.close()
	return code
}

// open makes the directory ours, the port too.
func (s *supervisor) open() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := lockDir(s.dir); err != nil {
		return fmt.Errorf("%s is in use: %w", s.dir, err)
	}
	_ = os.Remove(s.path("ready"))
	port, err := reservePort(s.port)
	if err != nil {
		return fmt.Errorf("port %d: %w", s.port, err)
	}
	s.port = port
	if err := s.prepare(s.spec); err != nil {
		return err
	}
	return s.control()
}

// lockDir holds the directory for this process' life: the descriptor is never
// closed, and is bare, because Go closes an os.File that nobody refers to.
func lockDir(dir string) error {
	fd, err := syscall.Open(filepath.Join(dir, "lock"),
		syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	return syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
}

// serve starts the child and obeys until somebody says that it is over.
func (s *supervisor) serve(o *options) int {
	if err := s.start(); err != nil {
		s.say(map[string]any{"ready": false, "error": err.Error()})
		return fail("%v", err)
	}
	s.say(s.status(map[string]any{"ready": true}))
	if !o.ignoreIn {
		go s.read(os.Stdin, os.Stdout, "standard input has closed")
	}
	for {
		select {
		case why := <-s.ended:
			fmt.Fprintf(os.Stderr, "apiserver: ends, %s\n", why)
			return 0
		case r := <-s.work:
			name, reply := s.obey(r.line)
			line, _ := json.Marshal(reply)
			r.answer <- append(line, '\n')
			if name == "quit" {
				return 0
			}
		}
	}
}

func (s *supervisor) close() {
	s.stop(0)
	_ = os.Remove(controlPath(s.dir))
}

// say writes one line of JSON to standard output.
func (s *supervisor) say(reply map[string]any) {
	line, _ := json.Marshal(reply)
	fmt.Printf("%s\n", line)
}

// ---- reasons to end --------------------------------------------------------

func (s *supervisor) listenForEnd(o *options) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		for received := range signals {
			s.end(received.String())
		}
	}()
	pid := -1 // the parent
	if o.untilPid != 0 || o.limit != 0 {
		pid, o.ignoreIn = o.untilPid, true
	}
	go func() { s.end(gone(pid)) }()
	if o.limit != 0 {
		time.AfterFunc(o.limit, func() { s.end("its time is over") })
	}
}

// end asks the main goroutine to end. A command that hangs must not hold us:
// the child dies with this process, whatever it does.
func (s *supervisor) end(why string) {
	time.AfterFunc(1500*time.Millisecond, func() { os.Exit(0) })
	s.ended <- why
}

// ---- control ---------------------------------------------------------------

// read passes lines to the main goroutine and answers back.
func (s *supervisor) read(in io.Reader, out io.Writer, whenClosed string) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<16)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		answer := make(chan []byte, 1)
		s.work <- request{lines.Text(), answer}
		if _, err := out.Write(<-answer); err != nil {
			break
		}
	}
	if whenClosed != "" {
		s.end(whenClosed)
	}
}

// controlPath: a socket's name has at most 107 bytes, so a deep directory's
// socket lies in the system's folder for such things, found by a link.
func controlPath(dir string) string {
	path := filepath.Join(dir, "control")
	if target, err := os.Readlink(path); err == nil {
		return target
	}
	return path
}

func (s *supervisor) control() error {
	_ = os.Remove(controlPath(s.dir))
	_ = os.Remove(s.path("control"))
	path := s.path("control")
	if len(path) > 100 {
		folder, err := os.MkdirTemp("", "apiserver-")
		if err != nil {
			return err
		}
		path = filepath.Join(folder, "control")
		if err := os.Symlink(path, s.path("control")); err != nil {
			return err
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				s.read(conn, conn, "")
			}()
		}
	}()
	return nil
}

// ---- the child -------------------------------------------------------------

func (s *supervisor) running() bool {
	return s.child != nil && s.child.running()
}

// start returns when the server answers and holds what we promise.
func (s *supervisor) start() error {
	if s.running() {
		return errors.New("the server is running already")
	}
	fresh, err := startChild(&s.state, s.audit, s.extra)
	if err != nil {
		return err
	}
	s.child, s.paused = fresh, false
	err = s.becomeReady()
	if err != nil {
		s.stop(0)
		return err
	}
	return writeFile(s.path("ready"), []byte(s.url()+"\n"), 0o600)
}

func (s *supervisor) stop(grace time.Duration) {
	_ = os.Remove(s.path("ready"))
	if s.child != nil {
		if s.paused {
			grace = 0
		}
		s.child.end(grace)
	}
	s.child, s.paused = nil, false
}

func (s *supervisor) becomeReady() error {
	client := s.client()
	defer client.CloseIdleConnections()
	deadline := time.After(s.wait)
	for {
		select {
		case <-s.child.dead:
			return fmt.Errorf("the server ended: %s", s.lastLog())
		case why := <-s.ended:
			s.ended <- why // serve() shall see it, too
			return errors.New(why)
		case <-deadline:
			return fmt.Errorf("not ready after %s, see %s",
				s.wait, s.path("log"))
		case <-time.After(50 * time.Millisecond):
		}
		if s.get(client, "/readyz") == 200 &&
			s.get(client, "/api/v1/namespaces/default") == 200 {
			return s.grantReader(client)
		}
	}
}

// client does not verify: the certificate may be a bad one, and on purpose.
func (s *supervisor) client() *http.Client {
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
	}
}

func (s *supervisor) get(client *http.Client, path string) int {
	code, _ := s.send(client, "GET", path, "")
	return code
}

func (s *supervisor) send(client *http.Client, method, path, body string) (
	int, error) {
	request, err := http.NewRequest(method, s.url()+path,
		bytes.NewBufferString(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token("admin"))
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// grantReader lets the reader's token read everything, and write nothing.
func (s *supervisor) grantReader(client *http.Client) error {
	const base = "/apis/rbac.authorization.k8s.io/v1/"
	objects := []struct{ path, body string }{
		{base + "clusterroles", `{"metadata":{"name":"kinformer-reader"},
			"rules":[{"apiGroups":["*"],"resources":["*"],
			"verbs":["get","list","watch"]}]}`},
		{base + "clusterrolebindings", `{"metadata":{
			"name":"kinformer-reader"},"roleRef":{"kind":"ClusterRole",
			"apiGroup":"rbac.authorization.k8s.io",
			"name":"kinformer-reader"},"subjects":[{"kind":"Group",
			"apiGroup":"rbac.authorization.k8s.io",
			"name":"kinformer:readers"}]}`},
	}
	for _, o := range objects {
		code, err := s.send(client, "POST", o.path, o.body)
		if err != nil {
			return err
		}
		if code != http.StatusCreated && code != http.StatusConflict {
			return fmt.Errorf("%s: HTTP %d", o.path, code)
		}
	}
	return nil
}

// lastLog is the last line that explains an early end.
func (s *supervisor) lastLog() string {
	text, err := os.ReadFile(s.path("log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
