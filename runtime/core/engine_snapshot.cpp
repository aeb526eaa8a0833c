// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Snapshots of an engine's slots: a header that says what they belong to, then
// the state as the executable's target has it.

#include "runtime/base/hash.h"
#include "runtime/core/engine.h"

#include <stddef.h>
#include <string.h>

namespace dsv4 {

namespace {

constexpr uint64_t SnapshotMagic = 0x70616e7334767364ull; // "dsv4snap"

struct SnapshotHeader {
  uint64_t magic;
  uint64_t program; // programHash(); the same for all CPUs
  uint64_t bytes;   // of the state behind the header
  int64_t context;
  int64_t length; // tokens
  uint64_t hash;  // of the state, seeded with that of the fields before
};

uint64_t snapshotHash(const SnapshotHeader &header, const void *state) {
  uint64_t seed = xxh64(&header, offsetof(SnapshotHeader, hash));
  return xxh64(state, header.bytes, seed);
}

/// What a snapshot belongs to: the model, its weights, and the layout of a
/// sequence's state, in which index tiles of a GPU are in an order of their
/// own.
uint64_t programHash(const dsv4_program &program, const WeightsFile &weights) {
  const dsv4_affine &state = program.limits.state_bytes;
  uint64_t hash = xxh64(program.identity, strlen(program.identity));
  // The first is the sidecar's; embedded weights say theirs themselves.
  hash = xxh64(program.weights_hash, sizeof(program.weights_hash), hash);
  hash = xxh64(weights.sha256, sizeof(weights.sha256), hash);
  hash = xxh64(&state, sizeof(state), hash);
  return program.cuda ? xxh64("cuda", 4, hash) : hash;
}

} // namespace

uint64_t Engine::snapshotBytes() const {
  return sizeof(SnapshotHeader) + step.state_stride;
}

Status Engine::save(int64_t slot, void *to) {
  char *data = (char *)to + sizeof(SnapshotHeader);
  DSV4_RETURN_IF_ERROR(saveState(slot, data));
  SnapshotHeader header = {SnapshotMagic,
                           programHash(*root, file),
                           uint64_t(step.state_stride),
                           step.context,
                           lengths[slot],
                           0};
  header.hash = snapshotHash(header, data);
  memcpy(to, &header, sizeof(header));
  return okStatus();
}

Status Engine::restore(int64_t slot, const void *from, uint64_t bytes) {
  SnapshotHeader header;
  if (bytes != snapshotBytes())
    return makeError(Code::Mismatch,
                     "snapshot: expected %llu bytes for this context, got %llu",
                     (unsigned long long)snapshotBytes(),
                     (unsigned long long)bytes);
  memcpy(&header, from, sizeof(header));
  const char *data = (const char *)from + sizeof(header);
  if (header.magic != SnapshotMagic ||
      header.bytes != uint64_t(step.state_stride) || header.length < 0 ||
      header.length > step.context)
    return makeError(Code::Corrupt, "snapshot: the header is damaged");
  if (header.program != programHash(*root, file) ||
      header.context != step.context)
    return makeError(Code::Mismatch,
                     "snapshot: taken from another model, target or context");
  if (header.hash != snapshotHash(header, data))
    return makeError(Code::Corrupt, "snapshot: header or state is damaged");
  DSV4_RETURN_IF_ERROR(restoreState(slot, data));
  lengths[slot] = header.length;
  return okStatus();
}

} // namespace dsv4
