package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// told reads a file as a kind and returns its records in words, with times in ms from the first, and what became of its lines.
func told(t *testing.T, k *input.Kind, path string, options map[string]string) ([]string, input.Summary, *input.Set) {
	t.Helper()
	var out []string
	var s *input.Set
	ms := func(ns int64) string { return fmt.Sprintf("%g", float64((ns-1e6)/1e4)/100) }
	sum, err := inputtest.Read(t, input.Spec{Kind: k, Path: path, Options: options}, input.Settings{}, func(set *input.Set, r assay.Record) {
		s = set
		switch r := r.(type) {
		case *assay.Request:
			took := "?"
			if r.End != 0 {
				took = ms(r.End - r.Due + 1e6)
			}
			line := fmt.Sprintf("%s+%s %v %v %s", ms(r.Due), took, r.Outcome, r.Cold, r.Instance)
			if r.FirstByte != 0 {
				line += " first " + ms(r.FirstByte-r.Due+1e6)
			}
			if r.TokensOut > 0 {
				line += fmt.Sprintf(" %d→%d", r.TokensIn, r.TokensOut)
			}
			if r.Error != "" {
				line += ": " + r.Error
			}
			out = append(out, line)
		case *assay.Event:
			if r.Kind == assay.EventWarning || strings.HasPrefix(r.Kind, "phase.") || r.Kind == assay.EventLoadEnd {
				return
			}
			line := fmt.Sprintf("%s±%v %s %s", ms(r.Time), time.Duration(r.Resolution), strings.TrimPrefix(r.Kind, "instance."), r.Instance)
			for _, k := range []string{"reason", "signal", "phase"} {
				if v := r.Attrs[k]; v != "" {
					line += " " + v
				}
			}
			if v := r.Attrs["start_ns"]; v != "" {
				var begin int64
				fmt.Sscan(v, &begin)
				line += " for " + ms(r.Time-(begin-s.Epoch)+1e6)
			}
			out = append(out, line)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, sum, s
}

func put(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOllamaLog(t *testing.T) {
	want := []string{
		"0±1ms created ollama-serve:35519", "256±250ms phase ollama-serve:35519 weights_load for 250", "256±250ms ready ollama-serve:35519",
		"12609±1ms created ollama-serve:38479", "12609±12.353s exited ollama-serve:35519 scale_in", "12862±250ms phase ollama-serve:38479 weights_load for 250", "12862±250ms ready ollama-serve:38479",
		"15235±1ms created ollama-serve:35031", "15235±2.373s exited ollama-serve:38479 scale_in", "15488±250ms phase ollama-serve:35031 weights_load for 250", "15488±250ms ready ollama-serve:35031",
		"16685±1ms created ollama-serve:44745", "16685±1.197s exited ollama-serve:35031 scale_in", "16938±250ms phase ollama-serve:44745 weights_load for 250", "16938±250ms ready ollama-serve:44745",
		"17996±1ms exited ollama-serve:44745 crash killed",
		"17998±1ms created ollama-serve:45987", "18251±250ms phase ollama-serve:45987 weights_load for 250", "18251±250ms ready ollama-serve:45987",
	}
	got, sum, _ := told(t, &logsKind, "testdata/ollama-serve.log", nil)
	inputtest.Compare(t, want, got)
	inputtest.Compare(t, []string{"3 runners were gone without a line that says so, since Ollama logs none when it unloads a model: each counts as unloaded while idle, at the next start at the latest"}, sum.Notes)

	const whole = "../../../shared/data/recordings/ollama-0.6.8-serve.log"
	if _, err := os.Stat(whole); err != nil {
		t.Skip("no shared data here")
	}
	all, sum, _ := told(t, &logsKind, whole, map[string]string{"instance": "ollama-serve"})
	inputtest.Compare(t, want, all)
	if sum.Read != 843 || sum.Kept != 22 {
		t.Errorf("%d read, %d kept", sum.Read, sum.Kept)
	}
}

// A runner that Ollama unloaded ends when the log counts fewer, or, in a log without counts, when the next one starts.
func TestOllamaUnloads(t *testing.T) {
	start := func(at, port, count string) string {
		s := "time=2026-11-20T" + at + "Z level=INFO source=server.go:410 msg=\"starting llama server\" cmd=\"/usr/bin/ollama runner --model /m --port " + port + "\"\n"
		if count != "" {
			s += "time=2026-11-20T" + at + "Z level=INFO source=sched.go:452 msg=\"loaded runners\" count=" + count + "\n"
		}
		return s
	}
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"one at a time", start("10:00:00", "1", "1") + start("10:00:10", "2", "1"), []string{"0±1s created s:1", "10000±1s created s:2", "10000±10s exited s:1 scale_in"}},
		{"two at a time", start("10:00:00", "1", "1") + start("10:00:10", "2", "2") + start("10:00:20", "3", "2"),
			[]string{"0±1s created s:1", "10000±1s created s:2", "20000±1s created s:3", "20000±20s exited s:1 scale_in"}},
		{"no counts", start("10:00:00", "1", "") + start("10:00:10", "2", "") + start("10:00:20", "3", ""),
			[]string{"0±1s created s:1", "10000±10s exited s:1 scale_in", "10000±1s created s:2", "20000±10s exited s:2 scale_in", "20000±1s created s:3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, _ := told(t, &logsKind, put(t, "s.log", tt.text), map[string]string{"instance": "s"})
			inputtest.Compare(t, tt.want, got)
		})
	}
}

// Who reads the report is told which year and zone were taken.
func TestZoneAndYearAreTold(t *testing.T) {
	_, sum, _ := told(t, &logsKind, put(t, "v.log", vllm), nil)
	inputtest.Compare(t, []string{"stamps name no year: 2025 was taken for the first, that of the file's last change; year= names another", "8 stamps name no time zone: UTC was taken; zone= names another"}, sum.Notes)
	_, sum, _ = told(t, &logsKind, put(t, "v.log", vllm), map[string]string{"zone": "Europe/Berlin", "year": "2025"})
	inputtest.Compare(t, nil, sum.Notes)
}

// What a store answered is read as it came: newest first, pretty or not, one answer after the other.
func TestSavedAnswers(t *testing.T) {
	loki := `{"status":"success","data":{"resultType":"streams","result":[{"stream":{"pod":"v-0"},"values":[["1769904005000000000","INFO:     Application startup complete."],
		["1769904000000000000","INFO 02-01 00:00:00 [a.py:1] vLLM API server version 0.15.1"],["x","y"]]}]}}`
	search := `{"took":1,"hits":{"total":{"value":2},"hits":[{"_id":"1","_source":{"@timestamp":"2026-02-01T00:00:05Z","message":"INFO:     Application startup complete.","kubernetes":{"pod_name":"v-0"}}},
		{"_id":"2","_source":{"@timestamp":"2026-02-01T00:00:00Z","message":"INFO 02-01 00:00:00 [a.py:1] vLLM API server version 0.15.1","kubernetes":{"pod_name":"v-0"}}}]}}`
	for _, tt := range []struct {
		k          *input.Kind
		text       string
		read, kept int64
	}{{&lokiKind, loki, 3, 2}, {&lokiKind, loki + "\n" + strings.ReplaceAll(loki, "v-0", "v-1"), 6, 4}, {&elasticKind, search, 2, 2}, {&elasticKind, strings.ReplaceAll(search, "\n", ""), 2, 2}} {
		if !tt.k.Is("", []byte(tt.text)) {
			t.Errorf("%s is not known by how it begins: %s", tt.k.Name, tt.text)
		}
		got, sum, _ := told(t, tt.k, put(t, "answer.json", tt.text), nil)
		if len(got) < 2 || !strings.Contains(got[0], "started v-0") || !strings.Contains(got[1], "5000±1") || !strings.Contains(got[1], "ready v-0") || sum.Read != tt.read || sum.Kept != tt.kept {
			t.Errorf("%s: %q, %d of %d", tt.k.Name, got, sum.Kept, sum.Read)
		}
	}
}

const vllm = `INFO 12-31 23:59:50 [__init__.py:216] Automatically detected platform cuda.
(APIServer pid=1) INFO 12-31 23:59:55 [api_server.py:1351] vLLM API server version 0.15.1
(EngineCore_DP0 pid=7) INFO 12-31 23:59:57 [core.py:97] Initializing a V1 LLM engine (v0.15.1) with config: model='m'
(Worker_TP0 pid=9) INFO 12-31 23:59:58 [gpu_model_runner.py:3562] Starting to load model m...
(Worker_TP1 pid=10) INFO 01-01 00:00:20 [default_loader.py:291] Loading weights took 21.90 seconds
(Worker_TP0 pid=9) INFO 01-01 00:00:20 [default_loader.py:291] Loading weights took 22.00 seconds
(EngineCore_DP0 pid=7) INFO 01-01 00:00:30 [monitor.py:34] torch.compile takes 9.85 s in total
(EngineCore_DP0 pid=7) INFO 01-01 00:00:45 [gpu_model_runner.py:4587] Graph capturing finished in 12 secs, took 0.5 GiB
(EngineCore_DP0 pid=7) INFO 01-01 00:00:46 [core.py:214] init engine (profile, create kv cache, warmup model) took 25.5 seconds
(APIServer pid=1) INFO 01-01 00:00:47 [api_server.py:1425] Starting vLLM server on http://0.0.0.0:8000
(APIServer pid=1) INFO:     Application startup complete.
`

var vllmStart = []string{
	"0±1s started p", "25000±1s phase p weights_load for 22000", "35000±1s phase p compile for 9850", "50000±1s phase p graph_capture for 12000",
	"51000±1s phase p kv_allocation for 25500", "52000±1s phase p server_start for 0", "52000±1s ready p",
}

func TestLogForms(t *testing.T) {
	wrap := func(each func(i int, l string) string) string {
		var b strings.Builder
		for i, l := range strings.Split(strings.TrimSuffix(vllm, "\n"), "\n") {
			b.WriteString(each(i, l) + "\n")
		}
		return b.String()
	}
	for _, tt := range []struct {
		name, file, text string
		options          map[string]string
		want             []string
		epoch            string // instant of the first record
	}{
		{"vLLM, plain, over the turn of the year", "p.log", vllm, nil, vllmStart, "2025-12-31T23:59:55Z"},
		{"vLLM, with a year and a zone", "p.log", vllm, map[string]string{"year": "2023", "zone": "Europe/Berlin"}, vllmStart, "2023-12-31T22:59:55Z"},
		{"vLLM in JSON lines with a pod", "all.jsonl", wrap(func(i int, l string) string {
			return fmt.Sprintf(`{"time":"2026-01-01T00:00:%02d.500Z","log":%q,"kubernetes":{"pod_name":"p"}}`, i, l)
		}), nil, []string{"0±1ms started p", "4000±1ms phase p weights_load for 22000", "5000±1ms phase p compile for 9850", "6000±1ms phase p graph_capture for 12000",
			"7000±1ms phase p kv_allocation for 25500", "9000±1ms phase p server_start for 1000", "9000±1ms ready p"}, "2026-01-01T00:00:01.5Z"},
		{"CRI with parts", "p_ns_c-" + strings.Repeat("0", 64) + ".log", "2026-01-01T00:00:00.000000000Z stdout F (APIServer pid=1) INFO 01-01 00:00:00 [a.py:1] vLLM API server version 0.15.1\n" +
			"2026-01-01T00:00:01.5Z stdout P (APIServer pid=1) INFO: Application sta\n2026-01-01T00:00:01.6Z stderr F x\n2026-01-01T00:00:01.75Z stdout F rtup complete.\n2026-01-01T00:00:02Z stdout P torn\n", nil,
			[]string{"0±1ms started p", "1750±1ms ready p"}, "2026-01-01T00:00:00Z"},
		{"Docker json-file with parts", "c-json.log", `{"log":"(APIServer pid=1) INFO: vLLM API server ","stream":"stdout","time":"2026-01-01T00:00:00.1Z"}` + "\n" +
			`{"log":"version 0.15.1\n","stream":"stdout","time":"2026-01-01T00:00:00.250000000Z"}` + "\n" + `{"log":"INFO:     Application startup complete.\n","stream":"stderr","time":"2026-01-01T00:00:01.250000000Z"}` + "\n", nil,
			[]string{"0±1ms started c-json", "1000±1ms ready c-json"}, "2026-01-01T00:00:00.25Z"},
		{"SGLang", "sg.log", `[2026-01-01 00:00:00] server_args=ServerArgs(model_path='m')
[2026-01-01 00:00:01 TP0] Init torch distributed begin.
[2026-01-01 00:00:01 TP1] Init torch distributed begin.
[2026-01-01 00:00:04 TP0] Init torch distributed ends. elapsed=2.75 s, mem usage=1 GB
[2026-01-01 00:00:05 TP0] Load weight begin. avail mem=78.58 GB
[2026-01-01 00:00:25 TP0] Load weight end. type=LlamaForCausalLM, dtype=torch.bfloat16, avail mem=62.9 GB, mem usage=15 GB.
[2026-01-01 00:00:26 TP0] max_total_num_tokens=1000, chunked_prefill_size=8192
[2026-01-01 00:00:40 TP0] Capture cuda graph end. Time elapsed: 13.25 s. mem usage=1.2 GB. avail mem=9 GB.
[2026-01-01 00:00:41] INFO:     Started server process [1]
[2026-01-01 00:00:41] INFO:     Application startup complete.
[2026-01-01 00:00:44] The server is fired up and ready to roll!
[2026-01-01 00:10:00 TP0] Scheduler hit an exception: Traceback (most recent call last): torch.OutOfMemoryError: CUDA out of memory.
`, nil, []string{"0±1s started sg", "4000±1s phase sg runtime_start for 2750", "25000±1s phase sg weights_load for 20000", "40000±1s phase sg graph_capture for 13250",
			"41000±1s phase sg server_start for 0", "41000±1s ready sg", "600000±1s exited sg crash"}, "2026-01-01T00:00:00Z"},
		{"Triton", "triton.log", `I0101 00:00:00.250000 1 model_lifecycle.cc:472] "loading: simple:1"
I0101 00:00:02.750000 1 model_lifecycle.cc:839] "successfully loaded 'simple'"
I0101 00:00:03.000000 1 grpc_server.cc:2558] "Started GRPCInferenceService at 0.0.0.0:8001"
E0101 00:00:04.000000 1 model_lifecycle.cc:654] "failed to load 'other' version 1: Internal: x"
`, nil, []string{"0±1µs phase triton weights_load for 2500", "250±1µs ready triton", "1250±1µs unready triton"}, "2026-01-01T00:00:02.75Z"},
		{"a process that began anew", "p.log", "INFO 01-01 00:00:00 [a.py:1] vLLM API server version 0.15.1\nINFO 01-01 00:00:05 [a.py:1] x\nINFO:     Application startup complete.\n" +
			"INFO 01-01 00:01:00 [a.py:1] vLLM API server version 0.15.1\nERROR 01-01 00:01:05 [core.py:1] CUDA out of memory\nERROR 01-01 00:01:06 [core.py:1] EngineCore failed to start.\n", nil,
			[]string{"0±1s started p", "5000±1s ready p", "60000±1s started p", "66000±1s exited p oom"}, "2026-01-01T00:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, s := told(t, &logsKind, put(t, tt.file, tt.text), tt.options)
			inputtest.Compare(t, tt.want, got)
			if at := time.Unix(0, s.Epoch+1e6).UTC().Format(time.RFC3339Nano); at != tt.epoch {
				t.Errorf("the first at %s, want %s", at, tt.epoch)
			}
		})
	}
}

// Every line of the table is a line that some engine says: none may hide another.
func TestTable(t *testing.T) {
	tb := loadTable()
	if tb.Version < 1 || tb.Date == "" || tb.Source == "" {
		t.Errorf("a table without version, date or source: %+v", tb)
	}
	kinds := map[string]bool{"started": true, "server": true, "alive": true, "phase": true, "begin": true, "end": true, "ready": true, "unready": true, "draining": true, "exited": true, "cause": true, "runner": true, "runners": true}
	for _, p := range tb.all {
		if !kinds[p.Is] || p.engine == "" || (p.Is == "phase" || p.Is == "begin" || p.Is == "end") && p.Phase == "" || p.Is == "exited" && p.Reason == "" || len(p.word) < 6 {
			t.Errorf("line %+v", *p)
		}
	}
	for text, want := range map[string]string{
		"Model loading took 14.99 GiB memory and 38.680632 seconds":                         "vllm phase weights_load 38.680632",
		"model loading took 14.99 GIB AND 8.86 SECONDS":                                     "vllm phase weights_load 8.86",
		"Loading model weights took 14.99 GB":                                               "vllm end weights_load ",
		"Compiling a graph for compile range (1, 2048) takes 6.40 s":                        "vllm phase compile 6.40",
		"Compiling a graph for general shape takes 6.40 s":                                  "vllm phase compile 6.40",
		"Directly load the compiled graph(s) for dynamic shape from the cache, took 3.10 s": "vllm phase compile 3.10",
		"torch.compile took 9.85 s in total":                                                "vllm phase compile 9.85",
		"Memory profiling takes 4.20 seconds":                                               "vllm phase kv_allocation 4.20",
		"Initial profiling/warmup run took 1.5 s":                                           "vllm phase warmup 1.5",
		"init engine (profile, create kv cache, warmup model) took 327.49 s":                "vllm phase kv_allocation 327.49",
		"Dynamo bytecode transform time: 3.45 s":                                            "vllm phase compile 3.45",
		"Load weight end. elapsed=12.34 s, type=LlamaForCausalLM":                           "sglang end weights_load 12.34",
		"Capture piecewise CUDA graph end. Time elapsed: 5.5 s":                             "sglang end graph_capture 5.5",
		`msg="llama runner process no longer running" sys=9 string="signal: killed"`:        "ollama exited  ",
		`msg="starting runner" cmd="/usr/bin/ollama runner --ollama-engine --port 41000"`:   "ollama runner  41000",
		"Engine core proc EngineCore_DP0 died unexpectedly, shutting down client.":          "vllm exited  ",
		"GPU KV cache size: 217,376 tokens":                                                 "",
		"Maximum concurrency for 16,384 tokens per request: 4.62x":                          "",
	} {
		got := ""
		if p, groups := tb.meaning(text); p != nil {
			got = fmt.Sprintf("%s %s %s ", p.engine, p.Is, p.Phase) + strings.Join(groups[1:], "")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestOllamaAnswers(t *testing.T) {
	want := []string{
		"0±250ms created o#1", "263.61±250ms phase o#1 weights_load for 263.61", "263.61±250ms ready o#1",
		"0+1128.56 ok cold o#1 13→16",
		"1128.56+4443.26 ok warm o#1 13→16",
		"5571.83±250ms created o#2", "5827.38±250ms phase o#2 weights_load for 255.54", "5827.38±250ms ready o#2",
		"5571.83+2079.79 ok cold o#2 12→16",
		"7651.63±250ms created o#3", "7906.95±250ms phase o#3 weights_load for 255.32", "7906.95±250ms ready o#3",
		"7651.63+1437.97 ok cold o#3 11→4",
	}
	got, _, _ := told(t, &ollamaKind, "testdata/ollama-0.6.8-responses.jsonl", map[string]string{"instance": "o"})
	inputtest.Compare(t, want, got)

	stamped := `{"model":"m","created_at":"2026-01-01T00:00:02Z","done":true,"total_duration":500000000,"load_duration":1000000,"eval_count":3}
{"model":"m","created_at":"2026-01-01T00:00:03Z","done":true,"done_reason":"unload"}
{"model":"m","created_at":"2026-01-01T00:00:03Z","done":false,"response":"x"}
{"http":200,"total_s":0.25,"created_at":"2026-01-01T00:00:05Z","body":{"error":"llama runner process has terminated: my prompt"}}
{"http":503,"total_s":0.25,"created_at":"2026-01-01T00:00:06Z","body":{"error":"server busy, please try again"}}
nonsense
`
	got, sum, _ := told(t, &ollamaKind, put(t, "o.jsonl", stamped), nil)
	inputtest.Compare(t, []string{"0+500 ok warm  0→3", "3250+250 server_error unknown : an error in the answer", "4250+250 throttled unknown "}, got)
	if diff := cmp.Diff(map[string]int64{"unloads a model and asks nothing": 1, "a part of an answer": 1, "no answer of Ollama": 1}, sum.Rejected); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}

	// Who asks with keep_alive 0 has the model unloaded: that it is cold afterwards is no failure.
	asked := `{"model":"m","created_at":"2026-01-01T00:00:02Z","done":true,"total_duration":1500000000,"load_duration":264000000,"eval_count":3}
{"model":"m","created_at":"2026-01-01T00:00:04Z","done":true,"done_reason":"unload"}
{"model":"m","created_at":"2026-01-01T00:00:06Z","done":true,"total_duration":1500000000,"load_duration":264000000,"eval_count":3}
`
	got, sum, _ = told(t, &ollamaKind, put(t, "o.jsonl", asked), map[string]string{"instance": "o"})
	inputtest.Compare(t, []string{
		"0±250ms created o#1", "264±250ms phase o#1 weights_load for 264", "264±250ms ready o#1", "0+1500 ok cold o#1 0→3", "3500±250ms exited o#1 scale_in",
		"4000±250ms created o#2", "4264±250ms phase o#2 weights_load for 264", "4264±250ms ready o#2", "4000+1500 ok cold o#2 0→3",
	}, got)
	if sum.Kept != 3 {
		t.Errorf("%d of %d answers kept: %v", sum.Kept, sum.Read, sum.Rejected)
	}
}
