package secret

import (
	"strings"
	"testing"
)

func TestKey(t *testing.T) {
	for name, want := range map[string]bool{
		"authorization": true, "Authorization": true, "AUTHORIZATION": true, "http.request.header.authorization": true, "rpc.metadata.authorization": true, "proxy-authorization": true,
		"cookie": true, "Set-Cookie": true, "http.response.header.set_cookie": true, "setCookie": true,
		"x-api-key": true, "X_API_KEY": true, "api_key": true, "api.key": true, "apikey": true, "ApiKey": true, "openai.api_key": true, "APIKey": true,
		"password": true, "db.password": true, "passwd": true, "PGPASSWORD_passwd": true, "passwordHash": true, "user-pwd": true,
		"secret": true, "aws_secret_access_key": true, "client_secret": true, "clientSecret": true, "aws.access_key_id": true,
		"token": true, "Token": true, "access_token": true, "accessToken": true, "x-amz-security-token": true, "auth.token": true, "refreshtoken": true, "token.": true,
		"db.connection_string": true, "connectionString": true, "credentials": true, "jwt": true,

		"": false, ".": false, "gen_ai.usage.input_tokens": false, "gen_ai.usage.output_tokens": false, "llm.token_count": false, "llm.token_count.prompt": false,
		"gen_ai.token.type": false, "llm.usage.total_tokens": false, "tokens": false, "time_to_first_token": false, "gen_ai.server.time_per_output_token": false,
		"gen_ai.request.max_tokens": false, "inter_token_latency": false, "inputTokenCount": false, "timeToFirstToken": false, "max_token": false, "stop_token": false,
		"tokenizer": false, "tokenizer.name": false, "key": false, "cache_key": false, "messaging.kafka.message.key": false, "keyboard": false, "author": false,
		"secretary": false, "passenger": false, "cookiecutter": false, "http.route": false, "gen_ai.request.model": false, "k8s.pod.name": false, "api.version": false,
		"aVeryLongWordThatIsNoneOfThemAndGoesOnForAWhilesecretsecretsecretsecret": false,
	} {
		if got := Key(name); got != want {
			t.Errorf("Key(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for said, want := range map[string]string{
		"no such index [vllm]": "no such index [vllm]",
		"parse error at line 1, col 5: syntax error: unexpected =":      "parse error at line 1, col 5: syntax error: unexpected =",
		"bad request\n\tto http://alice:hunter2@10.0.0.1:3100/loki/x?q": "bad request to http://…@10.0.0.1:3100/loki/x?q",
		"GET /x?query=up&token=s3cr3t&api_key=abcd&step=15":             "GET /x?query=up&token=…&api_key=…&step=15",
		"/x%3Fapikey%3Dabcd": "/x%3Fapikey%3D…",
		`{"error":"denied","password":"hunter2","user":"a"}`: `{"error":"denied","password":"…","user":"a"}`,
		`"{\"access_token\":\"hunter2\"}"`:                   `"{\"access_token\":\"…\"}"`,
		"Authorization: Bearer eyJhbGciOi.x-y_z was refused": "Authorization: … … was refused",
		"Authorization=Basic YWxpY2U6aHVudGVyMg== refused":   "Authorization=… … refused",
		"see http://h/x?token=abcd":                          "see http://h/x?token=…",
		"the token is wrong":                                 "the token is wrong",
		"input_tokens=12, max_tokens: 5":                     "input_tokens=12, max_tokens: 5",
		strings.Repeat("é", 300):                             strings.Repeat("é", 100) + "…",
	} {
		got := Text(said, 200)
		if got != want {
			t.Errorf("Text(%q) = %q, want %q", said, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("GET http://a:b@h/?token=x Bearer abcdefg", 50)
	f.Fuzz(func(t *testing.T, said string, most int) {
		most = max(1, most%1000)
		if got := Text(said, most); len(got) > most+len(gone) {
			t.Errorf("%d bytes, want at most %d", len(got), most)
		}
	})
}

func BenchmarkKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Key("gen_ai.usage.input_tokens")
	}
}
