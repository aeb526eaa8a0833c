// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See device.h.

#include "runtime/device/device.h"

#include <stdio.h>

namespace dsv4::cuda {

namespace {

enum class Fit { No, OldDriver, Yes };

/// A cubin runs on its major version from its minor on, PTX on everything
/// newer; what is specific to an architecture runs there alone.
bool isArchRight(const dsv4_cuda_image &image, int capability) {
  if (image.is_specific)
    return capability == image.arch;
  if (image.kind == DSV4_CUDA_PTX)
    return capability >= image.arch;
  return capability / 10 == image.arch / 10 && capability >= image.arch;
}

Fit fitOf(const dsv4_cuda_image &image, const DeviceInfo &device) {
  if (!isArchRight(image, device.capability))
    return Fit::No;
  return device.driverVersion >= image.required_driver ? Fit::Yes
                                                       : Fit::OldDriver;
}

/// "sm_90a, PTX sm_80": all architectures of the program, cut at `size`.
void listArchs(const dsv4_cuda_program &program, char *text, size_t size) {
  size_t used = 0;
  text[0] = 0;
  for (int64_t i = 0; i < program.num_images && used < size; ++i) {
    char arch[16];
    const dsv4_cuda_image &image = program.images[i];
    int added = snprintf(text + used, size - used, "%s%s%s", i ? ", " : "",
                         image.kind == DSV4_CUDA_PTX ? "PTX " : "",
                         formatArch(image, arch));
    used += size_t(added);
  }
}

Status refuseArch(const dsv4_cuda_program &program, const DeviceInfo &device) {
  char archs[96];
  listArchs(program, archs, sizeof(archs));
  return makeError(Code::Unsupported,
                   "wrong GPU: the program is for %s, device %d is %s with "
                   "sm_%d; choose another one with --device, or compile with "
                   "--target cuda:sm_%d%s",
                   archs, device.number, device.name, device.capability,
                   device.capability, device.capability >= 90 ? "a" : "");
}

Status refuseDriver(const DeviceInfo &device, int required) {
  char wanted[16], found[16];
  return makeError(
      Code::Unsupported,
      "the NVIDIA driver is too old: expected one for CUDA %s or "
      "newer, found one for CUDA %s; update the driver, or compile "
      "with an older toolkit",
      formatVersion(required, wanted),
      formatVersion(device.driverVersion, found));
}

} // namespace

const char *formatArch(const dsv4_cuda_image &image, char *text) {
  snprintf(text, 16, "sm_%d%s", image.arch, image.is_specific ? "a" : "");
  return text;
}

Status Device::readInfo(int number) {
  found = {};
  found.number = number;
  found.driverVersion = api->version;
  DSV4_CUDA_TRY(*api, deviceGetName(found.name, sizeof(found.name), device),
                "cannot read the name of device %d", number);
  found.name[sizeof(found.name) - 1] = 0;
  auto read = [&](DeviceAttribute attribute, int &value) {
    return api->deviceGetAttribute(&value, attribute, device);
  };
  int major = 0, minor = 0, integrated = 0, mapHost = 0, host = 0, readOnly = 0,
      pages = 0;
  const struct {
    DeviceAttribute attribute;
    int *value;
  } wanted[] = {{CapabilityMajor, &major},
                {CapabilityMinor, &minor},
                {MultiprocessorCount, &found.multiprocessors},
                {MaxSharedPerBlockOptIn, &found.sharedPerBlock},
                {MaxThreadsPerBlock, &found.threadsPerBlock},
                {Integrated, &integrated},
                {CanMapHostMemory, &mapHost},
                {HostRegisterSupported, &host},
                {ReadOnlyHostRegister, &readOnly},
                {PageableMemoryAccess, &pages}};
  for (const auto &one : wanted)
    if (Result result = read(one.attribute, *one.value))
      return api->failure(result, "cannot read attribute %d of device %d",
                          int(one.attribute), number);
  found.capability = 10 * major + minor;
  found.isIntegrated = integrated;
  found.canMapHost = mapHost;
  found.canMapReadOnly = host && readOnly;
  found.canReadPages = pages;
  size_t total = 0;
  DSV4_CUDA_TRY(*api, deviceTotalMem(&total, device),
                "cannot read the memory size of device %d", number);
  found.totalBytes = total;
  return okStatus();
}

Status Device::open(const Driver &driver, int number) {
  close();
  api = &driver;
  int count = 0;
  DSV4_CUDA_TRY(driver, deviceGetCount(&count), "cannot count the GPUs");
  if (number < 0 || number >= count)
    return makeError(Code::InvalidArgument,
                     "--device: expected 0 to %d, found %d; "
                     "CUDA_VISIBLE_DEVICES decides which GPUs count",
                     count - 1, number);
  DSV4_CUDA_TRY(driver, deviceGet(&device, number), "cannot take device %d",
                number);
  DSV4_RETURN_IF_ERROR(readInfo(number));
  DSV4_CUDA_TRY(driver, primaryCtxRetain(&current, device),
                "cannot open a context on device %d (%s)", number, found.name);
  Result result = driver.ctxSetCurrent(current);
  size_t left = 0, total = 0;
  if (!result)
    result = driver.memGetInfo(&left, &total);
  if (result) {
    close();
    return driver.failure(result, "cannot use device %d (%s)", number,
                          found.name);
  }
  found.availableBytes = left;
  return okStatus();
}

void Device::close() {
  if (!current)
    return;
  // Errors here are those of work before, which has been reported.
  (void)api->ctxSetCurrent(nullptr);
  (void)api->primaryCtxRelease(device);
  current = nullptr;
}

Status chooseImage(const dsv4_cuda_program &program, const DeviceInfo &device,
                   int64_t &image) {
  int required = 0; // of an image that only a newer driver takes
  image = -1;
  for (int64_t i = 0; i < program.num_images && image < 0; ++i) {
    Fit fit = fitOf(program.images[i], device);
    if (fit == Fit::Yes)
      image = i;
    int needed = program.images[i].required_driver;
    if (fit == Fit::OldDriver && (required == 0 || needed < required))
      required = needed;
  }
  if (image < 0)
    return required ? refuseDriver(device, required)
                    : refuseArch(program, device);
  int wanted = program.multiprocessors;
  if (wanted && wanted != device.multiprocessors)
    return makeError(Code::Mismatch,
                     "the program is made for %d multiprocessors, device %d "
                     "(%s) has %d; choose another one with --device, or "
                     "compile for this one",
                     wanted, device.number, device.name,
                     device.multiprocessors);
  return okStatus();
}

Status checkKernels(const dsv4_cuda_program &program,
                    const DeviceInfo &device) {
  for (int64_t i = 0; i < program.num_kernels; ++i) {
    const dsv4_cuda_kernel &kernel = program.kernels[i];
    if (kernel.dynamic_shared_bytes > device.sharedPerBlock)
      return makeError(Code::Unsupported,
                       "kernel %s needs %d bytes of shared memory, device %d "
                       "(%s) has %d for a block; compile for this architecture",
                       kernel.name, kernel.dynamic_shared_bytes, device.number,
                       device.name, device.sharedPerBlock);
    if (kernel.threads > device.threadsPerBlock)
      return makeError(Code::Unsupported,
                       "kernel %s needs blocks of %d threads, device %d (%s) "
                       "has at most %d; compile for this architecture",
                       kernel.name, kernel.threads, device.number, device.name,
                       device.threadsPerBlock);
  }
  return okStatus();
}

} // namespace dsv4::cuda
