//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/assay-dev/assay/internal/gpu"
)

// cuda is a device through the driver's library. Its context is that of one thread, so it is used by the goroutine that opened it.
type cuda struct {
	alloc  func(at *uint64, bytes uintptr) int32
	fill   func(at uint64, value uint8, bytes uintptr) int32
	memory func(free, total *uintptr) int32
	name   func(code int32, text **byte) int32
}

// open loads the library and opens the first device that it shows; CUDA_VISIBLE_DEVICES says which that is.
func open() (gpu.Device, error) {
	const file = "libcuda.so.1"
	lib, err := purego.Dlopen(file, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the driver's library: %w", err)
	}
	var start func(flags uint32) int32
	var count func(n *int32) int32
	var get func(device *int32, ordinal int32) int32
	var retain func(context *uintptr, device int32) int32
	var use func(context uintptr) int32
	c := &cuda{}
	for symbol, fn := range map[string]any{"cuInit": &start, "cuDeviceGetCount": &count, "cuDeviceGet": &get, "cuDevicePrimaryCtxRetain": &retain,
		"cuCtxSetCurrent": &use, "cuMemAlloc_v2": &c.alloc, "cuMemsetD8_v2": &c.fill, "cuMemGetInfo_v2": &c.memory, "cuGetErrorName": &c.name} {
		at, err := purego.Dlsym(lib, symbol)
		if err != nil {
			return nil, fmt.Errorf("find %s in %s: %w", symbol, file, err)
		}
		purego.RegisterFunc(fn, at)
	}
	runtime.LockOSThread()
	var n, device int32
	var context uintptr
	if err := c.check("start the driver", start(0)); err != nil {
		return nil, err
	}
	if err := c.check("count the devices", count(&n)); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("the driver shows no device")
	}
	if err := c.check("open the device", get(&device, 0)); err != nil {
		return nil, err
	}
	if err := c.check("make a context", retain(&context, device)); err != nil {
		return nil, err
	}
	return c, c.check("use the context", use(context))
}

// check turns a result of the driver into an error.
func (c *cuda) check(what string, code int32) error {
	if code == 0 {
		return nil
	}
	var text *byte
	name := "unknown"
	if c.name(code, &text) == 0 && text != nil {
		name = ""
		for p := unsafe.Pointer(text); *(*byte)(p) != 0 && len(name) < 100; p = unsafe.Add(p, 1) {
			name += string(rune(*(*byte)(p)))
		}
	}
	return fmt.Errorf("%s: error %d of the driver, %s", what, code, name)
}

// Take implements [gpu.Device].
func (c *cuda) Take(bytes int64) error {
	var at uint64
	if err := c.check("take memory", c.alloc(&at, uintptr(bytes))); err != nil {
		return err
	}
	return c.check("write to the memory", c.fill(at, 0xa5, uintptr(bytes)))
}

// Memory implements [gpu.Device].
func (c *cuda) Memory() (free, total int64, err error) {
	var f, t uintptr
	err = c.check("ask for the memory", c.memory(&f, &t))
	return int64(f), int64(t), err
}
