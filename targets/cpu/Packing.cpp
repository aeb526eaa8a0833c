// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The packed tile layouts. Packing and unpacking walk the same index maps, so
// that they cannot disagree.

#include "targets/cpu/Packing.h"

#include <algorithm>
#include <cstring>

namespace dsv4::cpu {

static int64_t ceilDiv(int64_t A, int64_t B) { return (A + B - 1) / B; }

int64_t tileScaleBytes(TileFormat Format, int64_t K) {
  if (Format != TileFormat::Fp8)
    return 0;
  return ceilDiv(ceilDiv(K, BlockK), LineBytes) * LineBytes;
}

int64_t tileBytes(TileFormat Format, int64_t K) {
  switch (Format) {
  case TileFormat::Fp4:
    return K / 8 * LineBytes + K / GroupK * TileRows;
  case TileFormat::Fp8:
    return tileScaleBytes(Format, K) + K / 4 * LineBytes;
  case TileFormat::Bf16:
    return K / 2 * LineBytes;
  case TileFormat::F32:
    return K * LineBytes;
  }
  return 0;
}

int64_t rowBytes(TileFormat Format, int64_t K) {
  switch (Format) {
  case TileFormat::Fp4:
    return K / 2;
  case TileFormat::Fp8:
    return K;
  case TileFormat::Bf16:
    return 2 * K;
  case TileFormat::F32:
    return 4 * K;
  }
  return 0;
}

/// Bytes that precede the line of FP4 inputs 8 j .. 8 j + 7: whole blocks with
/// their scale lines come first.
static int64_t fp4Line(int64_t K8) {
  int64_t Block = K8 * 8 / BlockK;
  return (K8 + Block) * LineBytes;
}

/// Where the scale of FP4 group `Group` of row `Row` lies.
static int64_t fp4Scale(int64_t K, int64_t Group, int64_t Row) {
  int64_t Block = Group * GroupK / BlockK;
  int64_t InBlock = std::min(BlockK, K - Block * BlockK);
  int64_t Lines = Block * (BlockK / 8 + 1) + InBlock / 8;
  return Lines * LineBytes + Group % (BlockK / GroupK) * TileRows + Row;
}

/// Bit position in a row's 32-bit lane of nibble `I` of a line (k = 8 j + I).
static int fp4Shift(int64_t I) { return int(I / 2 * 4 + I % 2 * 16); }

/// Offset in an FP8 line of input `I` (k = 4 j + I) of a row.
static int64_t fp8Byte(int64_t Row, int64_t I) {
  return Row / 4 * 16 + I / 2 * 8 + Row % 4 * 2 + I % 2;
}

static void packFp4(int64_t K, const TileSource &Source, uint8_t *Out) {
  for (int64_t K8 = 0; K8 < K / 8; ++K8)
    for (int64_t Row = 0; Row < Source.rows; ++Row) {
      const uint8_t *In = Source.data + Row * (K / 2) + K8 * 4;
      uint32_t Lane = 0;
      for (int64_t I = 0; I < 8; ++I)
        Lane |= uint32_t(In[I / 2] >> (I % 2 * 4) & 15) << fp4Shift(I);
      std::memcpy(Out + fp4Line(K8) + Row * 4, &Lane, 4);
    }
  for (int64_t Group = 0; Group < K / GroupK; ++Group)
    for (int64_t Row = 0; Row < TileRows; ++Row)
      Out[fp4Scale(K, Group, Row)] =
          Row < Source.rows ? Source.scales[Row * (K / GroupK) + Group] : 127;
}

static void packFp8(int64_t K, const TileSource &Source, uint8_t *Out) {
  std::memcpy(Out, Source.scales, ceilDiv(K, BlockK));
  Out += tileScaleBytes(TileFormat::Fp8, K);
  for (int64_t K4 = 0; K4 < K / 4; ++K4)
    for (int64_t Row = 0; Row < Source.rows; ++Row)
      for (int64_t I = 0; I < 4; ++I)
        Out[K4 * LineBytes + fp8Byte(Row, I)] =
            Source.data[Row * K + K4 * 4 + I];
}

/// Copies elements of 4 bytes (a pair of BF16, or one F32) into lanes.
static void packLanes(int64_t PerRow, const TileSource &Source, uint8_t *Out) {
  for (int64_t I = 0; I < PerRow; ++I)
    for (int64_t Row = 0; Row < Source.rows; ++Row)
      std::memcpy(Out + I * LineBytes + Row * 4,
                  Source.data + (Row * PerRow + I) * 4, 4);
}

void packTile(TileFormat Format, int64_t K, const TileSource &Source,
              uint8_t *Out) {
  std::memset(Out, 0, tileBytes(Format, K));
  switch (Format) {
  case TileFormat::Fp4:
    return packFp4(K, Source, Out);
  case TileFormat::Fp8:
    return packFp8(K, Source, Out);
  case TileFormat::Bf16:
    return packLanes(K / 2, Source, Out);
  case TileFormat::F32:
    return packLanes(K, Source, Out);
  }
}

void packTiles(TileFormat Format, int64_t K, int64_t Rows, int64_t First,
               int64_t Count, const uint8_t *Data, const uint8_t *Scales,
               uint8_t *Out) {
  for (int64_t Tile = First; Tile < First + Count; ++Tile) {
    int64_t Row = Tile * TileRows;
    TileSource Source{Data + Row * rowBytes(Format, K), nullptr,
                      std::min(TileRows, Rows - Row)};
    if (Format == TileFormat::Fp4)
      Source.scales = Scales + Row * (K / GroupK);
    if (Format == TileFormat::Fp8)
      Source.scales = Scales + Row / BlockK * ceilDiv(K, BlockK);
    packTile(Format, K, Source, Out);
    Out += tileBytes(Format, K);
  }
}

static void unpackFp4(int64_t K, int64_t Rows, const uint8_t *Packed,
                      uint8_t *Data, uint8_t *Scales) {
  for (int64_t Row = 0; Row < Rows; ++Row) {
    for (int64_t K8 = 0; K8 < K / 8; ++K8) {
      uint32_t Lane;
      std::memcpy(&Lane, Packed + fp4Line(K8) + Row * 4, 4);
      for (int64_t I = 0; I < 8; I += 2)
        Data[Row * (K / 2) + K8 * 4 + I / 2] = uint8_t(
            (Lane >> fp4Shift(I) & 15) | (Lane >> fp4Shift(I + 1) & 15) << 4);
    }
    for (int64_t Group = 0; Group < K / GroupK; ++Group)
      Scales[Row * (K / GroupK) + Group] = Packed[fp4Scale(K, Group, Row)];
  }
}

void unpackTile(TileFormat Format, int64_t K, int64_t Rows,
                const uint8_t *Packed, uint8_t *Data, uint8_t *Scales) {
  if (Format == TileFormat::Fp4)
    return unpackFp4(K, Rows, Packed, Data, Scales);
  if (Format == TileFormat::Fp8) {
    std::memcpy(Scales, Packed, ceilDiv(K, BlockK));
    Packed += tileScaleBytes(Format, K);
    for (int64_t Row = 0; Row < Rows; ++Row)
      for (int64_t I = 0; I < K; ++I)
        Data[Row * K + I] = Packed[I / 4 * LineBytes + fp8Byte(Row, I % 4)];
    return;
  }
  int64_t PerRow = Format == TileFormat::Bf16 ? K / 2 : K;
  for (int64_t Row = 0; Row < Rows; ++Row)
    for (int64_t I = 0; I < PerRow; ++I)
      std::memcpy(Data + (Row * PerRow + I) * 4,
                  Packed + I * LineBytes + Row * 4, 4);
}

} // namespace dsv4::cpu
