package plan

import (
	"fmt"
	"reflect"
)

// Sandbox holds the dials of the embedded platform. A setting that is left out keeps the sandbox's own default.
type Sandbox struct {
	Kind             string    `yaml:"kind" json:"kind,omitempty" jsonschema:"enum=llm,enum=vision,description=Kind of model: a language model or an image classifier. Default llm."`
	Protocol         string    `yaml:"protocol" json:"protocol,omitempty" jsonschema:"enum=kserve1,enum=openinference,description=How the image classifier is asked. Default kserve1."`
	BatchWindow      *Duration `yaml:"batchWindow" json:"batchWindow,omitempty" jsonschema:"description=For vision: longest wait of an image for its batch to fill. Default 2ms."`
	Scheduling       string    `yaml:"scheduling" json:"scheduling,omitempty" jsonschema:"enum=least_loaded,enum=round_robin,enum=priority,enum=queue_length,description=How the gateway chooses whose turn it is and which instance serves. Default least_loaded."`
	Tenants          []Tenant  `yaml:"tenants" json:"tenants,omitempty" jsonschema:"description=Who share the deployment. A request belongs to the tenant that its class names."`
	Dial             string    `yaml:"dial" json:"dial,omitempty" jsonschema:"enum=compute,enum=memory,enum=storage,enum=network,enum=concurrency,enum=cold_start,description=Start from a configuration whose bottleneck is known."`
	Threads          *int      `yaml:"threads" json:"threads,omitempty" jsonschema:"minimum=1,description=Cores one instance computes on."`
	MaxSeqs          *int      `yaml:"maxSeqs" json:"maxSeqs,omitempty" jsonschema:"minimum=1,description=Most sequences in one batch."`
	KVTokens         *int      `yaml:"kvTokens" json:"kvTokens,omitempty" jsonschema:"minimum=16,description=Tokens that the KV cache of one instance holds."`
	StepOverhead     *Duration `yaml:"stepOverhead" json:"stepOverhead,omitempty" jsonschema:"description=Host time of each step in which the accelerator idles."`
	LoadFloor        *Duration `yaml:"loadFloor" json:"loadFloor,omitempty" jsonschema:"description=Shortest time that reading the weights takes; a local disk is no model store."`
	LoadRate         *Size     `yaml:"loadRate" json:"loadRate,omitempty" jsonschema:"description=Bytes per second at which weights are read."`
	WeightsHost      string    `yaml:"weightsHost" json:"weightsHost,omitempty" jsonschema:"description=Name that each worker looks up at a name server of the sandbox and asks before it reads its weights; what the fault dns strikes. Default none."`
	RetrievalDelay   *Duration `yaml:"retrievalDelay" json:"retrievalDelay,omitempty" jsonschema:"description=Time of the retrieval before each request."`
	HopDelay         *Duration `yaml:"hopDelay" json:"hopDelay,omitempty" jsonschema:"description=Delay in each direction between gateway and instance."`
	ConcurrencyLimit *int      `yaml:"concurrencyLimit" json:"concurrencyLimit,omitempty" jsonschema:"minimum=0,description=Requests that one instance gets at once; 0 is no limit."`
	TargetConc       *float64  `yaml:"targetConcurrency" json:"targetConcurrency,omitempty" jsonschema:"description=Requests in flight per instance that the autoscaler aims at, before the utilization factor."`
	MinScale         *int      `yaml:"minScale" json:"minScale,omitempty" jsonschema:"minimum=0,description=Fewest instances."`
	MaxScale         *int      `yaml:"maxScale" json:"maxScale,omitempty" jsonschema:"minimum=1,description=Most instances."`
	StableWindow     *Duration `yaml:"stableWindow" json:"stableWindow,omitempty" jsonschema:"description=Stable window of the autoscaler."`
	Grace            *Duration `yaml:"scaleToZeroGrace" json:"scaleToZeroGrace,omitempty" jsonschema:"description=Grace before the last instance goes."`
	ProbePeriod      *Duration `yaml:"probePeriod" json:"probePeriod,omitempty" jsonschema:"description=Period of the readiness probe."`
}

// Tenant is one of those who share the sandbox.
type Tenant struct {
	Name       string  `yaml:"name" json:"name" jsonschema:"description=Name; load phases name it as their class."`
	Priority   int     `yaml:"priority" json:"priority,omitempty" jsonschema:"description=Higher is served first with scheduling priority."`
	Share      float64 `yaml:"share" json:"share,omitempty" jsonschema:"description=Part of the slots while several wait; relative to the others'. Default 1."`
	QueueLimit int     `yaml:"queueLimit" json:"queueLimit,omitempty" jsonschema:"minimum=0,description=Requests that may wait. Default that of the deployment."`
}

func (s *Sandbox) empty() bool { return reflect.ValueOf(*s).IsZero() }

// sandbox checks the embedded platform's settings; their ranges are its own affair.
func (c *checker) sandbox(t *Target) {
	if t.URL != "" {
		c.bad("target.url", "the sandbox starts its own endpoint; leave url out or use kind openai")
	}
	for what, set := range map[string]bool{"tls": t.TLS != nil, "proxy": t.Proxy != "", "http2": t.HTTP2, "auth": !reflect.ValueOf(t.Auth).IsZero()} {
		if set {
			c.bad("target."+what, "has no effect with the sandbox; leave it out")
		}
	}
	c.oneOf("target.model", t.Model, "nano", "tiny", "small", "base")
	s := &t.Sandbox
	for path, v := range map[string]struct {
		got     string
		allowed []string
	}{
		"dial":       {s.Dial, []string{"compute", "memory", "storage", "network", "concurrency", "cold_start"}},
		"kind":       {s.Kind, []string{"llm", "vision"}},
		"protocol":   {s.Protocol, []string{"kserve1", "openinference"}},
		"scheduling": {s.Scheduling, []string{"least_loaded", "round_robin", "priority", "queue_length"}},
	} {
		if v.got != "" {
			c.oneOf("target.sandbox."+path, v.got, v.allowed...)
		}
	}
	if s.Kind == "vision" {
		if s.Dial != "" {
			c.bad("target.sandbox.dial", "is one of language models; leave it out for vision")
		}
		if s.KVTokens != nil {
			c.bad("target.sandbox.kvTokens", "image classifiers have no KV cache; leave it out")
		}
		for name, set := range map[string]bool{"api": t.API != "", "extra": len(t.Extra) > 0, "countEach": t.CountEach, "limitField": t.LimitField != "", "userField": t.UserField, "stream": *t.Stream} {
			if set {
				c.bad("target."+name, "belongs to language models; leave it out for vision")
			}
		}
	} else {
		for path, set := range map[string]bool{"target.sandbox.protocol": s.Protocol != "", "target.sandbox.batchWindow": s.BatchWindow != nil, "target.payloads": t.Payloads != nil} {
			if set {
				c.bad(path, "belongs to the sandbox's kind vision; leave it out")
			}
		}
	}
	names := map[string]bool{}
	for i, x := range s.Tenants {
		at := fmt.Sprintf("target.sandbox.tenants[%d]", i)
		if x.Name == "" {
			c.bad(at, "needs name")
		}
		if names[x.Name] {
			c.bad(at+".name", "%q stands twice", x.Name)
		}
		names[x.Name] = true
	}
}
