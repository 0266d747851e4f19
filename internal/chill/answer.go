package chill

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// maxAnswer bounds an answer of a control plane.
const maxAnswer = 8 << 20

func orDefault(c *http.Client) *http.Client {
	if c == nil {
		return http.DefaultClient
	}
	return c
}

// said returns what an answer that is no success says: its status and the message in it, if it has one.
func said(status int, body []byte) string {
	var v struct {
		Message  string `json:"message"`
		Message2 string `json:"Message"`
		Error    string `json:"error"`
	}
	text := ""
	if json.Unmarshal(body, &v) == nil {
		for _, s := range []string{v.Message, v.Message2, v.Error} {
			if text == "" {
				text = s
			}
		}
	}
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	if text == "" {
		return fmt.Sprintf("status %d", status)
	}
	return fmt.Sprintf("status %d: %s", status, text)
}
