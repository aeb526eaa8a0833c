// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A file that appears under its name complete or not at all.

#ifndef DSV4_RUNTIME_BASE_PART_FILE_H
#define DSV4_RUNTIME_BASE_PART_FILE_H

#include "runtime/base/status.h"

namespace dsv4 {

/// Written beside the file that is wanted, under a name with the process's
/// number, and renamed at the end.
class PartFile {
public:
  PartFile() = default;
  PartFile(const PartFile &) = delete;
  PartFile &operator=(const PartFile &) = delete;
  ~PartFile() { discard(); }

  /// Errors: InvalidArgument (the path is too long), Io.
  Status open(const char *path);
  /// For write(2); -1 where none is open.
  int file() const { return handle; }
  /// Gives the file its name; what cannot be named is discarded.
  Status commit();
  /// Removes what was written, where it was not committed.
  void discard();

private:
  char temporary[4096] = "", path[4096] = "";
  int handle = -1;
};

} // namespace dsv4

#endif // DSV4_RUNTIME_BASE_PART_FILE_H
