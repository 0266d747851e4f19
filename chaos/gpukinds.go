package chaos

// onPaper is how faults of GPUs were shown to work: there was none.
const onPaper = "against stand-ins of nvidia-smi and the driver's library, never on a GPU"

// gpuKinds are the faults of GPUs.
func gpuKinds() []Kind {
	return []Kind{
		{Name: "gpu-memory", Help: "Holds so much of a GPU's memory in a process of ours, assay-gpu, that loads the driver's library; undone by killing it.",
			Lasting: true, Machine: true, Available: gpuMemoryWorks, Proven: Proof{Documents, onPaper}, settings: []string{"bytes", "gpu"}, check: checkGPUMemory, preview: previewGPUMemory, local: planGPUMemory},
		{Name: "gpu-clocks", Help: "Slows a GPU down by nvidia-smi: a power limit (watts) or a lock of its cores' clock (mhz); undone by the limit that was, or by taking the lock away.",
			Lasting: true, Machine: true, Available: gpuClocksWork, Proven: Proof{Documents, onPaper}, settings: []string{"gpu", "mhz", "watts"}, check: checkGPUClocks, preview: previewGPUClocks, local: planGPUClocks},
		{Name: "gpu-lost", Help: "Refuses the process of an instance, and its descendants, to open a GPU anew, by a control group of ours (version 1); what they have open goes on; undone by moving them back.",
			Lasting: true, Available: gpuLostWorks, Proven: Proof{Documents, onPaper + " (the refusal itself: live, with another device)"}, settings: []string{"gpu"}, check: checkGPU, preview: previewGPULost, local: planGPULost},
		{Name: "xid", Help: "SIMULATED: writes a line into the kernel log as the driver of a GPU does that fails (Xid 79 unless xid says another), marked as simulated; no GPU is hurt. Such a line cannot be taken back.",
			Machine: true, Simulated: true, Available: kernelLogWorks, Proven: Proof{Live, "written to and read back from a kernel log; the form of the line by documents only"}, settings: []string{"gpu", "xid"}, check: checkXID, preview: previewXID, local: planXID},
	}
}
