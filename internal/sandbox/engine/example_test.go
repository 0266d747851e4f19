package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/assay-dev/assay/internal/sandbox/engine"
)

// A worker is started, asked for eight tokens once it is warm, and stopped.
func Example() {
	dir, err := os.MkdirTemp("", "weights")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stdout, out := io.Pipe()
	ended := make(chan error)
	go func() {
		ended <- engine.Main(ctx, engine.Config{Instance: "w-1", Model: "nano", WeightsDir: dir, LoadFloor: -1}, out, io.Discard)
	}()
	var addr string
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var line struct {
			Listening, Phase string
			Ready            bool
		}
		json.Unmarshal(lines.Bytes(), &line)
		switch {
		case line.Listening != "":
			addr = line.Listening
		case line.Phase != "":
			fmt.Println("phase", line.Phase)
		}
		if line.Ready {
			break
		}
	}
	resp, err := http.Post("http://"+addr+"/v1/completions", "application/json", strings.NewReader(`{"prompt":"to be or not to be", "max_tokens":8}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var answer struct {
		Usage struct {
			Prompt int `json:"prompt_tokens"`
			Answer int `json:"completion_tokens"`
		}
	}
	json.NewDecoder(resp.Body).Decode(&answer)
	resp.Body.Close()
	fmt.Printf("%d tokens in, %d out\n", answer.Usage.Prompt, answer.Usage.Answer)
	cancel()
	fmt.Println("ended with", <-ended)
	// Output:
	// phase runtime_start
	// phase weights_fetch
	// phase weights_load
	// phase warmup
	// 7 tokens in, 8 out
	// ended with <nil>
}
