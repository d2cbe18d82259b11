// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPlanHoldsItsRate(t *testing.T) {
	plan := pace{time.Unix(0, 0), 500}
	for _, i := range []int{0, 1, 500, 100000} {
		want := time.Duration(i) * 2 * time.Millisecond
		got := plan.due(i).Sub(plan.began)
		if diff := got - want; diff < -time.Microsecond ||
			diff > time.Microsecond {
			t.Errorf("due(%d) = %v, want %v", i, got, want)
		}
	}
}

// A request that stalls takes one worker, not the rate.
func TestStallDoesNotDelayTheOthers(t *testing.T) {
	var calls atomic.Int64
	out, err := run(200, 100, 4, nil, func(i int) error {
		if i == 10 {
			time.Sleep(300 * time.Millisecond)
		}
		calls.Add(1)
		return nil
	})
	if err != nil || out.Done != 100 || calls.Load() != 100 {
		t.Fatalf("%+v, %v", out, err)
	}
	// The last one is due after 495 ms.
	if out.Seconds < 0.49 || out.Seconds > 0.9 {
		t.Errorf("took %.3f s", out.Seconds)
	}
}

func TestErrorsAreCountedAndTheFirstTold(t *testing.T) {
	bad := errors.New("bad")
	out, err := run(0, 10, 1, nil, func(i int) error {
		if i >= 7 {
			return bad
		}
		return nil
	})
	if out.Done != 7 || out.Errors != 3 || !errors.Is(err, bad) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestStopEndsAnEndlessLoad(t *testing.T) {
	stop := make(chan struct{})
	time.AfterFunc(50*time.Millisecond, func() { close(stop) })
	out, _ := run(100, endless, 2, stop, func(int) error { return nil })
	if out.Done < 2 || out.Done > 8 {
		t.Errorf("%d in 50 ms at 100/s", out.Done)
	}
}

func TestNothingToDoEnds(t *testing.T) {
	out, err := run(0, 0, 4, nil, func(int) error { return errors.New("x") })
	if out.Done != 0 || out.Errors != 0 || err != nil {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestPayloadMakesTheSizeAskedFor(t *testing.T) {
	for name, k := range kinds {
		o := &options{kind: name, namespace: "default", prefix: "cm",
			bytes: 4000}
		whole := k.whole(o, "cm-00000", filler(k.payloadSize(o)))
		text, _ := json.Marshal(whole)
		// Less what the server adds, more by kind and apiVersion.
		if len(text) < 3800 || len(text) > 4010 {
			t.Errorf("%s: %d bytes", name, len(text))
		}
	}
}

func TestFillerHasItsLengthInJSON(t *testing.T) {
	for _, n := range []int{0, 1, 59, 60, 61, 1000, 1201} {
		text, _ := json.Marshal(filler(n))
		if len(text)-2 != n {
			t.Errorf("filler(%d) has %d bytes", n, len(text)-2)
		}
	}
}

func TestChangeReachesThePayload(t *testing.T) {
	text, _ := json.Marshal(kinds["pods"].change("x"))
	if string(text) != `{"metadata":{"annotations":{"payload":"x"}}}` {
		t.Errorf("%s", text)
	}
	text, _ = json.Marshal(kinds["secrets"].change("x"))
	if !strings.Contains(string(text), `"eA=="`) {
		t.Errorf("%s", text)
	}
}
