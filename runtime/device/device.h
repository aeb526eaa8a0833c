// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One GPU: what it is, whether it can run the program, and its context. Asked
// before any large copy, so that a wrong card costs a second and not minutes.

#ifndef DSV4_RUNTIME_DEVICE_DEVICE_H
#define DSV4_RUNTIME_DEVICE_DEVICE_H

#include "runtime/abi/cuda_program.h"
#include "runtime/device/driver.h"

namespace dsv4::cuda {

struct DeviceInfo {
  int number = 0; // among those that the driver shows
  char name[96] = "";
  int capability = 0; // 90: 9.0
  int multiprocessors = 0;
  int sharedPerBlock = 0;  // bytes that a block may ask for
  int threadsPerBlock = 0; // at most
  int driverVersion = 0;
  bool isIntegrated = false;   // its memory is the host's
  bool canMapHost = false;     // pinned host memory in its address space
  bool canMapReadOnly = false; // and, pinned, pages that are mapped read-only
  bool canReadPages = false;   // any page of the process, and it need not be
                               // in memory (HMM, ATS)
  uint64_t totalBytes = 0;     // of memory
  uint64_t availableBytes = 0; // with the context there
};

class Device {
public:
  Device() = default;
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;
  ~Device() { close(); }

  /// Chooses device `number` and makes its context current on this thread; all
  /// later calls come from it. InvalidArgument: there is no such device.
  Status open(const Driver &driver, int number);
  void close();

  const DeviceInfo &info() const { return found; }
  Context context() const { return current; }

private:
  Status readInfo(int number);

  const Driver *api = nullptr;
  DeviceNumber device = 0;
  Context current = nullptr;
  DeviceInfo found;
};

/// Chooses the image of `program` for this device: its number. Unsupported: all
/// are for other architectures, or the driver is too old. Mismatch: the grids
/// are for another number of multiprocessors.
Status chooseImage(const dsv4_cuda_program &program, const DeviceInfo &device,
                   int64_t &image);

/// Whether blocks of every kernel can start. Unsupported: too much shared
/// memory or too many threads.
Status checkKernels(const dsv4_cuda_program &program, const DeviceInfo &device);

/// "sm_90a" for 90; `text` has 16 bytes.
const char *formatArch(const dsv4_cuda_image &image, char *text);

} // namespace dsv4::cuda

#endif // DSV4_RUNTIME_DEVICE_DEVICE_H
