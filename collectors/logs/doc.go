// Package logs reads what engines wrote about themselves: start-up lines of vLLM, SGLang, Ollama and Triton, answers of Ollama
// that tell how long loading took.
//
// # Lines
//
// A line is taken out of what it is wrapped in (Kubernetes' CRI form, whose parts are joined, Docker's json-file, JSON lines of any shipper), its
// stamp is read, and its text is looked up in lines.yaml, a table of what engines say with the versions that said it. Nothing is matched by where in the line
// it stands: prefixes change from release to release. What the table does not hold says nothing we record and is counted so. No text of a line is kept.
//
// The stamp of the wrapping counts where there is one, since it has a zone and a fraction. vLLM's own has no year, no zone and whole seconds:
// the year is that of the file's last change, or the option year, the zone is the option zone, and the resolution goes into each event. A line without any
// stamp has that of the line before it.
//
// # Stores
//
// Loki, Elasticsearch and OpenSearch are asked for windows of time, page after page behind a cursor: the instant of the line that was read last and the lines that
// bear it. So no page's edge loses or doubles a line, a request that fails is made again where it stopped, and a server that does not heed where a page is to begin
// is found out. A run follows a store through [Query], which makes of each line what it would be in a recording and hands it to the same decoder.
//
// # Lives
//
// The lines of one process are the life of one instance, from the line that a process writes first to the one that says why it ends. When a log begins
// anew and nothing said why the process ended, the start alone is told: that nobody saw the end is for analysis to judge. A runner of Ollama is an instance of its own, INSTANCE:PORT; Ollama does not log that it
// unloads one, so the end of a runner that did not crash is not known.
//
// Workers of one engine say the same things at once: what any but the first says of a phase is left out.
package logs
