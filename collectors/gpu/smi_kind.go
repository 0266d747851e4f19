package gpu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// SMI reads what nvidia-smi said.
var SMI = input.Kind{
	Name: "nvidia-smi", Things: "cells", Proven: collectors.Recorded,
	By:   "captures of an H100 (driver 590.48) and an L40S (595.80), idle and under load, against the exposition of nvidia_gpu_exporter beside them; MIG by documents",
	Help: "Answers of nvidia-smi --query-gpu or --query-compute-apps --format=csv, with or without units, one after the other; captures of nvidia_gpu_exporter.",
	Options: []input.Option{
		{Name: "fields", Help: "fields of the query, with semicolons between them, for a file without a header (noheader)"},
		{Name: "time", Help: "instant of rows without a timestamp, as in 2026-07-14T08:12:38Z"},
	},
	Is:   isSMI,
	Read: readSMI,
}

// captureMark begins a section of a capture.
const captureMark = "################"

func isSMI(_ string, head []byte) bool {
	if isCapture(head) {
		return true
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	row := strings.Split(string(line), ",")
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	var s smi
	return len(row) > 1 && s.header(row) && slices.ContainsFunc(s.columns, func(c column) bool {
		return c.field == "uuid" || c.field == "pci.bus_id" || strings.HasPrefix(c.field, "utilization.") || strings.HasPrefix(c.field, "clocks_event_reasons")
	})
}

func isCapture(head []byte) bool {
	return bytes.HasPrefix(head, []byte(captureMark)) && bytes.Contains(head, []byte("GPU capture"))
}

func readSMI(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	s := &smi{zone: in.Zone, none: func() { in.NoZone(1) }, keep: in.Tally.Keep, reject: in.Tally.Reject, emit: emit}
	if text := in.Option("time"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return fmt.Errorf("%s: time %q: want an instant such as 2026-07-14T08:12:38Z", in.Path, text)
		}
		s.at = t.UnixNano
	}
	if text := in.Option("fields"); text != "" {
		if fields := strings.Split(text, ";"); !s.header(fields) {
			return fmt.Errorf("%s: fields %q: want those of the query, such as timestamp;uuid;utilization.gpu", in.Path, text)
		}
	}
	head, err := in.Peek()
	if err != nil {
		return err
	}
	if isCapture(head) {
		return readCapture(in, s)
	}
	if err := s.read(in, in.Row); err != nil {
		return fmt.Errorf("read %s: %w", in.Path, err)
	}
	return nil
}

// readCapture reads the answers to queries out of a capture, in which they are sections among others.
func readCapture(in *input.Input, s *smi) error {
	lines := &input.Lines{File: in.File}
	var section bytes.Buffer
	var others int64
	reading, began := false, false // the section is an answer to a query; its title was read
	end := func() error {
		if section.Len() == 0 {
			return nil
		}
		err := s.read(&section, func() {})
		section.Reset()
		s.columns = nil
		return err
	}
	for {
		in.Row()
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(line, []byte(captureMark)):
			began = !began
			if began {
				if err := end(); err != nil {
					return fmt.Errorf("%s:%d: %w", in.Path, lines.N, err)
				}
				reading = false
			}
		case began:
			reading = reading || bytes.Contains(line, []byte("--query-gpu=")) || bytes.Contains(line, []byte("--query-compute-apps="))
		case reading && section.Len() > input.MaxRow:
			return fmt.Errorf("%s:%d: a section of more than %d MiB", in.Path, lines.N, input.MaxRow>>20)
		case reading:
			section.Write(line)
			section.WriteByte('\n')
		default:
			others++
			if version, ok := bytes.CutPrefix(line, []byte("CUDA Version")); ok && s.cuda == "" {
				s.cuda = strings.TrimLeft(string(version), " :")
			}
		}
	}
	if err := end(); err != nil {
		return fmt.Errorf("%s:%d: %w", in.Path, lines.N, err)
	}
	if others > 0 {
		in.Tally.Note("%d lines of other sections (help, tables, lists) were passed over", others)
	}
	return nil
}
