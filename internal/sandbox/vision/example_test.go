package vision_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"

	"github.com/assay-dev/assay/internal/sandbox/vision"
)

// A worker is started, asked what a black square is once it is warm, and stopped.
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
		ended <- vision.Main(ctx, vision.Config{Instance: "w-1", Model: "nano", WeightsDir: dir, LoadFloor: -1}, out, io.Discard)
	}()
	var addr string
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var line struct {
			Listening, Phase string
			Ready            bool
		}
		json.Unmarshal(lines.Bytes(), &line)
		if line.Listening != "" {
			addr = line.Listening
		}
		if line.Ready {
			break
		}
	}
	var square bytes.Buffer
	png.Encode(&square, image.NewGray(image.Rect(0, 0, 32, 32)))
	resp, err := http.Post("http://"+addr+"/v2/models/sandbox-vision-nano/infer", "image/png", &square)
	if err != nil {
		fmt.Println(err)
		return
	}
	var answer struct {
		Outputs []struct {
			Name, Datatype string
			Shape          []int
		}
	}
	json.NewDecoder(resp.Body).Decode(&answer)
	resp.Body.Close()
	for _, o := range answer.Outputs {
		fmt.Println(o.Name, o.Datatype, o.Shape)
	}
	cancel()
	fmt.Println("ended with", <-ended)
	// Output:
	// probabilities FP32 [1 10]
	// label BYTES [1]
	// ended with <nil>
}
