// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes packed weights, streamed with bounded memory, behind a linked
// executable (as the ELF section ".dsv4.weights") or into a sidecar file.
// The format is that of runtime/core/payload_format.h.
//
//   embedded:  linkExecutable -> PayloadWriter::embed -> append... -> seal
//              -> commit
//   sidecar:   PayloadWriter::sidecar -> append... -> seal (gives the identity)
//              -> emit the program with it -> linkExecutable
//              -> writeExecutable -> commit of the sidecar
//
// Until commit() nothing is visible under the final name.

#ifndef DSV4_COMPILER_LINK_WEIGHTSSECTION_H
#define DSV4_COMPILER_LINK_WEIGHTSSECTION_H

#include "targets/common/AtomicFile.h"
#include "targets/common/Sha256.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace dsv4 {

/// What is known once the last byte has been appended.
struct PayloadInfo {
  uint64_t bytes = 0;
  uint64_t numChunks = 0;
  std::array<uint8_t, 32> sha256 = {}; // of the payload bytes alone
};

class PayloadWriter {
public:
  /// `elf` is a linked executable without weights; it is copied to the front.
  static llvm::Expected<PayloadWriter> embed(llvm::StringRef elf,
                                             llvm::StringRef path);
  static llvm::Expected<PayloadWriter> sidecar(llvm::StringRef path);

  /// Appends payload bytes, in any portions. Hashes on the way; holds at most
  /// one chunk (4 MiB).
  llvm::Error append(llvm::StringRef bytes);
  uint64_t payloadBytes() const { return info.bytes; }

  /// Writes hash table, footer, and section headers or sidecar header, and
  /// brings the file to the disk. No append() after it.
  llvm::Expected<PayloadInfo> seal();
  /// Gives the file its final name; executables become 0755, sidecars 0644.
  llvm::Error commit();

private:
  llvm::Error flushChunk();
  llvm::Error writeTableAndFooter();
  llvm::Error writeSectionHeaders(uint64_t sectionBytes);
  llvm::Error writeSidecarHeader();

  AtomicFile file;
  bool isSidecar = false;
  std::string elfHeaderAndSections; // the linked ELF, kept for its tables
  uint64_t payloadStart = 0;
  std::string chunk;
  std::vector<uint64_t> chunkHashes;
  Sha256 sha;
  PayloadInfo info;
};

/// Writes an executable that has no weights inside (sidecar mode), atomically.
llvm::Error writeExecutable(llvm::StringRef elf, llvm::StringRef path);

} // namespace dsv4

#endif // DSV4_COMPILER_LINK_WEIGHTSSECTION_H
