package chaos

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// lossWorks reports why packets cannot be dropped here.
func lossWorks() error {
	if _, err := new(nftables.Conn).ListTablesOfFamily(nftables.TableFamilyINet); err != nil {
		return fmt.Errorf("the right to change this machine's packet filter is needed (root, nf_tables): %w", err)
	}
	return nil
}

// add puts the rules in force, all at once, calling stamp right before.
func (f *filter) add(stamp func()) error {
	c := new(nftables.Conn)
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: f.mark})
	// What passes from one process of this machine to another goes out and comes in: the way to the server is looked at where it comes in, that
	// from it where it goes out, so that each packet is looked at once.
	for _, way := range []struct {
		name string
		hook *nftables.ChainHook
		to   bool
	}{{"to", nftables.ChainHookInput, true}, {"from", nftables.ChainHookOutput, false}} {
		chain := c.AddChain(&nftables.Chain{Name: way.name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: way.hook, Priority: nftables.ChainPriorityFilter})
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: f.match(way.to),
			UserData: userdata.AppendString(nil, userdata.TypeComment, fmt.Sprintf("assay: lose %g%% at %v", 100*f.loss, f.at))})
	}
	stamp()
	if err := c.Flush(); err != nil {
		return fmt.Errorf("add rules to the packet filter: %w", err)
	}
	return nil
}

// match is the rule for one direction: it counts what it sees, and what it drops.
func (f *filter) match(to bool) []expr.Any {
	equal := func(b []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: b} }
	var out []expr.Any
	if ip := f.at.Addr(); !ip.IsUnspecified() {
		family, offset := byte(unix.NFPROTO_IPV4), uint32(12) // of the source
		if ip.Is6() {
			family, offset = unix.NFPROTO_IPV6, 8
		}
		if to {
			offset += uint32(len(ip.AsSlice()))
		}
		out = append(out, &expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, equal([]byte{family}),
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(len(ip.AsSlice()))}, equal(ip.AsSlice()))
	}
	port := uint32(0) // of the source
	if to {
		port = 2
	}
	const parts = 100_000
	return append(out, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal([]byte{unix.IPPROTO_TCP}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: port, Len: 2}, equal(binaryutil.BigEndian.PutUint16(f.at.Port())),
		&expr.Counter{},
		&expr.Numgen{Register: 1, Type: unix.NFT_NG_RANDOM, Modulus: parts},
		&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: binaryutil.BigEndian.PutUint32(uint32(f.loss * parts))},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictDrop})
}

// count returns what the rules have seen and dropped, or an error if they are gone.
func (f *filter) count() (s sieved, err error) {
	rules, err := rulesOf(f.mark)
	if err != nil {
		return s, err
	}
	if len(rules) < 2 {
		return s, errors.New("the rules were removed by someone else")
	}
	for _, r := range rules {
		var counts []uint64
		for _, e := range r.Exprs {
			if c, ok := e.(*expr.Counter); ok {
				counts = append(counts, c.Packets)
			}
		}
		if len(counts) == 2 {
			s.seen += counts[0]
			s.dropped += counts[1]
		}
	}
	return s, nil
}

// rulesOf returns the rules of a table of ours.
func rulesOf(mark string) (rules []*nftables.Rule, err error) {
	c := new(nftables.Conn)
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: mark}
	for _, name := range []string{"to", "from"} {
		list, err := c.GetRules(table, &nftables.Chain{Name: name, Table: table})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("look at the packet filter: %w", err)
		}
		rules = append(rules, list...)
	}
	return rules, nil
}

// hasTable reports whether a table of ours is there.
func hasTable(mark string) (bool, error) {
	tables, err := new(nftables.Conn).ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return false, fmt.Errorf("look at the packet filter: %w", err)
	}
	return slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == mark }), nil
}

// dropTable removes a table of ours, with its rules.
func dropTable(mark string) error {
	on, err := hasTable(mark)
	if err != nil || !on {
		return err
	}
	c := new(nftables.Conn)
	c.DelTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: mark})
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove the table inet %s: %w", mark, err)
	}
	return nil
}
