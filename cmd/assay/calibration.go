package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/loadgen"
)

// noopCommand is the hidden command that serves a calibration.
const noopCommand = "x-noop"

// calibrationFile names the file that keeps the calibration of this machine: it goes with the host, its processors and kernel, and with the version
// of assay, since a change of any of them changes what can be sent.
func calibrationFile() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache of this user: %w", err)
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	key := strings.Join([]string{name, processor(), fmt.Sprint(runtime.NumCPU(), runtime.GOMAXPROCS(0)), runtime.GOOS, runtime.GOARCH, kernel(), runtime.Version(), version()}, "\n")
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(dir, "assay", "calibration-"+hex.EncodeToString(sum[:8])+".json"), nil
}

// processor names the model of the processor where the system tells it as a file.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// calibrated returns the calibration of this machine; nil where there is none.
func calibrated() *assay.Calibration {
	file, err := calibrationFile()
	if err != nil {
		return nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var c assay.Calibration
	if json.Unmarshal(b, &c) != nil || c.Date == "" {
		return nil // a torn file is no calibration
	}
	return &c
}

// keep saves the calibration and returns where.
func keep(c *assay.Calibration) (string, error) {
	file, err := calibrationFile()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", fmt.Errorf("make the cache: %w", err)
	}
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return "", fmt.Errorf("encode the calibration: %w", err)
	}
	t, err := os.CreateTemp(filepath.Dir(file), ".calibration-*")
	if err != nil {
		return "", fmt.Errorf("keep the calibration: %w", err)
	}
	defer os.Remove(t.Name())
	_, err = t.Write(append(b, '\n'))
	if err := errors.Join(err, t.Close()); err != nil {
		return "", fmt.Errorf("keep the calibration: %w", err)
	}
	if err := os.Rename(t.Name(), file); err != nil {
		return "", fmt.Errorf("keep the calibration: %w", err)
	}
	return file, nil
}

// measureMachine calibrates against a server in a process of its own, so that the CPU time measured is the client's alone.
func measureMachine(ctx context.Context, most float64) (loadgen.Calibration, error) {
	exe, err := os.Executable()
	if err != nil {
		return loadgen.Calibration{}, fmt.Errorf("find our own binary: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, exe, noopCommand)
	cmd.WaitDelay = 2 * time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	stdin, err := cmd.StdinPipe() // the server ends when it closes, however we end
	if err != nil {
		cancel()
		return loadgen.Calibration{}, fmt.Errorf("start the server: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return loadgen.Calibration{}, fmt.Errorf("start the server: %w", err)
	}
	defer func() {
		stdin.Close()
		cancel()
		_ = cmd.Wait() // it ends by our signal
	}()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return loadgen.Calibration{}, fmt.Errorf("hear from the server: %w", err)
	}
	return loadgen.Calibrate(ctx, strings.TrimSpace(url), most)
}

// calibrationDoubts says what the calibration, if there is one, has against the load of a plan.
func (o *loadOutlook) calibrationDoubts(c *assay.Calibration) []string {
	if c == nil {
		return nil
	}
	var out []string
	for i := range o.Phases {
		if p := &o.Phases[i]; c.SafeRate > 0 && p.Peak > c.SafeRate {
			out = append(out, fmt.Sprintf("phase %s reaches %.0f/s; this machine was on time up to %.0f/s (calibrated %s)", p.Name, p.Peak, c.SafeRate, c.Date))
		}
	}
	return out
}
