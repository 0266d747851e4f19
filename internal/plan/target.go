package plan

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Target says what is assessed, and how one asks it.
type Target struct {
	Kind     string     `yaml:"kind" json:"kind" jsonschema:"enum=sandbox,enum=openai,enum=ollama,enum=tgi,enum=triton,enum=kserve1,enum=openinference,enum=openinference-grpc,enum=embeddings,enum=rerank,enum=lambda,enum=sagemaker,enum=http,description=sandbox: the embedded platform. Any other: a client; assay list client says what each speaks."`
	URL      string     `yaml:"url" json:"url,omitempty" jsonschema:"description=URL of the endpoint. Most kinds also take the server's and add their own path."`
	Model    string     `yaml:"model" json:"model,omitempty" jsonschema:"description=Model to ask for; for the sandbox its size: nano or tiny or small or base."`
	Release  string     `yaml:"release" json:"release,omitempty" jsonschema:"description=Release under assessment; attempts at one release are counted."`
	Auth     Credential `yaml:"auth" json:"auth,omitempty" jsonschema:"description=Where the credential comes from."`
	Deadline Duration   `yaml:"deadline" json:"deadline,omitempty" jsonschema:"description=Longest wait for one answer from the instant it was due. Default 20s."`
	Cap      int        `yaml:"cap" json:"cap,omitempty" jsonschema:"minimum=1,description=Most requests in flight; what is over it is refused by us and counted as ours. Default 256."`
	Expect   *Expect    `yaml:"expect" json:"expect,omitempty" jsonschema:"description=What a good answer holds. One that lacks it has failed with wrong_content."`

	// How the connection is made.
	Host        string            `yaml:"host" json:"host,omitempty" jsonschema:"description=Name that requests ask for where url only says where to connect: a virtual host of an ingress that no DNS knows. Sent as Host or :authority and as the TLS server name. Default the URL's host."`
	Headers     map[string]string `yaml:"headers" json:"headers,omitempty" jsonschema:"description=Sent with each request. No secrets: those belong into auth."`
	ClassHeader string            `yaml:"classHeader" json:"classHeader,omitempty" jsonschema:"description=Header that tells the target the class of each request. Default X-Tenant for a sandbox with tenants; else none."`
	UserHeader  string            `yaml:"userHeader" json:"userHeader,omitempty" jsonschema:"description=Header that tells the target the user of each request where the load has users or sessions: a pseudonym. Default none."`
	TLS         *TLS              `yaml:"tls" json:"tls,omitempty" jsonschema:"description=Roots and client certificate."`
	HTTP2       bool              `yaml:"http2" json:"http2,omitempty" jsonschema:"description=Speak HTTP/2 where the URL has no TLS; with https it is negotiated in any case."`
	Proxy       string            `yaml:"proxy" json:"proxy,omitempty" jsonschema:"description=URL of the proxy or none. Default: as HTTP_PROXY and HTTPS_PROXY and NO_PROXY say."`

	// What is asked. Each kind knows some of these.
	API         string    `yaml:"api" json:"api,omitempty" jsonschema:"description=Operation or dialect. openai and sandbox: chat or completions. ollama: chat or generate. triton: vllm or tensorrtllm. openinference-grpc: infer or stream. rerank: cohere or tei. Default as the URL says; else the first. lambda and sagemaker: chat or completions or generate. Default none: an answer may be anything."`
	Stream      *bool     `yaml:"stream" json:"stream,omitempty" jsonschema:"description=Ask for a streamed answer. Default true."`
	Method      string    `yaml:"method" json:"method,omitempty" jsonschema:"enum=GET,enum=POST,enum=HEAD,enum=PUT,description=For kind http. Default GET or POST with a body."`
	Body        string    `yaml:"body" json:"body,omitempty" jsonschema:"description=Body of each request."`
	BodyRule    *BodyRule `yaml:"bodyRule" json:"bodyRule,omitempty" jsonschema:"description=What makes an answer of status 200 a failure. lambda always knows errors."`
	Payloads    *Payloads `yaml:"payloads" json:"payloads,omitempty" jsonschema:"description=Bodies from files, which requests take in turn."`
	Tensors     *Tensors  `yaml:"tensors" json:"tensors,omitempty" jsonschema:"description=The input that takes the payload or the prompt."`
	Version     string    `yaml:"version" json:"version,omitempty" jsonschema:"description=Version of the model. Default the server's choice."`
	Extra       Members   `yaml:"extra" json:"extra,omitempty" jsonschema:"description=Members added to each request: at the top for openai and lambda and sagemaker; among the options for ollama; among the parameters for tgi and triton."`
	CountEach   bool      `yaml:"countEach" json:"countEach,omitempty" jsonschema:"description=Ask for the token count with each chunk (continuous_usage_stats)."`
	UserField   bool      `yaml:"userField" json:"userField,omitempty" jsonschema:"description=Tell the user of each request in the member user where the load has users or sessions: a pseudonym. Default false."`
	LimitField  string    `yaml:"limitField" json:"limitField,omitempty" jsonschema:"description=Name of the member that limits the answer's length. Default max_tokens."`
	KeepAlive   *Duration `yaml:"keepAlive" json:"keepAlive,omitempty" jsonschema:"description=How long the model stays loaded after a request. Default the server's."`
	Connections int       `yaml:"connections" json:"connections,omitempty" jsonschema:"minimum=1,description=gRPC connections that requests take in turn. Default 1."`
	Inputs      int       `yaml:"inputs" json:"inputs,omitempty" jsonschema:"minimum=1,description=Texts in one request. Default 1."`
	Dimensions  int       `yaml:"dimensions" json:"dimensions,omitempty" jsonschema:"minimum=1,description=Dimensions of an embedding: asked for and demanded."`
	Documents   int       `yaml:"documents" json:"documents,omitempty" jsonschema:"minimum=1,description=Documents in one request. Default 8."`
	Function    string    `yaml:"function" json:"function,omitempty" jsonschema:"description=Name or ARN of the function. Default the model; with neither the URL is the function's own."`
	Qualifier   string    `yaml:"qualifier" json:"qualifier,omitempty" jsonschema:"description=Version or alias of the function."`
	LogTail     bool      `yaml:"logTail" json:"logTail,omitempty" jsonschema:"description=Ask for the end of the function's log which tells cold starts."`
	Endpoint    string    `yaml:"endpoint" json:"endpoint,omitempty" jsonschema:"description=Name of the SageMaker endpoint. Default that in the URL; else the model."`
	Variant     string    `yaml:"variant" json:"variant,omitempty" jsonschema:"description=Production variant to invoke. Default by the endpoint's weights."`
	Component   string    `yaml:"component" json:"component,omitempty" jsonschema:"description=Inference component to invoke."`
	TargetModel string    `yaml:"targetModel" json:"targetModel,omitempty" jsonschema:"description=Model of a multi-model endpoint."`
	Top         int       `yaml:"top" json:"top,omitempty" jsonschema:"minimum=1,description=How many documents come back. Default all."`

	Deployment *Deployment `yaml:"deployment" json:"deployment,omitempty" jsonschema:"description=What stands behind the target and may be hurt by faults. Nothing else is."`

	Cold  *ColdBy `yaml:"cold" json:"cold,omitempty" jsonschema:"description=How the target is made cold for phases that force cold starts. The sandbox needs nothing."`
	Retry *Retry  `yaml:"retry" json:"retry,omitempty" jsonschema:"description=Send failed requests again. Default: none is."`

	Sandbox Sandbox `yaml:"sandbox" json:"sandbox,omitempty" jsonschema:"description=Dials of the embedded platform."`
}

// TLS names the files of a TLS connection.
type TLS struct {
	CA         string `yaml:"ca" json:"ca,omitempty" jsonschema:"description=PEM file of the roots to trust in place of the system's."`
	Cert       string `yaml:"cert" json:"cert,omitempty" jsonschema:"description=PEM file of the client certificate with its chain."`
	Key        string `yaml:"key" json:"key,omitempty" jsonschema:"description=PEM file of its key."`
	ServerName string `yaml:"serverName" json:"serverName,omitempty" jsonschema:"description=Name the server's certificate must have. Default the URL's host."`
	Insecure   bool   `yaml:"insecure" json:"insecure,omitempty" jsonschema:"description=Take any certificate of the server. For tests only."`
}

// Expect says what a good answer holds. What is set must all hold.
type Expect struct {
	Contains  string  `yaml:"contains" json:"contains,omitempty" jsonschema:"description=Text that is in the answer."`
	Regexp    string  `yaml:"regexp" json:"regexp,omitempty" jsonschema:"description=RE2 pattern that is found in the answer."`
	SHA256    string  `yaml:"sha256" json:"sha256,omitempty" jsonschema:"pattern=^[0-9a-fA-F]{64}$,description=Digest of the answer: for a fixed prompt at temperature 0."`
	Schema    Members `yaml:"schema" json:"schema,omitempty" jsonschema:"description=JSON schema that the answer fits."`
	MinTokens int     `yaml:"minTokens" json:"minTokens,omitempty" jsonschema:"minimum=1"`
	MaxTokens int     `yaml:"maxTokens" json:"maxTokens,omitempty" jsonschema:"minimum=1"`
	Model     string  `yaml:"model" json:"model,omitempty" jsonschema:"description=Model that the answer names."`
	Version   string  `yaml:"version" json:"version,omitempty" jsonschema:"description=Version of the model that the answer names; for kinds openinference and openinference-grpc and triton."`
}

// BodyRule says when an answer of status 200 is a failure.
type BodyRule struct {
	Errors bool   `yaml:"errors" json:"errors,omitempty" jsonschema:"description=Know the error bodies of function platforms: errorMessage or errorType or a time-out's text or statusCode of 400 or more."`
	Fail   string `yaml:"fail" json:"fail,omitempty" jsonschema:"description=RE2 pattern: a body that matches is a failure."`
	Pass   string `yaml:"pass" json:"pass,omitempty" jsonschema:"description=RE2 pattern: a body that does not match has the wrong content."`
}

// Payloads names files whose content requests carry.
type Payloads struct {
	Files []string `yaml:"files" json:"files" jsonschema:"minItems=1,description=Files or patterns or directories. Each line of a .jsonl file is a body of its own."`
	Type  string   `yaml:"type" json:"type,omitempty" jsonschema:"description=Content type. Default by the file's name."`
	As    string   `yaml:"as" json:"as,omitempty" jsonschema:"enum=body,enum=instance,description=body: the file as it is. instance: for kserve1 as the one element of instances in base64. Default body; instance for images sent to kserve1."`
}

// Tensors is the one input of an inference request.
type Tensors struct {
	Name     string  `yaml:"name" json:"name" jsonschema:"description=Name of the input. Alone it takes the prompt as one element of BYTES."`
	Datatype string  `yaml:"datatype" json:"datatype,omitempty" jsonschema:"enum=BOOL,enum=UINT8,enum=INT8,enum=UINT16,enum=INT16,enum=FP16,enum=BF16,enum=UINT32,enum=INT32,enum=FP32,enum=UINT64,enum=INT64,enum=FP64,enum=BYTES,description=BYTES: each file is the one element. Else its bytes are the elements; row-major and little-endian."`
	Shape    []int64 `yaml:"shape" json:"shape,omitempty" jsonschema:"description=Shape. Default [1] for BYTES."`
	Binary   bool    `yaml:"binary" json:"binary,omitempty" jsonschema:"description=Ask for the outputs in binary form too."`
}

// A targetKind is what a plan must know of one kind of target.
type targetKind struct {
	name    string
	apis    []string // the first is the default; nil: it has none
	streams bool     // it knows the setting stream
	knows   []string // further settings
}

// targetKinds are the kinds of target. That they are the clients there are is tested where both are known.
var targetKinds = []targetKind{
	{"sandbox", []string{"chat", "completions"}, true, []string{"extra", "countEach", "limitField", "userField", "payloads", "sandbox"}},
	{"openai", []string{"chat", "completions"}, true, []string{"extra", "countEach", "limitField", "userField"}},
	{"ollama", []string{"chat", "generate"}, true, []string{"extra", "keepAlive"}},
	{"tgi", nil, true, []string{"extra"}},
	{"triton", []string{"vllm", "tensorrtllm"}, true, []string{"extra", "version"}},
	{"kserve1", nil, false, []string{"payloads", "version"}},
	{"openinference", nil, false, []string{"payloads", "tensors", "version"}},
	{"openinference-grpc", []string{"infer", "stream"}, false, []string{"payloads", "tensors", "version", "connections"}},
	{"embeddings", nil, false, []string{"inputs", "dimensions"}},
	{"rerank", []string{"cohere", "tei"}, false, []string{"documents", "top"}},
	{"lambda", []string{"chat", "completions", "generate"}, true, []string{"function", "qualifier", "logTail", "payloads", "body", "bodyRule", "extra"}},
	{"sagemaker", []string{"chat", "completions", "generate"}, true, []string{"endpoint", "variant", "component", "targetModel", "payloads", "body", "extra"}},
	{"http", nil, false, []string{"method", "body", "bodyRule", "payloads"}},
}

// TargetKinds returns the names of the kinds of target.
func TargetKinds() []string {
	var out []string
	for _, k := range targetKinds {
		out = append(out, k.name)
	}
	return out
}

func kindNamed(name string) (targetKind, bool) {
	for _, k := range targetKinds {
		if k.name == name {
			return k, true
		}
	}
	return targetKind{}, false
}

// Tokens reports whether the target's answers, or what it is asked, are counted in tokens.
func (t *Target) Tokens() bool {
	switch t.Kind {
	case "http", "kserve1", "openinference":
		return false
	case "openinference-grpc":
		return t.API == "stream"
	case "lambda", "sagemaker":
		return t.API != ""
	case "sandbox":
		return t.Sandbox.Kind != "vision"
	}
	return true
}

// ofSomeKinds returns the settings that only some kinds know, with whether the target has each.
func (t *Target) ofSomeKinds() map[string]bool {
	return map[string]bool{"extra": len(t.Extra) > 0, "countEach": t.CountEach, "limitField": t.LimitField != "", "userField": t.UserField, "payloads": t.Payloads != nil, "tensors": t.Tensors != nil,
		"version": t.Version != "", "keepAlive": t.KeepAlive != nil, "connections": t.Connections != 0, "inputs": t.Inputs != 0, "dimensions": t.Dimensions != 0,
		"documents": t.Documents != 0, "top": t.Top != 0, "method": t.Method != "", "body": t.Body != "", "bodyRule": t.BodyRule != nil,
		"function": t.Function != "", "qualifier": t.Qualifier != "", "logTail": t.LogTail, "endpoint": t.Endpoint != "", "variant": t.Variant != "",
		"component": t.Component != "", "targetModel": t.TargetModel != "", "sandbox": !t.Sandbox.empty()}
}

// defaultDeadline is how long an answer is waited for where the plan does not say.
const defaultDeadline = 20 * time.Second

// defaults fills in what the kind of target says.
func (t *Target) defaults() {
	if t.Deadline == 0 {
		t.Deadline = Duration(defaultDeadline)
	}
	if t.Cap == 0 {
		t.Cap = 256
	}
	kind, _ := kindNamed(t.Kind)
	vision := t.Kind == "sandbox" && t.Sandbox.Kind == "vision"
	if t.Stream == nil {
		yes := kind.streams && !vision
		t.Stream = &yes
	}
	if t.Kind == "http" && t.Method == "" {
		if t.Method = http.MethodGet; t.Body != "" || t.Payloads != nil {
			t.Method = http.MethodPost
		}
	}
	if t.Kind == "sandbox" {
		if t.Model == "" {
			t.Model = "tiny"
		}
		if t.ClassHeader == "" && len(t.Sandbox.Tenants) > 0 {
			t.ClassHeader = "X-Tenant"
		}
		if vision && t.Sandbox.Protocol == "" {
			t.Sandbox.Protocol = "kserve1"
		}
	}
	if x := t.Tensors; x != nil && x.Datatype == "BYTES" && x.Shape == nil {
		x.Shape = []int64{1}
	}
}

func (c *checker) target(t *Target) {
	c.oneOf("target.kind", t.Kind, TargetKinds()...)
	kind, known := kindNamed(t.Kind)
	if known {
		c.settings(t, kind)
	}
	switch {
	case t.Kind == "sandbox":
		c.sandbox(t)
	case known && t.URL == "":
		c.bad("target", "needs url for kind %s", t.Kind)
	case known:
		raw := t.URL
		if rest, ok := strings.CutPrefix(raw, "grpc"); ok && t.Kind == "openinference-grpc" { // grpc://, grpcs://
			raw = "http" + rest
		}
		c.url("target.url", raw)
	}
	c.auth(t)
	if t.Method != "" {
		c.oneOf("target.method", t.Method, "GET", "POST", "HEAD", "PUT")
	}
	if d := t.Deadline.D(); d < 100*time.Millisecond || d > time.Hour {
		c.bad("target.deadline", "%v is out of range; 100ms to 1h", d)
	}
	if t.Cap < 1 || t.Cap > 100_000 {
		c.bad("target.cap", "%d is out of range; 1 to 100000", t.Cap)
	}
	for path, n := range map[string]int{"connections": t.Connections, "inputs": t.Inputs, "dimensions": t.Dimensions, "documents": t.Documents, "top": t.Top} {
		if n < 0 || n > 100_000 {
			c.bad("target."+path, "%d is out of range; 1 to 100000", n)
		}
	}
	c.connection(t)
	c.payloads(t)
	c.expect("target.expect", t.Expect)
	if x := t.Expect; x != nil {
		c.version("target.expect.version", x.Version, t)
	}
	if r := t.BodyRule; r != nil {
		c.pattern("target.bodyRule.fail", r.Fail)
		c.pattern("target.bodyRule.pass", r.Pass)
	}
}

// settings refuses what the kind does not know.
func (c *checker) settings(t *Target, kind targetKind) {
	for name, set := range t.ofSomeKinds() {
		if !set || slices.Contains(kind.knows, name) {
			continue
		}
		if name == "sandbox" {
			c.bad("target.sandbox", "only kind sandbox has these dials")
			continue
		}
		var who []string
		for _, k := range targetKinds {
			if slices.Contains(k.knows, name) {
				who = append(who, k.name)
			}
		}
		c.bad("target."+name, "kind %s does not know it; it belongs to %s", kind.name, strings.Join(who, ", "))
	}
	switch {
	case t.API != "" && kind.apis == nil:
		c.bad("target.api", "kind %s has no choice of it; leave it out", kind.name)
	case t.API != "":
		c.oneOf("target.api", t.API, kind.apis...)
	}
	if _, written := c.d.where["target.stream"]; written && !kind.streams {
		c.bad("target.stream", "kind %s has no choice of it; leave it out", kind.name)
	}
}

// connection checks how the connection is made.
func (c *checker) connection(t *Target) {
	c.headers("target.headers", t.Headers)
	c.host(t)
	for name, header := range map[string]string{"classHeader": t.ClassHeader, "userHeader": t.UserHeader} {
		if header != "" && !token.MatchString(header) {
			c.bad("target."+name, "%q is not the name of an HTTP header", header)
		}
	}
	if t.Proxy != "" && t.Proxy != "none" {
		c.url("target.proxy", t.Proxy)
	}
	if t.Kind == "openinference-grpc" && (t.Proxy != "" || t.HTTP2) {
		c.bad("target", "kind %s goes without a proxy and is HTTP/2 anyway; leave proxy and http2 out", t.Kind)
	}
	if x := t.TLS; x != nil {
		if (x.Cert == "") != (x.Key == "") {
			c.bad("target.tls", "needs cert and key together")
		}
		if x.Insecure && (x.CA != "" || x.ServerName != "") {
			c.bad("target.tls.insecure", "takes any certificate: leave out ca and serverName, which would have no effect")
		}
		if strings.HasPrefix(t.URL, "http://") {
			c.bad("target.tls", "has no effect with %s; write https://", redact(t.URL))
		}
	}
}

// host checks the name that requests ask for.
func (c *checker) host(t *Target) {
	if t.Host == "" {
		return
	}
	u, err := url.Parse("http://" + t.Host)
	switch {
	case t.Kind == "sandbox":
		c.bad("target.host", "the sandbox has no virtual hosts; leave it out")
	case err != nil || u.Host != t.Host || u.Hostname() == "":
		c.bad("target.host", "%q is no host; write a name such as llama.models.example.com, with a port only where the Host header is to have one", redact(t.Host))
	case t.Kind == "openinference-grpc" && t.TLS != nil && t.TLS.ServerName != "" && t.TLS.ServerName != u.Hostname():
		c.bad("target.tls.serverName", "stands beside host: over gRPC both are one name; leave it out")
	case t.Proxy != "" && t.Proxy != "none":
		c.bad("target.proxy", "stands beside host: a proxy would look that name up; leave one out")
	}
}

// payloads checks bodies and tensors.
func (c *checker) payloads(t *Target) {
	if t.Payloads != nil {
		if len(t.Payloads.Files) == 0 {
			c.bad("target.payloads", "names no files")
		}
		if t.Body != "" {
			c.bad("target.body", "stands beside payloads; give one")
		}
		if t.Payloads.As != "" {
			c.oneOf("target.payloads.as", t.Payloads.As, "body", "instance")
			if t.Payloads.As == "instance" && t.Kind != "kserve1" && t.Kind != "sandbox" {
				c.bad("target.payloads.as", "instance belongs to kind kserve1, not %s", t.Kind)
			}
		}
	}
	x := t.Tensors
	if x == nil {
		return
	}
	switch {
	case x.Name == "":
		c.bad("target.tensors", "needs name, that of the input")
	case x.Datatype == "" && (x.Shape != nil || x.Binary || t.Payloads != nil):
		c.bad("target.tensors", "needs datatype; name alone takes the prompt")
	case x.Datatype != "" && t.Payloads == nil:
		c.bad("target.tensors.datatype", "is that of the payloads, and there are none; name files in target.payloads, or leave it out to send the prompt")
	case x.Datatype != "":
		c.oneOf("target.tensors.datatype", x.Datatype, "BOOL", "UINT8", "INT8", "UINT16", "INT16", "FP16", "BF16", "UINT32", "INT32", "FP32", "UINT64", "INT64", "FP64", "BYTES")
		if len(x.Shape) == 0 {
			c.bad("target.tensors", "needs shape for datatype %s", x.Datatype)
		}
	}
	for i, n := range x.Shape {
		if n < 1 {
			c.bad(fmt.Sprintf("target.tensors.shape[%d]", i), "%d is out of range; 1 or more", n)
		}
	}
	if x.Binary && t.Kind == "openinference-grpc" {
		c.bad("target.tensors.binary", "has no effect over gRPC, which is binary; leave it out")
	}
}

// expect checks what a good answer holds.
func (c *checker) expect(at string, e *Expect) {
	if e == nil {
		return
	}
	if reflect.ValueOf(*e).IsZero() {
		c.bad(at, "asks nothing; give contains, regexp, sha256, schema, minTokens, maxTokens, model or version")
	}
	c.pattern(at+".regexp", e.Regexp)
	if e.SHA256 != "" && !regexp.MustCompile(`^[0-9a-fA-F]{64}$`).MatchString(e.SHA256) {
		c.bad(at+".sha256", "want 64 hexadecimal digits")
	}
	if e.MinTokens < 0 || e.MaxTokens < 0 || e.MaxTokens > 0 && e.MaxTokens < e.MinTokens {
		c.bad(at, "want 0 <= minTokens <= maxTokens")
	}
}

// version refuses to expect a version of the model where no answer names one.
func (c *checker) version(at, version string, t *Target) {
	kind := t.Kind
	if t.Kind == "sandbox" && t.Sandbox.Kind == "vision" {
		kind = t.Sandbox.Protocol
	}
	if version != "" && !slices.Contains([]string{"openinference", "openinference-grpc", "triton"}, kind) {
		c.bad(at, "answers of kind %s name no version; it belongs to openinference, openinference-grpc and triton", kind)
	}
}

func (c *checker) pattern(path, text string) {
	if text == "" {
		return
	}
	if _, err := regexp.Compile(text); err != nil {
		c.bad(path, "%q is no RE2 pattern: %v", text, err)
	}
}
