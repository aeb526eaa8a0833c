// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// runtime/device in an executable as the compiler links it, with libc and libm
// alone: finds the driver under its own name and says what the device is. Exit
// code 1 and one line on stderr where that fails.

#include "runtime/device/session.h"

#include <stdio.h>

using namespace dsv4;

static Status probe() {
  static cuda::Driver driver;
  DSV4_RETURN_IF_ERROR(driver.open());
  cuda::Device device;
  DSV4_RETURN_IF_ERROR(device.open(driver, 0));
  const cuda::DeviceInfo &info = device.info();
  printf("device %d: %s, sm_%d, %d multiprocessors, %llu MiB free\n",
         info.number, info.name, info.capability, info.multiprocessors,
         (unsigned long long)(info.availableBytes >> 20));
  return okStatus();
}

/// Never called: so that everything is linked.
Status (*volatile openSession)(cuda::Session &, const dsv4_cuda_program &,
                               const cuda::SessionOptions &) =
    [](cuda::Session &session, const dsv4_cuda_program &program,
       const cuda::SessionOptions &options) {
      return session.open(program, options);
    };

int main() {
  Status status = probe();
  if (status.isOk())
    return 0;
  fprintf(stderr, "%s\n", status.message);
  return 1;
}
