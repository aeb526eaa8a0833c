// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing into memory, and taking a matrix of tile64 apart again.

#ifndef DSV4_TEST_UNIT_PACK_PACKTESTSUPPORT_H
#define DSV4_TEST_UNIT_PACK_PACKTESTSUPPORT_H

#include "compiler/pack/WeightPacker.h"
#include "targets/cuda/device/layout.h"
#include "targets/cuda/lower/AssignPacking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace dsv4::test {

using Bytes = std::vector<uint8_t>;

struct Packed {
  Bytes bytes;
  std::string problem;
};

inline Packed packAll(kern::ProgramOp program, TensorReader read,
                      unsigned threads = 1) {
  Packed out;
  uint64_t last = 0;
  llvm::Error error = packWeights(
      program, read,
      [&](llvm::ArrayRef<uint8_t> bytes) {
        out.bytes.insert(out.bytes.end(), bytes.begin(), bytes.end());
        return llvm::Error::success();
      },
      [&](uint64_t done, uint64_t total) {
        EXPECT_EQ(done, out.bytes.size());
        EXPECT_LE(done, total);
        // A portion, and what the last tile of it is over.
        EXPECT_LE(done - last, uint64_t(9) << 20);
        last = done;
        return llvm::Error::success();
      },
      threads);
  out.problem = llvm::toString(std::move(error));
  return out;
}

/// The text of an error, empty without one; progress must end at its total.
inline std::string countAll(kern::ProgramOp program, TensorReader read,
                            unsigned threads = 1) {
  uint64_t last = 0, all = 0;
  llvm::Error error = countEscapes(
      program, read,
      [&](uint64_t done, uint64_t total) {
        EXPECT_GT(done, last);
        last = done;
        all = total;
        return llvm::Error::success();
      },
      threads);
  if (error)
    return llvm::toString(std::move(error));
  EXPECT_EQ(last, all);
  return "";
}

struct Unpacked {
  Bytes data, scales;
  int64_t escapes = 0;
  int64_t bytes = 0; // of the header, tiles and escapes
};

/// `room`: the bytes of one matrix of a weight.
inline Unpacked unpack(const cuda::MatrixLayout &layout,
                       llvm::ArrayRef<uint8_t> room) {
  Unpacked out;
  out.data.resize(layout.dataBytes());
  out.scales.resize(layout.scaleBytes());
  if (layout.format() == cuda::TileFormat::Fp4)
    out.escapes = std::count(room.begin(), room.begin() + layout.tiles(),
                             uint8_t(cuda::Fp4Escape));
  out.bytes = layout.packedBytes(out.escapes);
  EXPECT_LE(out.bytes, int64_t(room.size()));
  if (out.bytes <= int64_t(room.size()))
    EXPECT_EQ(llvm::toString(unpackMatrix(layout, room.take_front(out.bytes),
                                          out.data, out.scales)),
              "");
  return out;
}

/// The part of the packed weights that is matrix `number` of `weight`.
inline llvm::ArrayRef<uint8_t> matrixOf(const Bytes &packed,
                                        kern::WeightOp weight, int64_t count,
                                        int64_t number) {
  int64_t stride = int64_t(*weight.getBytes()) / count;
  return llvm::ArrayRef(packed).slice(*weight.getOffset() + number * stride,
                                      stride);
}

inline std::string named(llvm::StringRef name, int64_t expert) {
  auto [before, after] = name.split("{e}");
  return name.contains("{e}") ? (before + llvm::Twine(expert) + after).str()
                              : name.str();
}

} // namespace dsv4::test

#endif // DSV4_TEST_UNIT_PACK_PACKTESTSUPPORT_H
