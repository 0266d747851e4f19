//go:build !linux

package chaos

func deviceOf(string) (string, error) { return "", errNoCgroups }

func joinCgroup(string) error { return errNoCgroups }
