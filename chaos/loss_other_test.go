//go:build !linux

package chaos

func filtered(string) string { return "" }
