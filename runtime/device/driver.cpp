// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See driver.h.

#include "runtime/device/driver.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

namespace dsv4::cuda {

namespace {

/// Puts the address of `symbol` into `entry`; false where there is none.
template <typename Entry>
bool findEntry(void *library, const char *symbol, Entry &entry) {
  void *address = dlsym(library, symbol);
  memcpy(&entry, &address, sizeof(entry)); // no cast from data to code
  return address != nullptr;
}

/// What the user can do about an error of init(); null: nothing special.
const char *adviceOnInit(Result result) {
  switch (result) {
  case StubLibrary:
    return "this libcuda.so.1 is the toolkit's stub and no driver; take its "
           "folder off LD_LIBRARY_PATH, or install the driver";
  case NoDevice:
    return "the driver finds no GPU; look at nvidia-smi, and at "
           "CUDA_VISIBLE_DEVICES, which may hide it";
  case DeviceUnavailable:
    return "the GPU is in use and set to one process; end the other one, or "
           "see compute mode in nvidia-smi";
  case SystemNotReady:
    return "the system is not ready; start nvidia-fabricmanager and wait for "
           "it";
  case DriverMismatch:
    return "libcuda.so.1 and the kernel's module are of different versions; "
           "restart the machine after an update of the driver";
  case CompatNotSupported:
    return "the forward-compatibility package does not support this GPU; take "
           "cuda-compat off LD_LIBRARY_PATH, or update the driver";
  case Unknown:
    return "the driver cannot start; look whether nvidia-smi works and the "
           "module nvidia_uvm is loaded";
  default:
    return nullptr;
  }
}

Code codeOf(Result result) {
  switch (result) {
  case NoMemory:
    return Code::OutOfMemory;
  case StubLibrary:
  case DeviceUnavailable:
  case NoDevice:
  case NoJitCompiler:
  case NoBinaryForGpu:
  case UnsupportedPtxVersion:
  case NotSupported:
  case SystemNotReady:
  case DriverMismatch:
  case CompatNotSupported:
    return Code::Unsupported;
  case InvalidDevice:
    return Code::InvalidArgument;
  case InvalidImage:
  case InvalidPtx:
    return Code::Corrupt;
  default:
    return Code::Io;
  }
}

} // namespace

const char *formatVersion(int version, char *text) {
  snprintf(text, 16, "%d.%d", version / 1000, version % 1000 / 10);
  return text;
}

Status Driver::open(const char *name) {
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return makeError(Code::Unsupported,
                     "expected an NVIDIA driver (libcuda.so.1), found none: "
                     "%s; install the driver, or compile for a CPU target",
                     dlerror());
  const char *missing = nullptr;
#define DSV4_CUDA_FIND(member, symbol, parameters)                             \
  if (!findEntry(library, #symbol, member) && !missing)                        \
    missing = #symbol;
  DSV4_CUDA_ENTRIES(DSV4_CUDA_FIND)
#undef DSV4_CUDA_FIND
  char found[16], wanted[16];
  formatVersion(oldestDriver, wanted);
  version = 0;
  Result asked = driverGetVersion ? driverGetVersion(&version) : Success;
  if (missing)
    return makeError(Code::Unsupported,
                     "expected an NVIDIA driver for CUDA %s or newer, found "
                     "one for CUDA %s in %s (it has no %s); update the driver",
                     wanted, formatVersion(version, found), name, missing);
  Result result = init(0);
  if (const char *advice = adviceOnInit(result))
    return makeError(codeOf(result),
                     "cannot start the NVIDIA driver (error %d): %s", result,
                     advice);
  if (result)
    return failure(result, "cannot start the NVIDIA driver");
  if (asked)
    return failure(asked, "cannot ask the NVIDIA driver for its version");
  return okStatus();
}

Status Driver::failure(Result result, const char *what, ...) const {
  Status status;
  status.code = codeOf(result);
  va_list args;
  va_start(args, what);
  vsnprintf(status.message, sizeof(status.message), what, args);
  va_end(args);
  const char *name = nullptr, *text = nullptr;
  if (getErrorName(result, &name) || !name)
    name = "unknown error";
  if (getErrorString(result, &text) || !text)
    text = "no description";
  size_t used = strlen(status.message);
  snprintf(status.message + used, sizeof(status.message) - used,
           ": %s (%s, %d)", text, name, result);
  return status;
}

} // namespace dsv4::cuda
