// Package gpu looks at NVIDIA GPUs and changes them, without linking a driver library.
//
// What the driver tells and takes goes through its own program nvidia-smi ([List], [Apps], [Set]), which is found on PATH. What only a process
// that uses the GPU can do, to hold memory of it, is done by a process of ours ([HoldMain]): the command assay-gpu, which loads the driver's
// library at run time. It is a command of its own so that assay itself stays a static binary.
package gpu
