# Two tiers of tests: `make test` is the README's test command, which CI runs; `make full` is what is run before a release: many seeds, kill
# points, dials and scores, on an otherwise idle machine.
.PHONY: build build-all test test-ollama full score lint generate bench

# assay itself, which needs nothing but Go.
build:
	CGO_ENABLED=0 go build -trimpath -o dist/assay ./cmd/assay

# And the programs beside it: assay-k6 is a module of its own, assay-nvml needs a C compiler.
build-all: build
	CGO_ENABLED=0 go build -trimpath -o dist/assay-gpu ./cmd/assay-gpu
	cd loadgen/k6 && CGO_ENABLED=0 go build -trimpath -o ../../dist/assay-k6 ./cmd/assay-k6
	cd cmd/assay-nvml && CGO_CFLAGS=-Wno-deprecated-declarations go build -trimpath -o ../../dist/assay-nvml .

test:
	go test -race -timeout 20m ./...
	cd loadgen/k6 && go test -timeout 10m ./...
	cd loadgen/peer && go test -timeout 10m ./...
	cd cmd/assay-nvml && go test ./...

# The whole way on an engine that is not ours: Ollama with a small model of random weights. Wants a C++ compiler; building it takes some minutes, once.
OLLAMA ?= $(CURDIR)/dist/ollama
$(OLLAMA):
	GOBIN=$(dir $(OLLAMA)) go install github.com/ollama/ollama@v0.6.8

test-ollama: $(OLLAMA)
	ASSAY_OLLAMA=$(OLLAMA) go test -count=1 -run TestOllama -v ./cmd/assay

full:
	ASSAY_FULL=1 go test -timeout 90m -p 1 ./...
	cd loadgen/k6 && ASSAY_FULL=1 go test -timeout 30m ./...
	cd loadgen/peer && ASSAY_FULL=1 go test -timeout 30m -v ./...
	cd cmd/assay-nvml && go test ./...

# How far our statistics can be trusted: coverage of all intervals, and the gate and change points on data of others where they lie beside the checkout.
DATA ?= ../shared/data
score:
	go run ./cmd/assay-score coverage
	if [ -d $(DATA)/azure-vm-noise ]; then go run ./cmd/assay-score gate $(DATA)/azure-vm-noise; fi
	if [ -d $(DATA)/change-points ]; then go run ./cmd/assay-score changepoints $(DATA)/change-points/tigerbeetle.json; fi

bench:
	go test -run '^$$' -bench . -benchmem ./internal/sse ./internal/faultproxy ./loadgen ./internal/store ./collectors ./internal/live ./analyzers
	cd loadgen/peer && go run . && go run . -streams

lint:
	go vet ./...
	golangci-lint run

generate:
	go generate ./...
	UPDATE=1 go test ./internal/plan -run Schema
