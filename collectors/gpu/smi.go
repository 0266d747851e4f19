package gpu

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// A smi makes scrapes of the answers of nvidia-smi to its queries. Headers may stand again and again, as in files that grew by appending, and
// answers to --query-gpu and --query-compute-apps may follow one another.
type smi struct {
	zone *time.Location
	none func()       // told of each stamp without a zone; nil: it is ours
	at   func() int64 // stamp of rows without one; nil: they are rejected
	cuda string       // CUDA version, where something tells it

	keep   func(n int64)
	reject func(why string, n int64)
	emit   func(assay.Record) error

	columns []column
	apps    bool // the columns are those of processes
	out     assay.Scrape
	procs   processes
}

// processes are rows of --query-compute-apps of one instant.
type processes struct {
	at   int64
	rows []process
	seen map[string]bool // cards that had a process before
}

type process struct {
	uuid, pid, name string
	bytes           float64 // -1: not told
}

// setColumns takes a header. It reports whether the row is one.
func (s *smi) header(row []string) bool {
	known := 0
	for _, cell := range row {
		field, _, _ := strings.Cut(cell, " [")
		if field == "" || strings.ContainsAny(field, " /:") {
			return false
		}
		switch cmp.Or(aliases[field], field) {
		case "timestamp", "uuid", "index", "name", "pci.bus_id", "pid", "pstate", "count", "serial", "driver_version":
			known++
		}
		if strings.Contains(field, ".") && field[0] >= 'a' && field[0] <= 'z' {
			known++
		}
	}
	if known == 0 || known*2 < len(row) {
		return false
	}
	s.columns = s.columns[:0]
	s.apps = false
	for _, cell := range row {
		c := columnOf(cell)
		s.apps = s.apps || c.field == "pid"
		s.columns = append(s.columns, c)
	}
	return true
}

// get returns the cell of a field.
func (s *smi) get(row []string, field string) string {
	i := slices.IndexFunc(s.columns, func(c column) bool { return c.field == field })
	if i < 0 || i >= len(row) {
		return ""
	}
	return row[i]
}

// stamp returns the time of a row in Unix ns, or why there is none.
func (s *smi) stamp(row []string) (int64, string) {
	text := s.get(row, "timestamp")
	if text == "" {
		if s.at == nil {
			return 0, "no timestamp in the query"
		}
		return s.at(), ""
	}
	t, err := time.ParseInLocation("2006/01/02 15:04:05.999", text, s.zone)
	if err != nil {
		return 0, "timestamp is no YYYY/MM/DD hh:mm:ss.mmm"
	}
	if s.none != nil {
		s.none()
	}
	return t.UnixNano(), ""
}

// row takes one row.
func (s *smi) row(row []string) error {
	n := int64(len(row))
	if len(row) > maxColumns {
		return fmt.Errorf("a row of %d columns, more than %d", len(row), maxColumns)
	}
	if s.header(row) {
		return s.flush()
	}
	switch {
	case s.columns == nil:
		s.reject("before the header", n)
		return nil
	case len(row) == 1 && len(s.columns) > 1:
		s.reject("a message in place of a row", n)
		return nil
	case len(row) != len(s.columns):
		s.reject("in a row of another length than its header", n)
		return nil
	}
	at, why := s.stamp(row)
	if why != "" {
		s.reject(why, n)
		return nil
	}
	if s.apps {
		return s.process(row, at)
	}
	if err := s.flush(); err != nil {
		return err
	}
	return s.card(row, at)
}

// card emits what a row says of a card.
func (s *smi) card(row []string, at int64) error {
	get := func(field string) string { return s.get(row, field) }
	labels := labelsOf(get)
	if labels == nil {
		s.reject("in a row that names no card: query uuid, pci.bus_id or index", int64(len(row)))
		return nil
	}
	s.out = assay.Scrape{Target: "nvidia-smi " + labels[0].Value, Time: at, Samples: s.out.Samples[:0]}
	add := func(name string, labels []assay.Label, v float64) {
		s.out.Samples = append(s.out.Samples, assay.Sample{Name: name, Labels: labels, Time: at, Value: v})
	}
	for i := range s.columns {
		c := &s.columns[i]
		cell := row[i]
		if len(cell) > maxCell {
			s.reject(fmt.Sprintf("a cell of more than %d bytes", maxCell), 1)
			continue
		}
		if c.field == "timestamp" {
			s.keep(1)
			continue
		}
		v, why := c.value(cell)
		if why == "" {
			add(c.name, labels, v)
		}
		if why == "" || why == whyText && told[c.field] != "" {
			s.keep(1)
		} else {
			s.reject(why, 1)
		}
	}
	if info := s.info(get); info != nil {
		add("nvidia_smi_gpu_info", info, 1)
	}
	slices.SortFunc(s.out.Samples, func(a, b assay.Sample) int { return strings.Compare(a.Name, b.Name) })
	s.out.Samples = slices.CompactFunc(s.out.Samples, func(a, b assay.Sample) bool { return a.Name == b.Name }) // a field asked for twice
	return s.emit(&s.out)
}

// info returns the labels that say which card it is.
func (s *smi) info(get func(string) string) []assay.Label {
	if get("name") == "" && get("driver_version") == "" {
		return nil
	}
	var out []assay.Label
	for _, field := range infoOrder {
		v := get(field)
		if field == "uuid" {
			v = shortUUID(v)
		}
		if v != "" {
			out = append(out, assay.Label{Name: told[field], Value: v})
		}
		if field == "compute_cap" && s.cuda != "" {
			out = append(out, assay.Label{Name: "cuda_version", Value: s.cuda})
		}
	}
	return out
}

// process takes a row of a process. They are told together, once all of their instant were seen.
func (s *smi) process(row []string, at int64) error {
	uuid, pid := s.get(row, "uuid"), s.get(row, "pid")
	n := int64(len(row))
	if uuid == "" || pid == "" || strings.HasPrefix(pid, "[") {
		s.reject("in a row without gpu_uuid and pid", n)
		return nil
	}
	if at != s.procs.at {
		if err := s.flush(); err != nil {
			return err
		}
		s.procs.at = at
	}
	if len(s.procs.rows) == maxColumns {
		s.reject(fmt.Sprintf("more than %d processes at once", maxColumns), n)
		return nil
	}
	p := process{uuid: shortUUID(uuid), pid: pid, name: s.get(row, "process_name"), bytes: -1}
	for i := range s.columns {
		switch c := &s.columns[i]; c.field {
		case "used_gpu_memory", "used_memory":
			v, why := c.value(row[i])
			if why != "" {
				s.reject(why, 1)
				n--
				continue
			}
			p.bytes = v
		}
	}
	s.keep(n)
	s.procs.rows = append(s.procs.rows, p)
	return nil
}

// flush emits the processes that were gathered.
func (s *smi) flush() error {
	if len(s.procs.rows) == 0 {
		return nil
	}
	at := s.procs.at
	out := assay.Scrape{Target: processesTarget, Time: at}
	count := map[string]int{}
	for _, p := range s.procs.rows {
		labels := []assay.Label{{Name: "pid", Value: p.pid}, {Name: "process_name", Value: p.name}, {Name: "uuid", Value: p.uuid}}
		if p.name == "" {
			labels = slices.Delete(labels, 1, 2)
		}
		out.Samples = append(out.Samples, assay.Sample{Name: "nvidia_smi_compute_app_info", Labels: labels, Time: at, Value: 1})
		if p.bytes >= 0 {
			out.Samples = append(out.Samples, assay.Sample{Name: "nvidia_smi_compute_app_used_memory_bytes", Labels: labels, Time: at, Value: p.bytes})
		}
		count[p.uuid]++
	}
	if s.procs.seen == nil {
		s.procs.seen = map[string]bool{}
	}
	for uuid := range count {
		s.procs.seen[uuid] = true
	}
	for uuid := range s.procs.seen {
		out.Samples = append(out.Samples, assay.Sample{Name: "nvidia_smi_compute_apps", Labels: []assay.Label{{Name: "uuid", Value: uuid}}, Time: at, Value: float64(count[uuid])})
	}
	slices.SortStableFunc(out.Samples, func(a, b assay.Sample) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), slices.CompareFunc(a.Labels, b.Labels, func(a, b assay.Label) int { return strings.Compare(a.Value, b.Value) }))
	})
	s.procs.rows = s.procs.rows[:0]
	return s.emit(&out)
}

// read takes CSV from end to end. before is called before each row, which bounds how far the reader may go for it.
func (s *smi) read(in io.Reader, before func()) error {
	r := csv.NewReader(in)
	r.TrimLeadingSpace, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = true, -1, true, true
	for {
		before()
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return s.flush()
		}
		if err != nil {
			return err
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		if err := s.row(row); err != nil {
			return err
		}
	}
}

// processesTarget is what processes are told under.
const processesTarget = "nvidia-smi processes"
