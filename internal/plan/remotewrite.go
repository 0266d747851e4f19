package plan

import "net"

// RemoteWrite is where samples are taken in that others send.
type RemoteWrite struct {
	Listen string `yaml:"listen" json:"listen,omitempty" jsonschema:"description=Address to listen on. Default 127.0.0.1:9091. Senders write to /api/v1/write there."`
	Token  Auth   `yaml:"token" json:"token,omitempty" jsonschema:"description=Where the token is that senders must show; needed beyond loopback."`
}

// DefaultRemoteWrite is where remote writes are taken unless the plan says otherwise.
const DefaultRemoteWrite = "127.0.0.1:9091"

func (c *checker) remoteWrite(r *RemoteWrite) {
	if r == nil || r.Listen == "" {
		return
	}
	host, _, err := net.SplitHostPort(r.Listen)
	if err != nil {
		c.bad("collect.remoteWrite.listen", "%q is no address; write for example %s", r.Listen, DefaultRemoteWrite)
		return
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && r.Token.Env == "" && r.Token.File == "" {
		c.bad("collect.remoteWrite.token", "%q can be reached from other machines, so senders must show a token: name it by env or file", r.Listen)
	}
}
