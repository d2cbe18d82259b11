// SPDX-License-Identifier: Apache-2.0

// informer-go - client-go's shared informer with a counting handler
//
// What the benchmark compares kinformer with: the usual informer on
// ConfigMaps, made as client-go's documentation says, and nothing else in the
// process. "synced N" tells that the cache is whole. Then each line on
// standard input, and each SIGUSR1, is answered by one line of JSON with what
// was seen and what it has cost; it ends when standard input closes.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// Each encoding is what client-go itself asks for by default, or, for JSON,
// what a client without generated types has.
var encodings = map[string]string{
	"json":     "application/json",
	"protobuf": "application/vnd.kubernetes.protobuf",
}

// counters of the handler's calls; bytes so that the objects are looked at.
type counters struct {
	added, updated, deleted, unchanged, bytes atomic.Int64
}

func (c *counters) OnAdd(object any, _ bool) {
	c.added.Add(1)
	c.look(object)
}

func (c *counters) OnUpdate(was, is any) {
	c.updated.Add(1)
	if was.(*v1.ConfigMap).ResourceVersion ==
		is.(*v1.ConfigMap).ResourceVersion {
		c.unchanged.Add(1)
	}
	c.look(is)
}

func (c *counters) OnDelete(any) { c.deleted.Add(1) }

func (c *counters) look(object any) {
	for _, value := range object.(*v1.ConfigMap).Data {
		c.bytes.Add(int64(len(value)))
	}
}

func main() {
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "file")
	namespace := flag.String("namespace", "", "namespace, else all")
	encoding := flag.String("encoding", "json", "json or protobuf")
	drop := flag.Bool("drop-managed", false, "drop managedFields on arrival")
	flag.Parse()
	if err := serve(*kubeconfig, *namespace, *encoding, *drop); err != nil {
		fmt.Fprintln(os.Stderr, "informer-go:", err)
		os.Exit(1)
	}
}

func serve(kubeconfig, namespace, encoding string, drop bool) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	if encodings[encoding] == "" {
		return fmt.Errorf("no encoding %q", encoding)
	}
	config.ContentType = encodings[encoding]
	config.UserAgent = "informer-go"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	options := []informers.SharedInformerOption{
		informers.WithNamespace(namespace)}
	if drop {
		options = append(options, informers.WithTransform(dropManaged))
	}
	began := time.Now()
	factory := informers.NewSharedInformerFactoryWithOptions(
		client, 0, options...)
	informer := factory.Core().V1().ConfigMaps().Informer()
	counts := &counters{}
	handle, err := informer.AddEventHandler(counts)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	if !cache.WaitForCacheSync(stop, handle.HasSynced) {
		return fmt.Errorf("not synced")
	}
	fmt.Printf("synced %d\n", len(informer.GetStore().ListKeys()))
	answer(counts, informer, time.Since(began))
	return nil
}

func dropManaged(object any) (any, error) {
	if meta, ok := object.(metav1.Object); ok {
		meta.SetManagedFields(nil)
	}
	return object, nil
}

// answer tells the figures whenever asked. The line "gc" collects first.
func answer(c *counters, informer cache.SharedIndexInformer,
	sync time.Duration) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	lines := make(chan string)
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
		close(lines)
	}()
	for {
		select {
		case line, open := <-lines:
			if !open {
				return
			}
			if strings.TrimSpace(line) == "gc" {
				runtime.GC()
			}
		case <-signals:
		}
		report(c, informer, sync)
	}
}

func report(c *counters, informer cache.SharedIndexInformer,
	sync time.Duration) {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	line, _ := json.Marshal(map[string]any{
		"objects":   len(informer.GetStore().ListKeys()),
		"added":     c.added.Load(),
		"updated":   c.updated.Load(),
		"deleted":   c.deleted.Load(),
		"unchanged": c.unchanged.Load(),
		"events":    c.added.Load() + c.updated.Load() + c.deleted.Load(),
		"bytes":     c.bytes.Load(),
		"cpu_us":    micros(used.Utime) + micros(used.Stime),
		"sync_us":   sync.Microseconds(),
		"rss_kb":    status("VmRSS:"),
		"peak_kb":   status("VmHWM:"),
		"anon_kb":   status("RssAnon:"),
	})
	fmt.Printf("%s\n", line)
}

func micros(t syscall.Timeval) int64 {
	return int64(t.Sec)*1000000 + int64(t.Usec)
}

// status is a line of /proc/self/status, in KiB.
func status(name string) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(text), name)
	words := strings.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	value, _ := strconv.ParseInt(words[0], 10, 64)
	return value
}
