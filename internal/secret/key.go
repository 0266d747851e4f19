// Package secret knows names and texts that hold credentials, so that none is recorded: [Key] the name of an attribute, [Text] what a server answered.
package secret

// words are those of which one alone tells that a name's value is a credential.
var words = map[string]bool{
	"authorization": true, "cookie": true, "cookies": true, "setcookie": true, "password": true, "passwords": true, "passwd": true, "pwd": true, "passphrase": true,
	"secret": true, "secrets": true, "credential": true, "credentials": true, "bearer": true, "jwt": true,
	"apikey": true, "apikeys": true, "xapikey": true, "accesskey": true, "secretkey": true, "privatekey": true, "clientsecret": true, "connectionstring": true,
	"accesstoken": true, "authtoken": true, "apitoken": true, "idtoken": true, "refreshtoken": true, "sessiontoken": true, "bearertoken": true, "csrftoken": true,
}

// pairs are words that tell it after another.
var pairs = map[[2]string]bool{
	{"api", "key"}: true, {"api", "keys"}: true, {"access", "key"}: true, {"private", "key"}: true, {"signing", "key"}: true, {"encryption", "key"}: true,
	{"subscription", "key"}: true, {"account", "key"}: true, {"license", "key"}: true, {"connection", "string"}: true, {"conn", "string"}: true,
}

// counted are the words after which a token is one of a model's text: time_to_first_token.
var counted = map[string]bool{
	"first": true, "last": true, "next": true, "per": true, "inter": true, "each": true, "max": true, "min": true, "num": true, "total": true, "cached": true, "new": true,
	"input": true, "output": true, "prompt": true, "completion": true, "reasoning": true, "stop": true, "eos": true, "bos": true, "pad": true, "unk": true, "special": true, "draft": true,
}

// Key reports whether a name is that of a credential, by its words in any case: authorization, http.request.header.x-api-key, db.password, accessToken.
// Tokens that are counted or timed are none: gen_ai.usage.input_tokens, llm.token_count, time_to_first_token.
func Key(name string) bool {
	var buf [2][24]byte // the word before, and the present one, in lower case
	var n [2]int
	at, long := 0, false
	word := func() (yes bool) {
		if w := string(buf[at][:n[at]]); !long && words[w] {
			return true
		}
		if !long && pairs[[2]string{string(buf[1-at][:n[1-at]]), string(buf[at][:n[at]])}] {
			return true
		}
		return false
	}
	next := func() bool {
		if n[at] == 0 {
			return false
		}
		if word() {
			return true
		}
		at = 1 - at
		n[at], long = 0, false
		return false
	}
	lower := false // the letter before is in lower case
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			if lower && next() { // accessToken
				return true
			}
			c += 'a' - 'A'
			lower = false
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
			lower = true
		default:
			if next() {
				return true
			}
			lower = false
			continue
		}
		if n[at] == len(buf[at]) {
			long = true
			continue
		}
		buf[at][n[at]] = c
		n[at]++
	}
	if n[at] > 0 && word() {
		return true
	}
	if n[at] == 0 {
		at = 1 - at // the name ends with a separator
	}
	return string(buf[at][:n[at]]) == "token" && !counted[string(buf[1-at][:n[1-at]])]
}
