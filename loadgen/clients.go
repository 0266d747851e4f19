package loadgen

import "github.com/assay-dev/assay"

// Proof says how a client was shown to speak its protocol.
type Proof string

// The proofs, strongest first.
const (
	ProofLive      Proof = "live"           // against the real program
	ProofRecorded  Proof = "recorded"       // against recordings of the real program
	ProofDocuments Proof = "documents only" // against its documentation
)

// ClientKind is one entry of [ClientKinds].
type ClientKind struct {
	Name   string
	Help   string // one sentence
	Proven Proof
	By     string // what exactly was proven
	New    func(Endpoint) (Closer, error)
}

// A Closer is a client that keeps connections. Close closes the idle ones; the client may still be used.
type Closer interface {
	assay.Client
	Close()
}

// ClientKinds is the table of clients. Settings beyond the endpoint's are fields of what New returns.
var ClientKinds = []ClientKind{
	{"openai", "Chat completions or completions of an OpenAI-compatible endpoint, streamed or whole.",
		ProofLive, "the embedded sandbox; a stream of a vLLM simulator from a recording", func(e Endpoint) (Closer, error) { return NewOpenAI(e) }},
	{"ollama", "Ollama's own chat and generate, which tell how long an answer waited for its model to be loaded.",
		ProofRecorded, "responses of Ollama 0.6.8", func(e Endpoint) (Closer, error) { return NewOllama(e) }},
	{"tgi", "Text generation of Hugging Face's text-generation-inference, streamed or whole.",
		ProofDocuments, "its API description", func(e Endpoint) (Closer, error) { return NewTGI(e) }},
	{"triton", "Triton's generate and generate_stream, with the vLLM or the TensorRT-LLM backend.",
		ProofDocuments, "the description of the generate extension", func(e Endpoint) (Closer, error) { return NewTriton(e) }},
	{"kserve1", "The KServe v1 protocol, which is TensorFlow Serving's: predict with JSON, images or any other body.",
		ProofLive, "images to the embedded sandbox's classifier", func(e Endpoint) (Closer, error) { return NewKServe1(e) }},
	{"openinference", "The Open Inference Protocol (KServe v2) over HTTP: infer with JSON, binary tensors or raw bodies.",
		ProofLive, "images to the embedded sandbox's classifier", func(e Endpoint) (Closer, error) { return NewOpenInference(e) }},
	{"openinference-grpc", "The Open Inference Protocol (KServe v2) over gRPC: ModelInfer, and Triton's ModelStreamInfer.",
		ProofDocuments, "the protocol's description", func(e Endpoint) (Closer, error) { return NewOpenInferenceGRPC(e) }},
	{"embeddings", "Embeddings of an OpenAI-compatible endpoint.",
		ProofDocuments, "the API's description", func(e Endpoint) (Closer, error) { return NewEmbeddings(e) }},
	{"rerank", "Reranking in the manner of Cohere, vLLM, Jina or text-embeddings-inference.",
		ProofDocuments, "the APIs' descriptions", func(e Endpoint) (Closer, error) { return NewRerank(e) }},
	{"lambda", "A function on AWS Lambda: Invoke, streamed or whole, or the function's own URL.",
		ProofDocuments, "the API's description; signatures: examples of AWS", func(e Endpoint) (Closer, error) { return NewLambda(e) }},
	{"sagemaker", "An endpoint of SageMaker: invocations, streamed or whole.",
		ProofDocuments, "the API's description; signatures: examples of AWS", func(e Endpoint) (Closer, error) { return NewSageMaker(e) }},
	{"http", "Plain HTTP: any answer of status 2xx is good.",
		ProofLive, "net/http's server", func(e Endpoint) (Closer, error) { return NewHTTP(e) }},
}
