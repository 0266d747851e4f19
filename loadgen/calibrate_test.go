package loadgen

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
)

func TestCalibrate(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, w := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- ServeNoop(ctx, w) }()
	url, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c, err := Calibrate(ctx, strings.TrimSpace(url), 200)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", c)
	if n := len(c.Steps); n != 1 || c.Steps[0].Rate != 200 || c.Steps[0].Sent != 140 || c.Steps[0].Failed != 0 {
		t.Errorf("%+v, want one step at 200/s, all answered", c.Steps)
	}
	if cpuTime() > 0 && (c.PerRequest <= 0 || c.PerEvent <= 0 || c.PerEvent > c.PerRequest*10) {
		t.Errorf("%v a request and %v an event", c.PerRequest, c.PerEvent)
	}
	if (c.SafeRate == 200) != (c.Beyond == "") {
		t.Errorf("safe to %g/s, beyond it %q", c.SafeRate, c.Beyond)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	for _, most := range []float64{-1} {
		if _, err := Calibrate(context.Background(), strings.TrimSpace(url), most); err == nil {
			t.Errorf("up to %g/s: no error", most)
		}
	}
	if _, err := Calibrate(ctx, strings.TrimSpace(url), 200); err == nil {
		t.Error("a cancelled calibration gave a result")
	}
}
