// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The code of a CUDA program on the GPU: one image loaded, its kernels found,
// given their shared memory and compared with what the compiler saw.

#ifndef DSV4_RUNTIME_DEVICE_MODULE_H
#define DSV4_RUNTIME_DEVICE_MODULE_H

#include "runtime/abi/cuda_program.h"
#include "runtime/device/device.h"
#include "runtime/device/driver.h"

namespace dsv4::cuda {

class LoadedModule {
public:
  LoadedModule() = default;
  LoadedModule(const LoadedModule &) = delete;
  LoadedModule &operator=(const LoadedModule &) = delete;
  ~LoadedModule() { unload(); }

  /// Loads image `image` of `program`; `room` is for program.num_kernels
  /// functions and stays with the caller. Errors: those of the driver with the
  /// first line of its log, Mismatch (the image is not what was compiled).
  Status load(const Driver &driver, const dsv4_cuda_program &program,
              int64_t image, const DeviceInfo &device, Function *room);
  void unload();

  Function function(int64_t kernel) const { return functions[kernel]; }
  /// Compiled by the driver, so that nobody has seen these registers before.
  bool isJitted() const { return jitted; }
  /// Bytes of local memory that a thread of the worst kernel has: spills.
  int localBytes() const { return mostLocal; }
  /// What the driver's compiler had to say; empty without an error.
  const char *log() const { return errors; }

private:
  Status loadImage(const dsv4_cuda_image &image);
  Status prepare(const dsv4_cuda_kernel &kernel, Function function,
                 const DeviceInfo &device);

  const Driver *api = nullptr;
  Module module = nullptr;
  Function *functions = nullptr;
  bool jitted = false;
  int mostLocal = 0;
  char errors[4096] = "";
};

} // namespace dsv4::cuda

#endif // DSV4_RUNTIME_DEVICE_MODULE_H
