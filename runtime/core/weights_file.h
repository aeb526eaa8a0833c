// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds the packed weights in the running executable or in a sidecar file,
// checks every number in the file before it is used, and maps them read-only.
// Nothing is copied: the page cache holds the weights once for all processes.
// The format is that of payload_format.h.

#ifndef DSV4_RUNTIME_CORE_WEIGHTS_FILE_H
#define DSV4_RUNTIME_CORE_WEIGHTS_FILE_H

#include "runtime/abi/program.h"
#include "runtime/base/status.h"

#include <stddef.h>
#include <stdint.h>

namespace dsv4 {

/// Mapped weights. `data` is 2 MiB aligned unless a tool like strip has moved
/// the section; it is always 64-byte aligned. Valid until closeWeights.
struct WeightsFile {
  const uint8_t *data = nullptr;
  uint64_t bytes = 0;
  uint64_t chunkBytes = 0;
  uint64_t numChunks = 0;
  const uint8_t *chunkHashes = nullptr; // numChunks XXH64 values
  uint8_t sha256[32] = {};              // identity, as stated by the file
  void *mapping = nullptr;
  size_t mappingBytes = 0;
};

/// Maps the section ".dsv4.weights" of the ELF file at `path`, or of the
/// running executable when `path` is null (/proc/self/exe, or where there is no
/// /proc the path that it was started by). `weights` is unchanged on error.
/// Errors: Io, Corrupt (not complete, not a sound ELF file, damaged footer),
/// NotFound (no such section), Mismatch (another format or ABI version).
Status openEmbeddedWeights(const char *path, WeightsFile &weights);

/// Maps a sidecar file. Mismatch when its identity is not `sha256`, the one
/// that the compiler put into the executable.
Status openSidecarWeights(const char *path, const uint8_t sha256[32],
                          WeightsFile &weights);

/// Opens what `program` names: nothing (it has no weights), its own section, or
/// the sidecar file at `sidecar` (null: beside the executable). Corrupt as well
/// when there are fewer bytes than the program reads.
Status openProgramWeights(const dsv4_program &program, const char *sidecar,
                          WeightsFile &weights);

/// Checks chunks [begin, end) of `weights` against their hashes; end is cut to
/// numChunks. Any number of threads may check different ranges. Reads all bytes
/// of the range. Corrupt: names the first damaged chunk and its file range.
Status verifyChunks(const WeightsFile &weights, uint64_t begin, uint64_t end);

/// Unmaps; harmless on weights that were never opened.
void closeWeights(WeightsFile &weights);

/// The path of the running executable with ".weights" appended: where a sidecar
/// is looked for when the user names none. `size` is that of `path`.
Status defaultSidecarPath(char *path, size_t size);

} // namespace dsv4

#endif // DSV4_RUNTIME_CORE_WEIGHTS_FILE_H
