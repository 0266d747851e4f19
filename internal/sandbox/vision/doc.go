// Package vision is the second kind of model worker of the embedded sandbox: an image classifier, as most served models
// that are no language models are. It is a small but real convolution network, run as an operating-system process of
// its own. Its weights are random and its classes mean nothing; the work is not: each image is decoded, resized and
// taken through convolutions, pools and a linear head by true arithmetic on the CPU.
//
// # How the pieces meet
//
// [Main] is the process; its life is that of every worker (package worker). A handler reads a request in its protocol
// (v1.go, v2.go), decodes and resizes its images (image.go, tensor.go) on its own goroutine, as KServe's preprocess
// does, and submits them to the batcher (batcher.go). The batcher is one goroutine that puts up to MaxBatch images of
// all requests together and runs one forward pass over them (network.go, conv.go). A batch that is not full waits for company
// until its oldest image is Window old; while a pass runs the next batch gathers, so under load nobody waits for the
// window. Images of one request may be spread over several passes.
//
// # Numerics
//
// The network is conv 3×3 (stride 1, zero padding), bias, ReLU and max pool 2×2, once for each entry of [Size].Channels,
// then a linear head over all that is left and a softmax. Each output element is one dot product over the full inner
// dimension, whatever the batch and however many threads: the scores of an image are the same to the last bit whoever
// it shares a batch with.
//
// # Protocols
//
//   - KServe v1 and TensorFlow Serving: POST /v1/models/{name}:predict (also /versions/1:predict) with {"instances": […]} →
//     {"predictions": […]}, or TensorFlow Serving's column form {"inputs": …} → {"outputs": …}. An instance is
//     {"b64": "…"}, {"image": {"b64": "…"}}, or nested arrays of numbers ([height][width] or [height][width][1 or 3]), bare
//     or as {"image": …}. GET /v1/models and GET /v1/models/{name} answer with the union of what both servers say.
//   - Open Inference (KServe v2): /v2, /v2/health/live, /v2/health/ready, /v2/models/{name}, its /ready and its /infer,
//     with or without /versions/1. There is one input, "image": BYTES of shape [n] (encoded images; base64 in JSON), or UINT8 or
//     FP32 of shape [n, height, width, channels] or [n, channels, height, width]; three dimensions are one image. Outputs are "probabilities" (FP32) and
//     "label" (BYTES). The binary tensor data extension works in both directions; a header length of 0 is a raw request.
//   - A bare image: POST /v2/models/{name}/infer with Content-Type image/png or image/jpeg.
//
// Numbers are pixel values, 0 to 255, in every datatype. All protocols tell of an error as {"error": "…"}.
//
// # Telemetry
//
// Spans go to an OTLP/HTTP endpoint: a server span inference_request with the children preprocess, queue, predict and
// postprocess, which follow one another without overlap from arrival to end. /metrics has KServe's names, /metrics/dcgm a DCGM-format
// exposition that is marked as simulated. The truth log says the same from the inside.
package vision
