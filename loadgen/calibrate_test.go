package loadgen

import (
	"context"
	"testing"
)

func TestCalibrate(t *testing.T) {
	c, err := Calibrate(context.Background(), 200)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", c)
	if c.Sent != 300 || c.Rate != 300 {
		t.Errorf("sent %d at %g/s, want 300 at 300/s", c.Sent, c.Rate)
	}
	if c.Failed != 0 {
		t.Errorf("%d failed, want 0", c.Failed)
	}
	if c.LateP99 <= 0 || c.LateP50 > c.LateP99 || c.CPU <= 0 || c.SafeRate <= 0 {
		t.Errorf("%+v: want lateness, CPU time and a safe rate", c)
	}
}
