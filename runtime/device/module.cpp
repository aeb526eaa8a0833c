// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See module.h.

#include "runtime/device/module.h"

#include <string.h>

namespace dsv4::cuda {

Status LoadedModule::loadImage(const dsv4_cuda_image &image) {
  jitted = image.kind == DSV4_CUDA_PTX;
  errors[0] = 0;
  // A number goes to the driver in the place of a pointer.
  JitOption options[] = {JitErrorLog, JitErrorLogBytes};
  void *values[] = {errors, reinterpret_cast<void *>(sizeof(errors))};
  Result result =
      api->moduleLoadDataEx(&module, image.data.data, 2, options, values);
  errors[sizeof(errors) - 1] = 0;
  if (!result)
    return okStatus();
  module = nullptr;
  char arch[16];
  int line = int(strcspn(errors, "\n"));
  return api->failure(result, "cannot load %s for %s%s%.*s",
                      jitted ? "PTX" : "a cubin", formatArch(image, arch),
                      line ? ": " : "", line < 240 ? line : 240, errors);
}

Status LoadedModule::prepare(const dsv4_cuda_kernel &kernel, Function function,
                             const DeviceInfo &device) {
  int registers = 0, local = 0, threads = 0, shared = 0;
  const struct {
    FunctionAttribute attribute;
    int *value;
  } wanted[] = {{FunctionRegisters, &registers},
                {FunctionLocalBytes, &local},
                {FunctionMaxThreads, &threads},
                {FunctionSharedBytes, &shared}};
  for (const auto &one : wanted)
    DSV4_CUDA_TRY(*api, funcGetAttribute(one.value, one.attribute, function),
                  "cannot read attribute %d of kernel %s", int(one.attribute),
                  kernel.name);
  mostLocal = local > mostLocal ? local : mostLocal;
  // The driver's own compiler may need more, which is slow and not wrong.
  if (!jitted &&
      (registers > kernel.max_registers || local > kernel.max_local_bytes))
    return makeError(Code::Mismatch,
                     "kernel %s is not the compiled one: expected up to %d "
                     "registers and %d bytes of local memory, the driver "
                     "reports %d and %d; compile the model again",
                     kernel.name, kernel.max_registers, kernel.max_local_bytes,
                     registers, local);
  if (threads < kernel.threads)
    return makeError(Code::Unsupported,
                     "kernel %s needs blocks of %d threads, device %d (%s) can "
                     "give it %d; compile for this architecture",
                     kernel.name, kernel.threads, device.number, device.name,
                     threads);
  if (int64_t(shared) + kernel.dynamic_shared_bytes > device.sharedPerBlock)
    return makeError(Code::Unsupported,
                     "kernel %s needs %lld bytes of shared memory, device %d "
                     "(%s) has %d for a block; compile for this architecture",
                     kernel.name,
                     (long long)shared + kernel.dynamic_shared_bytes,
                     device.number, device.name, device.sharedPerBlock);
  if (kernel.dynamic_shared_bytes)
    DSV4_CUDA_TRY(*api,
                  funcSetAttribute(function, FunctionMaxDynamicShared,
                                   kernel.dynamic_shared_bytes),
                  "cannot give kernel %s %d bytes of shared memory",
                  kernel.name, kernel.dynamic_shared_bytes);
  return okStatus();
}

Status LoadedModule::load(const Driver &driver,
                          const dsv4_cuda_program &program, int64_t image,
                          const DeviceInfo &device, Function *room) {
  unload();
  api = &driver;
  functions = room;
  mostLocal = 0;
  DSV4_RETURN_IF_ERROR(loadImage(program.images[image]));
  Status status;
  for (int64_t i = 0; i < program.num_kernels && status.isOk(); ++i) {
    const dsv4_cuda_kernel &kernel = program.kernels[i];
    Result result = driver.moduleGetFunction(&room[i], module, kernel.name);
    status = result
                 ? driver.failure(result, "cannot find kernel %s", kernel.name)
                 : prepare(kernel, room[i], device);
  }
  if (!status.isOk())
    unload();
  return status;
}

void LoadedModule::unload() {
  if (module)
    (void)api->moduleUnload(module);
  module = nullptr;
}

} // namespace dsv4::cuda
