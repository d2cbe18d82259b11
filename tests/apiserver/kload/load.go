// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// summary is what fill and churn have done.
type summary struct {
	Done    int64   `json:"done"`
	Errors  int64   `json:"errors"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"`
	LateMs  float64 `json:"late_ms"` // the latest start against the plan
}

// pace is the plan of a load: the i-th request starts i/rate seconds after
// the first. A late one does not delay the others, so the rate holds over
// time. Rate 0: as quick as it goes.
type pace struct {
	began time.Time
	rate  float64
}

func (p pace) due(i int) time.Time {
	if p.rate <= 0 {
		return p.began
	}
	return p.began.Add(time.Duration(float64(i) / p.rate * float64(time.Second)))
}

// endless is a count that is never reached.
const endless = -1

// run calls each(i) for i below count by the plan, with so many workers, until
// stop closes.
func run(rate float64, count, workers int, stop <-chan struct{},
	each func(i int) error) (summary, error) {
	var out summary
	var late atomic.Int64
	var first error
	var once sync.Once
	numbers := make(chan int, workers)
	plan := pace{time.Now(), rate}

	var all sync.WaitGroup
	for range workers {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range numbers {
				behind := int64(time.Since(plan.due(i)))
				for was := late.Load(); behind > was &&
					!late.CompareAndSwap(was, behind); was = late.Load() {
				}
				if err := each(i); err != nil {
					atomic.AddInt64(&out.Errors, 1)
					once.Do(func() { first = err })
				} else {
					atomic.AddInt64(&out.Done, 1)
				}
			}
		}()
	}
	feed(plan, count, numbers, stop)
	all.Wait()

	out.Seconds = time.Since(plan.began).Seconds()
	out.Rate = float64(out.Done) / out.Seconds
	if rate > 0 {
		out.LateMs = float64(late.Load()) / 1e6
	}
	return out, first
}

func feed(plan pace, count int, numbers chan<- int, stop <-chan struct{}) {
	defer close(numbers)
	for i := 0; count == endless || i < count; i++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Until(plan.due(i))):
		}
		select {
		case <-stop:
			return
		case numbers <- i:
		}
	}
}

// interrupted closes at SIGINT and SIGTERM, and after the time if one is given.
func interrupted(limit time.Duration) <-chan struct{} {
	stop := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	var timer <-chan time.Time
	if limit > 0 {
		timer = time.After(limit)
	}
	go func() {
		select {
		case <-signals:
		case <-timer:
		}
		close(stop)
	}()
	return stop
}

// fill makes objects; those that are there already are replaced.
func fill(c *client, o *options, _ []string) (any, error) {
	k, path, err := kindOf(o)
	if err != nil {
		return nil, err
	}
	if err := ensureNamespace(c, o.namespace); err != nil {
		return nil, err
	}
	size := k.payloadSize(o)
	return run(0, o.count, o.workers, interrupted(0), func(i int) error {
		name := objectName(o, o.from+i)
		_, err := c.apply(path, name, k.whole(o, name, filler(size)))
		return err
	})
}

// churn updates objects by turns. Each update changes the payload and leaves
// the size.
func churn(c *client, o *options, _ []string) (any, error) {
	k, path, err := kindOf(o)
	if err != nil {
		return nil, err
	}
	names, err := churned(c, o, path)
	if err != nil {
		return nil, err
	}
	count := o.count
	if o.duration > 0 || count == 0 {
		count = endless
	}
	size := k.payloadSize(o)
	return run(o.rate, count, o.workers, interrupted(o.duration),
		func(i int) error {
			_, err := c.typed("PATCH", path+"/"+names[i%len(names)],
				"application/merge-patch+json", k.change(filler(size)))
			return err
		})
}

func churned(c *client, o *options, path string) ([]string, error) {
	names, err := listNames(c, path)
	if err != nil {
		return nil, err
	}
	mine := names[:0]
	for _, name := range names {
		if strings.HasPrefix(name, o.prefix+"-") {
			mine = append(mine, name)
		}
	}
	if o.objects > 0 && len(mine) > o.objects {
		mine = mine[:o.objects]
	}
	if len(mine) == 0 {
		return nil, fmt.Errorf("%s: no %s-*", path, o.prefix)
	}
	return mine, nil
}

// listNames asks for metadata alone, by pages.
func listNames(c *client, path string) ([]string, error) {
	const accept = "application/json;as=PartialObjectMetadataList;" +
		"g=meta.k8s.io;v=v1"
	var names []string
	for next := ""; ; {
		text, err := c.do("GET", path+"?limit=1000&continue="+
			url.QueryEscape(next), "", accept, nil)
		if err != nil {
			return nil, err
		}
		var list struct {
			Metadata struct{ Continue string }
			Items    []struct{ Metadata struct{ Name string } }
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			names = append(names, item.Metadata.Name)
		}
		if next = list.Metadata.Continue; next == "" {
			return names, nil
		}
	}
}

// removeAll deletes one by one, so that watchers see each; the server's own
// collection delete does the same, but slower.
func removeAll(c *client, o *options, _ []string) (any, error) {
	_, path, err := kindOf(o)
	if err != nil {
		return nil, err
	}
	names, err := listNames(c, path)
	if err != nil {
		return nil, err
	}
	return run(0, len(names), o.workers, interrupted(0), func(i int) error {
		_, err := c.json("DELETE", path+"/"+names[i], nil)
		if isStatus(err, http.StatusNotFound) {
			return nil
		}
		return err
	})
}
