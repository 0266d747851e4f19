// Package script finds what a k6 script consists of: itself and the files that it, and what it imports, names by a relative path.
package script

import (
	"path"
	"regexp"
)

// A File is one file of a script. Path is as the script's own path leads to it.
type File struct {
	Path string
	Data []byte
}

// most files of one script: more is a mistake of ours.
const most = 1000

// names finds the files that a script imports, requires or opens: those with a path that begins with a dot, or a plain name with an ending.
var names = regexp.MustCompile(`(?:\bfrom|\bimport|\brequire\s*\(|\bopen\s*\()\s*['"](\.{1,2}/[^'"]+|[^'":/]+\.[A-Za-z]+)['"]`)

// Files returns the script and what it names, in the order in which they are found. A named file that cannot be read is left out, since k6 says so
// itself; the script must be readable.
func Files(read func(path string) ([]byte, error), script string) ([]File, error) {
	var out []File
	seen := map[string]bool{}
	for queue := []string{script}; len(queue) > 0 && len(seen) < most; {
		file := queue[0]
		queue = queue[1:]
		if seen[file] {
			continue
		}
		seen[file] = true
		data, err := read(file)
		if err != nil {
			if file == script {
				return nil, err
			}
			continue
		}
		out = append(out, File{file, data})
		switch path.Ext(file) {
		case ".js", ".ts", ".mjs":
		default:
			if file != script {
				continue
			}
		}
		for _, m := range names.FindAllSubmatch(data, -1) {
			queue = append(queue, path.Join(path.Dir(file), string(m[1])))
		}
	}
	return out, nil
}
