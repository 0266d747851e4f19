package plan

import (
	"strings"
	"testing"
)

func TestRemoteWrite(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox, model: tiny}\nload: [{name: a, arrivals: {poisson: {rate: 1/s}}, for: 1s}]\ncollect: {remoteWrite: "
	for text, want := range map[string]string{
		"{}":                         "",
		"{listen: 'localhost:9091'}": "",
		"{listen: '0.0.0.0:9091', token: {env: T}}": "",
		"{listen: '0.0.0.0:9091'}":                  `collect.remoteWrite.token: "0.0.0.0:9091" can be reached from other machines, so senders must show a token: name it by env or file`,
		"{listen: '9091'}":                          `collect.remoteWrite.listen: "9091" is no address; write for example 127.0.0.1:9091`,
		"{lisen: x}":                                `did you mean "listen"?`,
	} {
		p, err := Parse("p.yaml", []byte(head+text+"}\n"))
		switch {
		case want == "" && (err != nil || p.Collect.RemoteWrite == nil):
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error %v, want …%s…", text, err, want)
		}
	}
}
