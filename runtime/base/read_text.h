// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small files of /proc and /sys as text: open(2) and read(2) into the caller's
// buffer, no stdio, no memory from malloc.

#ifndef DSV4_RUNTIME_BASE_READ_TEXT_H
#define DSV4_RUNTIME_BASE_READ_TEXT_H

#include <stddef.h>

namespace dsv4 {

/// The beginning of the file at `root` + `path`, ended by a zero; false when it
/// cannot be read or is empty. `root` is "" but in tests.
bool readText(const char *root, const char *path, char *text, size_t size);

} // namespace dsv4

#endif // DSV4_RUNTIME_BASE_READ_TEXT_H
