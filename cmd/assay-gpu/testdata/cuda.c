// A stand-in for the driver's library with one device of 1 GiB, for tests of how it is called.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t total = 1u << 30, held;
static int started, context, used;
static unsigned char *memory;

int cuInit(unsigned flags) { started = flags == 0; return 0; }
int cuDeviceGetCount(int *n) { *n = getenv("ASSAY_FAKE_NONE") == NULL; return started ? 0 : 3; }
int cuDeviceGet(int *device, int ordinal) { *device = 40 + ordinal; return ordinal == 0 ? 0 : 101; }
int cuDevicePrimaryCtxRetain(void **c, int device) { *c = &context; return device == 40 ? 0 : 101; }
int cuCtxSetCurrent(void *c) { used = c == &context; return used ? 0 : 201; }
int cuMemAlloc_v2(uint64_t *at, size_t bytes) {
  if (!used) return 201;
  if (bytes > total / 2) return 2;
  memory = malloc(bytes);
  held = bytes;
  *at = (uint64_t)(uintptr_t)memory;
  return 0;
}
int cuMemsetD8_v2(uint64_t at, unsigned char value, size_t bytes) {
  if (at != (uint64_t)(uintptr_t)memory || bytes != held) return 1;
  memset(memory, value, bytes);
  return memory[bytes - 1] == 0xa5 ? 0 : 1;
}
int cuMemGetInfo_v2(size_t *free, size_t *all) { *free = total - held; *all = total; return used ? 0 : 201; }
int cuGetErrorName(int code, const char **text) { *text = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : NULL; return code == 2 ? 0 : 1; }
