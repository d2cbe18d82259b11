// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// The program this process runs, even when its file has been replaced since.
const ourself = "/proc/self/exe"

// child is the running half; it lives at most as long as this process.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	dead   chan struct{} // closed when it has ended and was waited for
}

// startChild must be called by the main thread: see init().
func startChild(s *state, audit bool, extra []string) (*child, error) {
	log, err := os.OpenFile(s.path("log"),
		os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	args := append([]string{"child", "--dir", s.dir,
		"--port", strconv.Itoa(s.port),
		"--audit=" + strconv.FormatBool(audit), "--"}, extra...)
	c := &child{cmd: exec.Command(ourself, args...), dead: make(chan struct{})}
	c.cmd.Stderr = log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.stdout = bufio.NewReader(stdout)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_, _ = c.cmd.Process.Wait()
		close(c.dead)
	}()
	return c, nil
}

func (c *child) running() bool {
	select {
	case <-c.dead:
		return false
	default:
		return true
	}
}

func (c *child) signal(s syscall.Signal) error {
	if !c.running() {
		return errors.New("the server is not running")
	}
	return c.cmd.Process.Signal(s)
}

// end asks and, after the grace, no longer asks: open watches would hold the
// server for a minute. Data are safe either way, etcd's log is in the kernel.
func (c *child) end(grace time.Duration) {
	if grace > 0 {
		_ = c.signal(syscall.SIGTERM)
		select {
		case <-c.dead:
		case <-time.After(grace):
		}
	}
	_ = c.signal(syscall.SIGKILL) // takes a stopped one, too
	<-c.dead
	_ = c.stdin.Close()
}

// ask sends one line and reads one line.
func (c *child) ask(line string) (map[string]any, error) {
	if _, err := io.WriteString(c.stdin, line+"\n"); err != nil {
		return nil, err
	}
	answer, err := c.stdout.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	reply := map[string]any{}
	return reply, json.Unmarshal(answer, &reply)
}

// ---- the port --------------------------------------------------------------

// reservePort binds a port of the loopback for good, without listening: nobody
// else is given it while the child is down, and who connects is refused. The
// child binds it beside us (SO_REUSEPORT). 0 takes any.
func reservePort(port int) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET,
		syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	const soReusePort = 15 // the same on every processor Go knows but MIPS
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 1)
	if err != nil {
		return 0, err
	}
	address := &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	if err := syscall.Bind(fd, address); err != nil {
		return 0, err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	return name.(*syscall.SockaddrInet4).Port, nil
}

// ---- who we live for -------------------------------------------------------

// gone returns when the process we serve has ended: pid, or, when negative,
// our parent. For 0 it never does.
func gone(pid int) string {
	parent := os.Getppid()
	for {
		time.Sleep(200 * time.Millisecond)
		if pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return "process " + strconv.Itoa(pid) + " has ended"
		}
		if pid < 0 && os.Getppid() != parent {
			return "the parent has ended"
		}
	}
}

// ---- apiserver ctl ---------------------------------------------------------

func ctlMain(args []string) int {
	if len(args) < 2 {
		return fail("usage: apiserver ctl DIR COMMAND ...")
	}
	conn, err := net.Dial("unix", controlPath(args[0]))
	if err != nil {
		return fail("no server of %s: %v", args[0], err)
	}
	defer conn.Close()
	line := args[1]
	for _, word := range args[2:] {
		line += " " + word
	}
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return fail("%v", err)
	}
	answer, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return fail("no answer: %v", err)
	}
	_, _ = os.Stdout.Write(answer)
	reply := map[string]any{}
	if json.Unmarshal(answer, &reply) != nil || reply["ok"] != true {
		return 1
	}
	return 0
}
