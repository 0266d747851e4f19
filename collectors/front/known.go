package front

import "sync"

const combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`

// formats are those in common use: of nginx and its packages, of its ingress controller, of its vendor's guides; of Envoy and of Istio.
var formats = map[string][]string{
	"nginx": {
		combined,
		combined + ` "$http_x_forwarded_for"`,
		`$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent`,
		combined + ` $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`,
		combined + ` $request_length $request_time [$proxy_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`,
		combined + ` $request_time`,
		combined + ` $request_time $upstream_response_time`,
		combined + ` $request_time $upstream_response_time $pipe`,
		combined + ` "$http_x_forwarded_for" $request_time`,
		combined + ` "$http_x_forwarded_for" $request_time $upstream_response_time`,
		combined + ` "$http_x_forwarded_for" "$request_time" "$upstream_response_time"`,
		combined + ` "$request_time" "$upstream_connect_time" "$upstream_header_time" "$upstream_response_time"`,
	},
	"envoy": {
		`[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"`,
		`[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%`,
	},
}

// layouts are the compiled formats of a kind, with those whose keys are in the line.
var layouts = sync.OnceValue(func() map[string][]*layout {
	out := map[string][]*layout{}
	for kind, all := range formats {
		for _, f := range all {
			l, err := compile(kind, f)
			if err != nil {
				panic(err) // ours, so a bug
			}
			out[kind] = append(out[kind], l)
		}
		if kind == "nginx" {
			for _, f := range all[:3] {
				l, _ := compile(kind, f)
				l.end += " " // after which the pairs stand
				l.pairs = true
				out[kind] = append(out[kind], l)
			}
		}
		out[kind] = append(out[kind], &layout{kind: kind, json: true})
	}
	return out
})
