package chaos

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// filtered returns the comment of a rule of ours on an address, or "".
func filtered(addr string) string {
	tables, err := new(nftables.Conn).ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return ""
	}
	for _, t := range tables {
		if !isMark(t.Name) {
			continue
		}
		rules, _ := rulesOf(t.Name)
		for _, r := range rules {
			if text, ok := userdata.GetString(r.UserData, userdata.TypeComment); ok && strings.HasSuffix(text, " at "+addr) {
				return text
			}
		}
	}
	return ""
}

// As many packets are lost as is asked for, of those to and from the address and of no others, and connections live on all the same.
func TestLossIsMeasured(t *testing.T) {
	if err := lossWorks(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	p, addr := serve(t, false)
	_, other := serve(t, false)
	v := Victim{ID: assay.WholeTarget, Process: p, Addr: addr, Named: true}
	d := &Local{Platform: &Server{Listen: addr}}
	a, err := d.Plan(t.Context(), &Step{Fault: "loss", Instances: 1, For: time.Second, Probability: 0.3}, v)
	if err != nil {
		t.Fatal(err)
	}
	u := a.Undo
	defer u.Do(context.Background())
	if err := a.Apply(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	// Connects that are given up at once: one packet each, and so independent of one another. On a busy machine some end before their packet.
	f := filter{mark: u.Mark}
	var got sieved
	for deadline := time.Now().Add(pacetest.Patience); got.seen < 300 && err == nil && time.Now().Before(deadline); got, err = f.count() {
		dial := net.Dialer{Timeout: time.Millisecond}
		if c, err := dial.Dial("tcp", addr); err == nil {
			c.Close()
		}
		if c, err := dial.Dial("tcp", other); err == nil {
			c.Close()
		}
	}
	if share := float64(got.dropped) / float64(max(got.seen, 1)); err != nil || got.seen < 300 || share < 0.2 || share > 0.4 {
		t.Errorf("%+v, %v; want 30%% of 300 or more", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), pacetest.Patience)
	defer cancel()
	for range 20 { // a packet that is lost costs a second at least
		if s := d.probe(ctx, other); s.end != endAnswer || s.first > pacetest.Most(200*time.Millisecond) {
			t.Errorf("another server: %s after %v", s.end, s.first)
		}
	}
	if effect, err := a.Effect(t.Context()); err != nil || !strings.Contains(effect, "want 30%)") {
		t.Errorf("effect %q, %v", effect, err)
	}
	if filtered(addr) != "assay: lose 30% at "+addr {
		t.Errorf("its comment is %q", filtered(addr))
	}
	for range 2 { // any number of times
		if err := u.Do(t.Context()); err != nil {
			t.Error(err)
		}
		if err := u.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.count(); err == nil {
		t.Error("rules that were removed are counted")
	}
	if why := a.Ended(); why != "the rules were removed by someone else" {
		t.Errorf("ended: %q", why)
	}
}

// The rule of version 6 is one that the kernel takes, and that of all addresses too.
func TestLossOfOtherAddresses(t *testing.T) {
	if err := lossWorks(); err != nil {
		t.Skip(err)
	}
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	defer ln.Close()
	at := netip.MustParseAddrPort(ln.Addr().String())
	for _, at := range []netip.AddrPort{at, netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port())} {
		f := filter{mark: newMark(), at: at, loss: 1}
		if err := f.add(func() {}); err != nil {
			t.Fatal(err)
		}
		if c, err := net.DialTimeout("tcp", ln.Addr().String(), 50*time.Millisecond); err == nil {
			c.Close()
			t.Errorf("%v: a connect succeeded", at)
		}
		if got, err := f.count(); err != nil || got.dropped == 0 || got.seen != got.dropped {
			t.Errorf("%v: %+v, %v", at, got, err)
		}
		if err := dropTable(f.mark); err != nil {
			t.Fatal(err)
		}
	}
}
