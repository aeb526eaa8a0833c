// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Places of bytes in a packed weight, shared by the packer (host) and the
// kernels (device). docs/cuda-packing.md draws it and says why. Freestanding.
//
// A matrix is a header, tiles of 64 rows x 128 k (strips of 64 rows one after
// the other, k ascending in a strip), and the escapes of FP4. In a tile, rows
// 16 w .. 16 w + 15 belong to warp w of a warpgroup. Lane 4 g + c owns, of the
// rows g and g + 8 of its warp, k = 32 c .. 32 c + 31: one block of FP4 scales.
// These are the places that operand A of wgmma m64nNk32, of mma.sync m16n8k32
// and, in pairs, of m16n8k16 gives a lane over 128 k, once k is permuted as
// activationWord says.

#ifndef DSV4_TARGETS_CUDA_DEVICE_LAYOUT_H
#define DSV4_TARGETS_CUDA_DEVICE_LAYOUT_H

// The host compiles this without any of the qualifiers of config.h.
#ifdef __CUDACC__
#define DSV4_LAYOUT __host__ __device__ constexpr
#else
#define DSV4_LAYOUT constexpr
#endif

namespace dsv4::cuda {

/// Rows and k of a tile; k that share an FP4 scale; lanes' loads.
inline constexpr int TileRows = 64;
inline constexpr int TileK = 128;
inline constexpr int ScaleK = 32;
inline constexpr int WarpRows = 16;
inline constexpr int VectorBytes = 16;

/// A warp's vectors of one load: 32 lanes, contiguous.
inline constexpr int WarpLoadBytes = 32 * VectorBytes;

/// 32-bit words that hold 32 k of a row.
inline constexpr int Fp4Words = 4;
inline constexpr int Fp8Words = 8;
inline constexpr int Bf16Words = 16;

/// Bytes of a tile, multiples of 128. FP4: codes, then 128 bytes of offsets.
inline constexpr int Fp4CodeBytes = TileRows * TileK / 2;
inline constexpr int Fp4OffsetBytes = TileRows * (TileK / ScaleK) / 2;
inline constexpr int Fp4TileBytes = Fp4CodeBytes + Fp4OffsetBytes;
inline constexpr int Fp8TileBytes = TileRows * TileK;
inline constexpr int Bf16TileBytes = TileRows * TileK * 2;

/// Scales of an FP4 tile are 2^(base + offset - 127) with a base byte in the
/// header and an offset of 0 .. Fp4MaxOffset: E4M3 holds every E2M1 code times
/// 2^(offset - Fp4Bias) as a normal number for these twelve and no others.
inline constexpr int Fp4MaxOffset = 11;
inline constexpr int Fp4Bias = 5;

/// Bases whose factor 2^(base + Fp4Bias - 127) is a normal float. A scale of 0
/// counts as zero (runtime/numerics), which no factor can say: it escapes.
inline constexpr int Fp4MinBase = 1;
inline constexpr int Fp4MaxBase = 254 - Fp4Bias;

/// Instead of a base: the scales do not fit. The tile's first offset word is
/// then an index into the escapes, each 64 rows x 4 bytes of E8M0.
inline constexpr int Fp4Escape = 255;
inline constexpr int EscapeBytes = TileRows * (TileK / ScaleK);

/// Headers and tiles begin at multiples of this.
inline constexpr int PartAlignment = 128;

/// Byte in a tile of word `q` (0 .. words - 1) of the 32 k of block `c` of row
/// `row`. FP4: the 16 bytes of a lane and row together. FP8 and BF16: a lane's
/// vector holds its four registers of operand A for one instruction.
DSV4_LAYOUT int tileWord(int words, int row, int c, int q) {
  int warp = row / WarpRows, half = row % WarpRows / 8;
  int lane = row % 8 * 4 + c;
  int load = words == Fp4Words ? half : q / 2;
  int word = words == Fp4Words ? q : q % 2 * 2 + half;
  return (warp * (words / 2) + load) * WarpLoadBytes + lane * VectorBytes +
         word * 4;
}

/// Byte in an FP4 tile of the offsets of lane `lane` of warp `warp`: row g in
/// the low nibble, row g + 8 in the high one.
DSV4_LAYOUT int tileOffset(int warp, int lane) {
  return Fp4CodeBytes + warp * 32 + lane;
}

/// Activations of 128 k go through the same permutation: the 32-bit word `q` of
/// the 32 k of block `c` is read by instructions as their word 4 q + c (E4M3: 8
/// words, FP16 and BF16: 16). A transposition of 4 x 8 or 4 x 16 words.
DSV4_LAYOUT int activationWord(int c, int q) { return q * 4 + c; }

/// Bytes of a block of E4M3 activations: the codes of 128 k of a row, in that
/// order, and their scale as four equal floats (phases/activations.cuh).
inline constexpr int ActivationBytes = TileK + VectorBytes;

/// The same as products of FP16 want it: values of 128 k in FP16, in the order
/// of k, and the scale.
inline constexpr int WideActivationBytes = 2 * TileK + VectorBytes;

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_LAYOUT_H
