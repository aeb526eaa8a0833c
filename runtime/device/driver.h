// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The NVIDIA driver, found when the program starts: a machine without one gets
// a sentence instead of a linker's error, and executables keep linking libc and
// libm alone.

#ifndef DSV4_RUNTIME_DEVICE_DRIVER_H
#define DSV4_RUNTIME_DEVICE_DRIVER_H

#include "runtime/base/status.h"
#include "runtime/device/driver_types.h"

namespace dsv4::cuda {

/// The oldest driver that has every entry point in use, as it counts itself.
inline constexpr int oldestDriver = 12030;

/// Entry points; all are set after open(). The library stays loaded until the
/// process ends, because threads of it may still run.
struct Driver {
#define DSV4_CUDA_MEMBER(member, symbol, parameters)                           \
  Result(*member) parameters = nullptr;
  DSV4_CUDA_ENTRIES(DSV4_CUDA_MEMBER)
#undef DSV4_CUDA_MEMBER

  int version = 0; // 13000: made for CUDA 13.0

  /// Loads `library`, finds the entry points and initialises the driver.
  /// Unsupported: there is none, it is too old, or it cannot start here.
  Status open(const char *library = "libcuda.so.1");

  /// An error for a call that failed with `result`: what was done, printf-
  /// style, and the driver's own words.
  __attribute__((format(printf, 3, 4))) Status failure(Result result,
                                                       const char *what,
                                                       ...) const;
};

/// "12.4" for 12040; `text` has 16 bytes.
const char *formatVersion(int version, char *text);

} // namespace dsv4::cuda

/// Returns from the calling function when a driver's call fails. The arguments
/// behind the call say what was being done.
#define DSV4_CUDA_TRY(driver, call, ...)                                       \
  do {                                                                         \
    if (::dsv4::cuda::Result result_ = (driver).call)                          \
      return (driver).failure(result_, __VA_ARGS__);                           \
  } while (false)

#endif // DSV4_RUNTIME_DEVICE_DRIVER_H
