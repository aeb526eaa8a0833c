// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How tests steer the fake driver (FakeCuda.cpp), a libcuda.so.1 without a GPU.
// Its "kernels" are functions of the test. It does everything as late as the
// real one may, and writes down what is wrong with the calls that it gets.

#ifndef DSV4_TEST_UNIT_DEVICE_FAKECUDA_H
#define DSV4_TEST_UNIT_DEVICE_FAKECUDA_H

#include "runtime/device/driver_types.h"

#include <functional>
#include <string>
#include <vector>

namespace fakecuda {

using dsv4::cuda::Address;
using dsv4::cuda::Result;

/// What the fake reports. Set from the environment when it is loaded, too:
/// FAKE_CUDA_DEVICES, _CC, _SMS, _TOTAL, _FREE, _DRIVER, _INIT (result of
/// cuInit), and FAKE_CUDA_FAIL (number of the call that fails).
struct Settings {
  int devices = 1;
  int capability = 90;
  int multiprocessors = 132;
  uint64_t totalBytes = uint64_t(141) << 30;
  uint64_t freeBytes = uint64_t(140) << 30;
  int driver = 13000;
  Result init = 0;
  int sharedPerBlock = 232448;
  bool canMapHost = true, canMapReadOnly = true;
  bool canReadPages = false;
  int seed = 0;      // of the order of a graph's tasks; 0: in order of nodes
  int pinLimit = -1; // host allocations that succeed; -1: all
};

/// A launch, as the function that plays the kernel sees it.
class KernelCall {
public:
  virtual ~KernelCall() = default;
  virtual const void *params() const = 0;
  virtual uint32_t gridX() const = 0;
  virtual uint32_t gridY() const = 0;
  virtual uint32_t blockX() const = 0;
  virtual uint32_t sharedBytes() const = 0; // dynamic
  /// The bytes behind an address. Out of bounds or freed: the launch fails as
  /// on a GPU. Accesses of nodes without a dependency are reported.
  virtual void *read(Address address, size_t bytes) = 0;
  virtual void *write(Address address, size_t bytes) = 0;
};

struct Kernel {
  std::function<void(KernelCall &)> before; // the wait for other grids, if any
  std::function<void(KernelCall &)> after;
  bool waits = true;
};

class Control {
public:
  virtual ~Control() = default;
  /// Forgets everything: as just loaded.
  virtual void reset() = 0;
  virtual Settings &settings() = 0;
  virtual void setKernel(const std::string &name, const Kernel &kernel) = 0;
  /// The n-th call from now fails, n from 1; 0: none.
  virtual void failCall(int64_t n, Result result) = 0;
  /// Every call of this function fails.
  virtual void failFunction(const std::string &name, Result result) = 0;
  virtual const std::vector<std::string> &calls() const = 0;
  /// What was wrong, in words.
  virtual const std::vector<std::string> &misuse() const = 0;
  virtual void clearMisuse() = 0;
  /// What is still held.
  virtual std::vector<std::string> leaks() const = 0;
  /// Bytes of device memory, unchecked; null where nothing is.
  virtual uint8_t *peek(Address address) = 0;
};

} // namespace fakecuda

extern "C" fakecuda::Control *fakeCudaControl();

#endif // DSV4_TEST_UNIT_DEVICE_FAKECUDA_H
