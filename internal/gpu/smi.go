package gpu

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// smiLimit bounds one call of nvidia-smi, which takes seconds where the driver is not kept loaded.
const smiLimit = 20 * time.Second

// A GPU is one card as nvidia-smi tells it. What a card does not tell is NaN.
type GPU struct {
	Index    int
	UUID     string
	Name     string
	Bus      string  // PCI address, such as 00000000:3B:00.0
	Power    float64 // limit in W
	PowerMin float64 // least and most that the limit can be
	PowerMax float64
	Clock    float64 // of the cores now, in MHz
	ClockMax float64
	Used     int64 // memory in use, in bytes; -1 where it is not told
	Total    int64
}

var fields = []string{"index", "uuid", "name", "pci.bus_id", "power.limit", "power.min_limit", "power.max_limit", "clocks.current.sm", "clocks.max.sm", "memory.used", "memory.total"}

// List returns the GPUs of this machine, or why there are none.
func List(ctx context.Context) ([]GPU, error) {
	out, err := smi(ctx, "--query-gpu="+strings.Join(fields, ","), "--format=csv,noheader,nounits")
	if err != nil {
		return nil, err
	}
	list, err := parse(out)
	if err == nil && len(list) == 0 {
		err = errors.New("nvidia-smi lists no GPU")
	}
	return list, err
}

// At returns the GPU with the index.
func At(ctx context.Context, index int) (GPU, error) {
	list, err := List(ctx)
	if err != nil {
		return GPU{}, err
	}
	for _, g := range list {
		if g.Index == index {
			return g, nil
		}
	}
	return GPU{}, fmt.Errorf("there is no GPU %d; nvidia-smi lists %d", index, len(list))
}

// Of returns the GPU with the UUID.
func Of(ctx context.Context, uuid string) (GPU, error) {
	list, err := List(ctx)
	if err != nil {
		return GPU{}, err
	}
	for _, g := range list {
		if g.UUID == uuid {
			return g, nil
		}
	}
	return GPU{}, fmt.Errorf("there is no GPU %s any more", uuid)
}

// parse reads the answer to a query of fields.
func parse(out string) (list []GPU, err error) {
	rows, err := read(out)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if len(r) != len(fields) {
			return nil, fmt.Errorf("read nvidia-smi: %d columns, want %d: %q", len(r), len(fields), r)
		}
		index, err := strconv.Atoi(r[0])
		if err != nil {
			return nil, fmt.Errorf("read nvidia-smi: index %q is no number", r[0])
		}
		if !IsUUID(r[1]) {
			return nil, fmt.Errorf("read nvidia-smi: %q is no UUID of a GPU", r[1])
		}
		list = append(list, GPU{Index: index, UUID: r[1], Name: r[2], Bus: r[3], Power: number(r[4]), PowerMin: number(r[5]), PowerMax: number(r[6]),
			Clock: number(r[7]), ClockMax: number(r[8]), Used: mebibytes(r[9]), Total: mebibytes(r[10])})
	}
	return list, nil
}

// Apps returns the bytes of a GPU's memory that each process holds.
func Apps(ctx context.Context, uuid string) (map[int]int64, error) {
	out, err := smi(ctx, "--query-compute-apps=gpu_uuid,pid,used_gpu_memory", "--format=csv,noheader,nounits")
	if err != nil {
		return nil, err
	}
	return parseApps(out, uuid)
}

func parseApps(out, uuid string) (map[int]int64, error) {
	rows, err := read(out)
	if err != nil {
		return nil, err
	}
	held := map[int]int64{}
	for _, r := range rows {
		if len(r) != 3 || r[0] != uuid {
			continue
		}
		pid, err := strconv.Atoi(r[1])
		if n := mebibytes(r[2]); err == nil && n >= 0 {
			held[pid] += n
		}
	}
	return held, nil
}

// Power sets the power limit of a GPU.
func Power(ctx context.Context, uuid string, watts float64) error {
	return change(ctx, uuid, "--power-limit="+strconv.FormatFloat(watts, 'f', -1, 64))
}

// Lock keeps the clock of a GPU's cores at so many MHz; 0 takes the lock away.
func Lock(ctx context.Context, uuid string, mhz int) error {
	if mhz == 0 {
		return change(ctx, uuid, "--reset-gpu-clocks")
	}
	return change(ctx, uuid, fmt.Sprintf("--lock-gpu-clocks=%d,%[1]d", mhz))
}

func change(ctx context.Context, uuid, what string) error {
	if !IsUUID(uuid) {
		return fmt.Errorf("nvidia-smi: %q is no UUID of a GPU", uuid)
	}
	_, err := smi(ctx, "--id="+uuid, what)
	return err
}

// IsUUID reports whether a word is the name of a GPU that holds for good.
func IsUUID(s string) bool {
	rest, ok := strings.CutPrefix(s, "GPU-")
	return ok && rest != "" && strings.Trim(rest, "0123456789abcdefABCDEF-") == ""
}

// smi runs nvidia-smi and returns what it says.
func smi(ctx context.Context, args ...string) (string, error) {
	path, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return "", errors.New("nvidia-smi, which comes with the driver of NVIDIA GPUs, is not on PATH")
	}
	ctx, cancel := context.WithTimeout(ctx, smiLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	said := strings.TrimSpace(string(out))
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		said = strings.TrimSpace(said + " " + string(exit.Stderr))
	}
	if said != "" {
		return "", fmt.Errorf("nvidia-smi %s: %w: %.300s", strings.Join(args, " "), err, said)
	}
	return "", fmt.Errorf("nvidia-smi %s: %w", strings.Join(args, " "), err)
}

// read reads CSV as nvidia-smi writes it.
func read(out string) ([][]string, error) {
	r := csv.NewReader(strings.NewReader(out))
	r.TrimLeadingSpace, r.FieldsPerRecord, r.LazyQuotes = true, -1, true
	var rows [][]string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read nvidia-smi: %w", err)
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		rows = append(rows, row)
	}
}

// number reads a cell, which may say [N/A], [Not Supported] and the like.
func number(cell string) float64 {
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil || math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

func mebibytes(cell string) int64 {
	v := number(cell)
	if !(v >= 0 && v < 1<<40) {
		return -1
	}
	return int64(v * (1 << 20))
}
