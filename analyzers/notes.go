package analyzers

import "github.com/assay-dev/assay"

// Notes collects what a person said while the run went on.
type Notes struct{}

// Describe lists nothing.
func (Notes) Describe() []assay.Desc { return nil }

// Begin starts a pass that needs no requests.
func (Notes) Begin(f *assay.Facts) assay.Pass { return notesPass{f} }

type notesPass struct{ f *assay.Facts }

func (notesPass) Requests([]assay.Request) {}

// maxNotes bounds the notes of a report; all of them stand in events.jsonl.
const maxNotes = 1000

func (p notesPass) Finish(r *assay.Report) error {
	for i := range p.f.Events {
		e := &p.f.Events[i]
		if e.Kind != assay.EventAnnotation || e.Attrs["by"] != "person" || len(r.Notes) == maxNotes {
			continue
		}
		r.Notes = append(r.Notes, assay.Note{At: e.Time, Fault: e.Fault, Text: e.Text})
	}
	return nil
}
