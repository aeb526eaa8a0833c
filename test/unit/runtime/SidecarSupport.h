// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights files as compiler/link writes them, for tests of the runtime.

#ifndef DSV4_TEST_UNIT_RUNTIME_SIDECARSUPPORT_H
#define DSV4_TEST_UNIT_RUNTIME_SIDECARSUPPORT_H

#include "runtime/base/hash.h"
#include "runtime/core/payload_format.h"

#include "runtime/abi/program.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fake {

/// Writes `payload` as the sidecar of `program` to a file of this name in the
/// build folder; its path.
inline std::string writeSidecar(const dsv4_program &program,
                                const std::string &payload,
                                const std::string &name) {
  std::vector<uint64_t> hashes;
  for (size_t at = 0; at < payload.size(); at += DSV4_CHUNK_BYTES)
    hashes.push_back(
        dsv4::xxh64(payload.data() + at,
                    std::min<size_t>(payload.size() - at, DSV4_CHUNK_BYTES)));
  size_t tableAt = (payload.size() + 7) / 8 * 8, table = 8 * hashes.size();
  dsv4_sidecar_header header = {};
  header.magic = DSV4_SIDECAR_MAGIC;
  header.version = DSV4_PAYLOAD_VERSION;
  header.abi_version = DSV4_ABI_VERSION;
  header.payload_offset = DSV4_PAYLOAD_ALIGN;
  header.payload_bytes = payload.size();
  header.file_bytes =
      DSV4_PAYLOAD_ALIGN + tableAt + table + sizeof(dsv4_payload_footer);
  memcpy(header.payload_sha256, program.weights_hash, 32);
  header.header_hash =
      dsv4::xxh64(&header, offsetof(dsv4_sidecar_header, header_hash));
  dsv4_payload_footer footer = {};
  footer.magic = DSV4_FOOTER_MAGIC;
  footer.version = DSV4_PAYLOAD_VERSION;
  footer.abi_version = DSV4_ABI_VERSION;
  footer.payload_bytes = payload.size();
  footer.chunk_bytes = DSV4_CHUNK_BYTES;
  footer.num_chunks = hashes.size();
  footer.table_offset = tableAt;
  footer.table_hash = dsv4::xxh64(hashes.data(), table);
  memcpy(footer.payload_sha256, program.weights_hash, 32);
  footer.footer_hash =
      dsv4::xxh64(&footer, offsetof(dsv4_payload_footer, footer_hash));
  std::string folder = std::string(DSV4_BINARY_DIR) + "/test/unit/";
  std::filesystem::create_directories(folder);
  std::ofstream out(folder + name, std::ios::binary);
  std::string head(DSV4_PAYLOAD_ALIGN, '\0');
  memcpy(head.data(), &header, sizeof(header));
  out << head << payload << std::string(tableAt - payload.size(), '\0');
  out.write(reinterpret_cast<char *>(hashes.data()), std::streamsize(table));
  out.write(reinterpret_cast<char *>(&footer), sizeof(footer));
  return folder + name;
}

/// The weights of the fake program for a GPU: the head's factors first.
inline std::string cudaWeights(int64_t bytes) {
  const int32_t factors[4] = {7, 11, 13, 5};
  std::string payload(size_t(bytes), 'w');
  memcpy(payload.data(), factors, sizeof(factors));
  return payload;
}

} // namespace fake

#endif // DSV4_TEST_UNIT_RUNTIME_SIDECARSUPPORT_H
