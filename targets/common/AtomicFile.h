// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A file that appears complete under its name or not at all: it is written
// under a temporary name in the same folder, which goes away on error, on a
// signal (Ctrl-C) and on destruction without commit().

#ifndef DSV4_TARGETS_COMMON_ATOMICFILE_H
#define DSV4_TARGETS_COMMON_ATOMICFILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <system_error>

namespace dsv4 {

class AtomicFile {
public:
  AtomicFile() = default;
  AtomicFile(AtomicFile &&other) { *this = std::move(other); }
  AtomicFile &operator=(AtomicFile &&other);
  ~AtomicFile() { discard(); }

  /// Opens a temporary file beside `path`. Errors name `path` and the cause
  /// (folder missing, not writable).
  static llvm::Expected<AtomicFile> create(llvm::StringRef path);

  /// Appends at the write position. A full disk is an error that says how many
  /// bytes were there.
  llvm::Error write(llvm::StringRef bytes);
  /// Overwrites bytes that were written before; the position stays.
  llvm::Error overwrite(uint64_t offset, llvm::StringRef bytes);
  /// Appends zeros up to the next multiple of `align` (a hole where the file
  /// system has holes).
  llvm::Error padTo(uint64_t align);
  uint64_t position() const { return written; }

  /// Brings everything to the disk, so that a late write error shows here.
  llvm::Error sync();
  /// Renames to the final name with the permissions of `mode` (0755, 0644).
  /// Calls sync() if that has not happened since the last write.
  llvm::Error commit(unsigned mode);
  /// Removes the temporary file; harmless after commit().
  void discard();

  llvm::StringRef path() const { return finalPath; }

private:
  /// A new temporary file, known to the signal handler before it is there.
  std::error_code open();
  llvm::Error fail(llvm::StringRef doing, int error) const;

  std::string finalPath;
  std::string tempPath;
  int fd = -1;
  uint64_t written = 0;
  bool synced = false;
};

} // namespace dsv4

#endif // DSV4_TARGETS_COMMON_ATOMICFILE_H
