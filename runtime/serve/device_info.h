// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What info says of a program's half for a GPU. Asks no driver, so that it can
// be read anywhere.

#ifndef DSV4_RUNTIME_SERVE_DEVICE_INFO_H
#define DSV4_RUNTIME_SERVE_DEVICE_INFO_H

#include "runtime/abi/cuda_program.h"
#include "runtime/base/status.h"

#include <stdint.h>

namespace dsv4::serve {

/// Lines of text, for one sequence of so many tokens. Errors are those of
/// damaged tables, before anything is printed.
Status printDeviceText(const dsv4_cuda_program &program, int64_t context);
/// A member "cuda" of a JSON object, without a comma.
Status printDeviceJson(const dsv4_cuda_program &program, int64_t context);

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_DEVICE_INFO_H
