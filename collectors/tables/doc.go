// Package tables makes records out of plain tables that nobody prepared for us: metrics in long or wide form, and things that happened. CSV with any
// delimiter, JSON lines and Parquet are read alike; requests in tables are package importers'.
//
// # Metrics
//
// A long table has one value a row: option value names its column, name that of the metric's name or the name itself. A wide table has one
// column for each metric: option values names them with | between them, or all columns that hold numbers and are named by no other option are
// meant. Options labels names the columns that tell series apart, such as the pod; prefix goes before each name, since names of columns are
// seldom those of an exporter. Names become such as Prometheus takes. A cell that is empty is no value, never zero.
//
// What a column holds can be said, by our names of it (see [Quantities]) and with its unit, so that findings read it: values=duty:gpu_busy:percent. A name of a series
// that an exporter has does as well (values=duty:DCGM_FI_DEV_GPU_UTIL). Anything else is kept, and a note says that no finding reads it.
//
// A pivot names its columns by several rows, such as the node, the metric and the statistic. The header goes down to the row that names the times, or option header says how many
// rows it has. Options name and labels then take rows, by what stands in the column of the times; a row called metric, and those like it, make the name where none is given.
//
//	--samples gpu.csv,time=ts:ms,labels=pod,values=duty:gpu_busy:percent|mem_used:gpu_mem_used:GB
//	--samples metrics.csv,time=unix_timestamp,name=metric|statistic
//
// # Events
//
// One row is one event. Option event names the column that says what happened, and map what its values mean:
//
//	--happened pods.csv,time=at,event=status,map=Running:instance.ready|OOMKilled:instance.exited/oom,instance=pod
//
// A value that map does not name is rejected with its reason. A table of stretches, such as the load times of models, has begin and end or duration
// in place of time, and the phase of a start that they are:
//
//	--happened loads.csv,begin=start,duration=load_s,phase=weights_load,instance=pod
package tables
