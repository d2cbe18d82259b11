// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// The key by which API servers tell each other what has been compacted. Only
// when it changes does the server drop the pages it keeps in its cache.
const compactRevKey = "compact_rev_key"

// childMain is the served half: etcd, then kube-apiserver until SIGTERM. What
// the supervisor must hear goes to standard output; the log is standard error.
func childMain(args []string) int {
	flags := flag.NewFlagSet("child", flag.ExitOnError)
	dir := flags.String("dir", "", "state directory")
	port := flags.Int("port", 0, "port to serve on")
	audit := flags.Bool("audit", false, "write audit.log")
	_ = flags.Parse(args)

	etcd, err := startEtcd(filepath.Join(*dir, "etcd"))
	if err != nil {
		return fail("etcd: %v", err)
	}
	go obey(etcd)

	command := app.NewAPIServerCommand()
	command.SilenceUsage = true
	command.SetArgs(append(
		serverFlags(*dir, *port, etcd, *audit), flags.Args()...))
	if err := command.Execute(); err != nil {
		return fail("kube-apiserver: %v", err)
	}
	return 0
}

// startEtcd opens the data directory. Free ports are found by asking for any
// and giving it back, so another process can be quicker: hence the tries.
func startEtcd(dir string) (*embed.Etcd, error) {
	var err error
	for try := 0; try < 5; try++ {
		var etcd *embed.Etcd
		if etcd, err = openEtcd(dir); err == nil {
			return etcd, nil
		}
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	return nil, err
}

func openEtcd(dir string) (*embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{"stderr"}
	cfg.UnsafeNoFsync = true // data need only survive the process
	client, peer := freeURL(), freeURL()
	cfg.ListenClientUrls = []url.URL{client}
	cfg.AdvertiseClientUrls = []url.URL{client}
	cfg.ListenPeerUrls = []url.URL{peer}
	cfg.AdvertisePeerUrls = []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)

	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case err := <-etcd.Err():
		return nil, err
	case <-time.After(30 * time.Second):
		return nil, fmt.Errorf("not ready after 30 s")
	}
}

func freeURL() url.URL {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	}
	defer listener.Close()
	return url.URL{Scheme: "http", Host: listener.Addr().String()}
}

func serverFlags(dir string, port int, etcd *embed.Etcd, audit bool) []string {
	in := func(name string) string { return filepath.Join(dir, name) }
	args := []string{
		"--etcd-servers=" + etcd.Config().ListenClientUrls[0].String(),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		// The supervisor keeps the port bound while no child listens.
		"--permit-port-sharing=true",
		"--cert-dir=" + in("pki"),
		"--tls-cert-file=" + in("pki/server.crt"),
		"--tls-private-key-file=" + in("pki/server.key"),
		"--client-ca-file=" + in("pki/client-ca.crt"),
		"--token-auth-file=" + in("tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + in("pki/sa.key"),
		"--service-account-signing-key-file=" + in("pki/sa.key"),
		"--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none",
		"--profiling=false",
	}
	if audit {
		args = append(args, "--audit-policy-file="+in("audit.yaml"),
			"--audit-log-path="+in("audit.log"),
			"--audit-log-mode=blocking")
	}
	return args
}

// obey answers the supervisor's lines. Its end is ours: when the pipe closes
// nobody is left to serve, and open watches must not hold the process.
func obey(etcd *embed.Etcd) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		reply := map[string]any{"ok": true}
		if err := obeyLine(etcd, lines.Text(), reply); err != nil {
			reply = map[string]any{"ok": false, "error": err.Error()}
		}
		line, _ := json.Marshal(reply)
		fmt.Printf("%s\n", line)
	}
	os.Exit(0)
}

func obeyLine(etcd *embed.Etcd, line string, reply map[string]any) error {
	client := v3client.New(etcd.Server)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()

	now, err := client.Get(ctx, compactRevKey)
	if err != nil {
		return err
	}
	revision := now.Header.Revision
	reply["revision"] = revision
	switch line {
	case "revision":
		return nil
	case "compact":
		_, err = client.Compact(ctx, revision, clientv3.WithCompactPhysical())
		return err
	case "compact cache":
		// As another API server of this cluster would do it.
		text := strconv.FormatInt(revision, 10)
		if _, err = client.Put(ctx, compactRevKey, text); err != nil {
			return err
		}
		_, err = client.Compact(ctx, revision, clientv3.WithCompactPhysical())
		return err
	default:
		return fmt.Errorf("unknown command %q", line)
	}
}
