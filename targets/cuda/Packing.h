// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packs weights for NVIDIA GPUs and takes them apart again. Lossless, and for
// every architecture the same bytes; device/layout.h has the places in a tile,
// docs/cuda-packing.md the reasons. A packed matrix is
//
//   header   FP4: a base byte per tile; FP8: the checkpoint's scale bytes;
//            padded to 128 bytes. BF16 has none.
//   tiles    64 rows x 128 k, strip after strip; what lies beyond the matrix
//            is zero
//   escapes  FP4: the scales of tiles that a base and offsets cannot say
//
// Packing streams: the header comes from the scales alone, then tiles in ranges
// of any size, then the escapes. Nothing else is held in memory.

#ifndef DSV4_TARGETS_CUDA_PACKING_H
#define DSV4_TARGETS_CUDA_PACKING_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace dsv4::cuda {

enum class TileFormat { Fp4, Fp8, Bf16 };

/// Sizes of one packed matrix. Made by `get`, which has checked that no size of
/// it overflows, so that users need not.
class MatrixLayout {
public:
  /// Rows and K are at least 1, K a multiple of 32 for FP4; an error says what
  /// is wrong.
  static llvm::Expected<MatrixLayout> get(TileFormat Format, int64_t Rows,
                                          int64_t K);

  TileFormat format() const { return Format; }
  int64_t rows() const { return Rows; }
  int64_t k() const { return K; }

  /// Tiles of a strip, strips, and tiles in all (at most 2^31).
  int64_t tilesPerStrip() const;
  int64_t strips() const;
  int64_t tiles() const { return tilesPerStrip() * strips(); }

  int64_t tileBytes() const;
  int64_t headerBytes() const;

  /// Bytes of the packed matrix when `Escapes` tiles (0 .. tiles()) escape.
  int64_t packedBytes(int64_t Escapes) const;

  /// Where a tile, or the escapes, begin.
  int64_t tileBegin(int64_t Tile) const;
  int64_t escapesBegin() const { return tileBegin(tiles()); }

  /// Bytes in the checkpoint: of a row, of all rows, of all scales.
  int64_t rowBytes() const;
  int64_t dataBytes() const { return rows() * rowBytes(); }
  int64_t scaleBytes() const;

private:
  MatrixLayout(TileFormat Format, int64_t Rows, int64_t K)
      : Format(Format), Rows(Rows), K(K) {}

  TileFormat Format;
  int64_t Rows, K;
};

/// What the scales of a matrix decide: its header, and how many tiles escape.
struct ScalePlan {
  std::vector<uint8_t> header; // headerBytes()
  int64_t escapes = 0;
};

/// Reads all scales as the checkpoint has them: FP4 [Rows, K / 32], FP8
/// [ceil(Rows / 128), ceil(K / 128)], none for BF16. Refuses 255 (NaN), with
/// its place.
llvm::Expected<ScalePlan> planScales(const MatrixLayout &Layout,
                                     llvm::ArrayRef<uint8_t> Scales);

/// Packs tiles [First, First + Count) to `Out`, which has exactly their bytes.
/// `Data` and `Scales` are the whole matrix. Ranges are independent of each
/// other, so that threads may share a matrix. Refuses an FP8 code that is NaN.
llvm::Error packTiles(const MatrixLayout &Layout, const ScalePlan &Plan,
                      int64_t First, int64_t Count,
                      llvm::ArrayRef<uint8_t> Data,
                      llvm::ArrayRef<uint8_t> Scales,
                      llvm::MutableArrayRef<uint8_t> Out);

/// Writes the escapes: Plan.escapes x 256 bytes.
llvm::Error packEscapes(const MatrixLayout &Layout, const ScalePlan &Plan,
                        llvm::ArrayRef<uint8_t> Scales,
                        llvm::MutableArrayRef<uint8_t> Out);

/// Gives back the checkpoint's bytes from a whole packed matrix. A size, base,
/// offset, index or scale that packing never writes is an error.
llvm::Error unpackMatrix(const MatrixLayout &Layout,
                         llvm::ArrayRef<uint8_t> Packed,
                         llvm::MutableArrayRef<uint8_t> Data,
                         llvm::MutableArrayRef<uint8_t> Scales);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_PACKING_H
