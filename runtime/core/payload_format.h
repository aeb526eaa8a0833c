// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How packed weights lie in a file: as the non-allocated ELF section
// ".dsv4.weights" of an executable, or in a sidecar file. Written by
// compiler/link/WeightsSection, read by runtime/core/weights_file.
//
//   executable                       sidecar file
//   ELF as linked                    dsv4_sidecar_header
//   zeros up to a multiple of 2 MiB  zeros up to 2 MiB
//   payload          \               payload
//   chunk hash table  > the section  chunk hash table
//   dsv4_payload_footer /            dsv4_payload_footer
//   section names, section headers
//
// The payload starts at a multiple of 2 MiB in the file, so that the kernel can
// map it with huge pages. It is cut into chunks of DSV4_CHUNK_BYTES (the last
// one shorter); the table holds one XXH64 (seed 0) per chunk, so that several
// threads can check at once. The table starts at the next multiple of 8 after
// the payload (zeros between), the footer directly after the table.
// All numbers are little-endian.

#ifndef DSV4_RUNTIME_CORE_PAYLOAD_FORMAT_H
#define DSV4_RUNTIME_CORE_PAYLOAD_FORMAT_H

#include <stdint.h>

#define DSV4_WEIGHTS_SECTION ".dsv4.weights"
#define DSV4_PAYLOAD_ALIGN (2ll << 20)
#define DSV4_CHUNK_BYTES (4ll << 20)
#define DSV4_FOOTER_MAGIC 0x746f6f6634767364ull  // "dsv4foot"
#define DSV4_SIDECAR_MAGIC 0x6564697334767364ull // "dsv4side"
#define DSV4_PAYLOAD_VERSION 1u

/// The last bytes of the section or of the sidecar file.
typedef struct dsv4_payload_footer {
  uint64_t magic;   // DSV4_FOOTER_MAGIC
  uint32_t version; // DSV4_PAYLOAD_VERSION
  uint32_t abi_version;
  uint64_t payload_bytes;
  uint64_t chunk_bytes;  // DSV4_CHUNK_BYTES
  uint64_t num_chunks;   // ceil(payload_bytes / chunk_bytes)
  uint64_t table_offset; // from the start of the payload
  uint64_t table_hash;   // XXH64 of the table
  uint8_t payload_sha256[32];
  uint64_t footer_hash; // XXH64 of the bytes of this struct before this field
} dsv4_payload_footer;

/// The first bytes of a sidecar file. The same identity is compiled into the
/// executable (dsv4_program.weights_hash) and compared at start.
typedef struct dsv4_sidecar_header {
  uint64_t magic;   // DSV4_SIDECAR_MAGIC
  uint32_t version; // DSV4_PAYLOAD_VERSION
  uint32_t abi_version;
  uint64_t payload_offset; // DSV4_PAYLOAD_ALIGN
  uint64_t payload_bytes;
  uint64_t file_bytes; // of the complete file
  uint8_t payload_sha256[32];
  uint64_t header_hash; // XXH64 of the bytes of this struct before this field
} dsv4_sidecar_header;

#ifdef __cplusplus
static_assert(sizeof(dsv4_payload_footer) == 96, "file format");
static_assert(sizeof(dsv4_sidecar_header) == 80, "file format");
#endif

#endif // DSV4_RUNTIME_CORE_PAYLOAD_FORMAT_H
