// Package tables makes records out of plain tables that nobody prepared for us: metrics in long or wide form, and things that happened. CSV with any
// delimiter, JSON lines and Parquet are read alike; requests in tables are package importers'.
//
// # Metrics
//
// A long table has one value a row: option value names its column, name that of the metric's name or the name itself. A wide table has one
// column for each metric: option values names them with | between them, or all columns that hold numbers and are named by no other option are
// meant. Options labels names the columns that tell series apart, such as the pod; prefix goes before each name, since names of columns are
// seldom those of an exporter, and values may give a column the name of an exporter whose meaning is known
// (values=duty:DCGM_FI_DEV_GPU_UTIL). Names become such as Prometheus takes. A cell that is empty is no value, never zero.
//
//	--samples gpu.csv,time=ts:ms,labels=pod,values=duty|mem_used,prefix=gpu_
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
