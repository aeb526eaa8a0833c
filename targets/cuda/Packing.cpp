// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The packed layout. Packing and unpacking walk the same maps of
// device/layout.h, so that they and the kernels cannot disagree.

#include "targets/cuda/Packing.h"

#include "targets/cuda/device/layout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::MutableArrayRef;
using llvm::Twine;

namespace dsv4::cuda {

/// Tiles that one matrix may have: an escape is found by 32 bits.
static constexpr int64_t MaxTiles = int64_t(1) << 31;

static int64_t ceilDiv(int64_t A, int64_t B) { return A / B + (A % B != 0); }

static const char *formatName(TileFormat Format) {
  return Format == TileFormat::Fp4   ? "FP4"
         : Format == TileFormat::Fp8 ? "FP8"
                                     : "BF16";
}

// ---- Sizes ------------------------------------------------------------------

Expected<MatrixLayout> MatrixLayout::get(TileFormat Format, int64_t Rows,
                                         int64_t K) {
  std::string What = (Twine(formatName(Format)) + " matrix of " + Twine(Rows) +
                      " x " + Twine(K))
                         .str();
  if (Rows < 1 || K < 1)
    return llvm::createStringError(What + ": expected at least one row and one "
                                          "column");
  if (Format == TileFormat::Fp4 && K % ScaleK != 0)
    return llvm::createStringError(What +
                                   ": expected a multiple of 32 columns, "
                                   "what one scale is for");
  // 2^31 tiles of at most 16 KiB, 256 bytes of escapes each, are below 2^46
  // bytes; rows and K are below 2^38, their product below 2^46.
  int64_t Tiles;
  if (llvm::MulOverflow(ceilDiv(Rows, TileRows), ceilDiv(K, TileK), Tiles) ||
      Tiles > MaxTiles)
    return llvm::createStringError(What + ": expected at most 2^31 tiles of 64 "
                                          "x 128; split the matrix");
  return MatrixLayout(Format, Rows, K);
}

int64_t MatrixLayout::tilesPerStrip() const { return ceilDiv(K, TileK); }

int64_t MatrixLayout::strips() const { return ceilDiv(Rows, TileRows); }

int64_t MatrixLayout::tileBytes() const {
  return Format == TileFormat::Fp4   ? Fp4TileBytes
         : Format == TileFormat::Fp8 ? Fp8TileBytes
                                     : Bf16TileBytes;
}

int64_t MatrixLayout::headerBytes() const {
  int64_t Bytes = Format == TileFormat::Fp4   ? tiles()
                  : Format == TileFormat::Fp8 ? scaleBytes()
                                              : 0;
  return ceilDiv(Bytes, PartAlignment) * PartAlignment;
}

int64_t MatrixLayout::packedBytes(int64_t Escapes) const {
  return escapesBegin() + Escapes * EscapeBytes;
}

int64_t MatrixLayout::tileBegin(int64_t Tile) const {
  return headerBytes() + Tile * tileBytes();
}

/// Bytes of `Columns` elements of a row in the checkpoint.
static int64_t bytesOf(TileFormat Format, int64_t Columns) {
  return Format == TileFormat::Fp4   ? Columns / 2
         : Format == TileFormat::Fp8 ? Columns
                                     : 2 * Columns;
}

int64_t MatrixLayout::rowBytes() const { return bytesOf(Format, K); }

int64_t MatrixLayout::scaleBytes() const {
  return Format == TileFormat::Fp4   ? Rows * (K / ScaleK)
         : Format == TileFormat::Fp8 ? ceilDiv(Rows, TileK) * ceilDiv(K, TileK)
                                     : 0;
}

static Error wrongBytes(const char *What, int64_t Expected, size_t Found) {
  return llvm::createStringError(Twine(What) + ": expected " + Twine(Expected) +
                                 " bytes, found " + Twine(Found));
}

static Error checkSource(const MatrixLayout &Layout, ArrayRef<uint8_t> Data,
                         ArrayRef<uint8_t> Scales) {
  if (int64_t(Data.size()) != Layout.dataBytes())
    return wrongBytes("weights", Layout.dataBytes(), Data.size());
  if (int64_t(Scales.size()) != Layout.scaleBytes())
    return wrongBytes("scales", Layout.scaleBytes(), Scales.size());
  return Error::success();
}

// ---- Places -----------------------------------------------------------------

namespace {

/// The part of the matrix that a tile covers.
struct TileArea {
  TileArea(const MatrixLayout &Layout, int64_t Tile)
      : row(Tile / Layout.tilesPerStrip() * TileRows),
        k(Tile % Layout.tilesPerStrip() * TileK),
        rows(int(std::min<int64_t>(TileRows, Layout.rows() - row))),
        columns(int(std::min<int64_t>(TileK, Layout.k() - k))) {}

  int groups() const { return columns / ScaleK; }

  /// Where the tile's part of row `Row` begins in the data, and its bytes.
  int64_t partAt(const MatrixLayout &Layout, int Row) const {
    return (row + Row) * Layout.rowBytes() + bytesOf(Layout.format(), k);
  }
  int64_t partBytes(const MatrixLayout &Layout) const {
    return bytesOf(Layout.format(), columns);
  }

  /// Where scale (Row, Group) of the tile is in [Rows, K / 32].
  int64_t scaleAt(const MatrixLayout &Layout, int Row, int Group) const {
    return (row + Row) * (Layout.k() / ScaleK) + k / ScaleK + Group;
  }

  int64_t row, k;    // first of the tile
  int rows, columns; // that exist
};

} // namespace

/// 32-bit words of a tile that hold 32 k of a row.
static int wordsOf(TileFormat Format) {
  return Format == TileFormat::Fp4   ? Fp4Words
         : Format == TileFormat::Fp8 ? Fp8Words
                                     : Bf16Words;
}

/// Byte of the offsets of `Row` and block `C`, and the nibble's shift.
static std::pair<int, int> offsetPlace(int Row, int C) {
  int InWarp = Row % WarpRows;
  return {tileOffset(Row / WarpRows, InWarp % 8 * 4 + C), InWarp / 8 * 4};
}

/// Byte of scale (Row, C) in an escape: a word of four per row.
static int escapePlace(int Row, int C) { return Row * (TileK / ScaleK) + C; }

// ---- Signs of FP4 words -----------------------------------------------------

/// Bits 3, 7, 11, 15 to bits 3, 11, 19, 27, and back.
static uint32_t spread(uint32_t Bits) {
  Bits = (Bits | Bits << 8) & 0x00880088u;
  return (Bits | Bits << 4) & 0x08080808u;
}

static uint32_t gather(uint32_t Bits) {
  Bits = (Bits | Bits >> 4) & 0x00880088u;
  return (Bits | Bits >> 8) & 0x00008888u;
}

/// Eight codes as in the checkpoint (the first in the low nibble) to the order
/// of device/decode.cuh: magnitudes stay, the signs of the first four go to the
/// tops of bytes, those of the others to the middles.
static uint32_t moveSigns(uint32_t Codes) {
  uint32_t Signs = Codes & 0x88888888u;
  return (Codes & 0x77777777u) | spread(Signs & 0xffffu) << 4 |
         spread(Signs >> 16);
}

static uint32_t moveSignsBack(uint32_t Word) {
  return (Word & 0x77777777u) | gather(Word >> 4 & 0x08080808u) |
         gather(Word & 0x08080808u) << 16;
}

// ---- Plans of scales --------------------------------------------------------

static Error nanScale(int64_t Row, int64_t Column) {
  return llvm::createStringError("scale 255 (NaN) found at row " + Twine(Row) +
                                 ", column " + Twine(Column) +
                                 " of the scales; the checkpoint is damaged");
}

/// The base of an FP4 tile, or Fp4Escape.
static Expected<uint8_t> baseOf(const MatrixLayout &Layout, int64_t Tile,
                                ArrayRef<uint8_t> Scales) {
  TileArea Area(Layout, Tile);
  int Lowest = 255, Highest = 0;
  for (int Row = 0; Row < Area.rows; ++Row)
    for (int Group = 0; Group < Area.groups(); ++Group) {
      int Scale = Scales[Area.scaleAt(Layout, Row, Group)];
      if (Scale == 255)
        return nanScale(Area.row + Row, Area.k / ScaleK + Group);
      Lowest = std::min(Lowest, Scale);
      Highest = std::max(Highest, Scale);
    }
  bool Fits = Highest - Lowest <= Fp4MaxOffset && Lowest >= Fp4MinBase &&
              Lowest <= Fp4MaxBase;
  return uint8_t(Fits ? Lowest : Fp4Escape);
}

Expected<ScalePlan> planScales(const MatrixLayout &Layout,
                               ArrayRef<uint8_t> Scales) {
  if (int64_t(Scales.size()) != Layout.scaleBytes())
    return wrongBytes("scales", Layout.scaleBytes(), Scales.size());
  ScalePlan Plan;
  Plan.header.resize(Layout.headerBytes());
  if (Layout.format() == TileFormat::Fp8) {
    int64_t Columns = Layout.tilesPerStrip();
    for (int64_t I = 0; I < int64_t(Scales.size()); ++I)
      if (Scales[I] == 255)
        return nanScale(I / Columns, I % Columns);
    std::copy(Scales.begin(), Scales.end(), Plan.header.begin());
  }
  if (Layout.format() != TileFormat::Fp4)
    return Plan;
  for (int64_t Tile = 0; Tile < Layout.tiles(); ++Tile) {
    Expected<uint8_t> Base = baseOf(Layout, Tile, Scales);
    if (!Base)
      return Base.takeError();
    Plan.header[Tile] = *Base;
    Plan.escapes += *Base == Fp4Escape;
  }
  return Plan;
}

// ---- Packing ----------------------------------------------------------------

/// Rows of the checkpoint to words of a tile, which is zero beforehand.
static void packWords(const MatrixLayout &Layout, const TileArea &Area,
                      const uint8_t *Data, uint8_t *Out) {
  int Words = wordsOf(Layout.format());
  bool Fp4 = Layout.format() == TileFormat::Fp4;
  for (int Row = 0; Row < Area.rows; ++Row) {
    uint32_t Line[4 * Bf16Words] = {};
    std::memcpy(Line, Data + Area.partAt(Layout, Row), Area.partBytes(Layout));
    for (int C = 0; C < TileK / ScaleK; ++C)
      for (int Q = 0; Q < Words; ++Q) {
        uint32_t Word = Line[C * Words + Q];
        if (Fp4)
          Word = moveSigns(Word);
        std::memcpy(Out + tileWord(Words, Row, C, Q), &Word, 4);
      }
  }
}

/// Codes of FP8 that are not numbers: sm_80 would decode them as 480.
static Error checkCodes(const MatrixLayout &Layout, const TileArea &Area,
                        const uint8_t *Data) {
  for (int Row = 0; Row < Area.rows; ++Row) {
    const uint8_t *Part = Data + Area.partAt(Layout, Row);
    for (int I = 0; I < Area.columns; ++I)
      if ((Part[I] & 0x7f) == 0x7f)
        return llvm::createStringError(
            "E4M3 code 127 (NaN) found at row " + Twine(Area.row + Row) +
            ", column " + Twine(Area.k + I) + "; the checkpoint is damaged");
  }
  return Error::success();
}

static Error packOffsets(const MatrixLayout &Layout, const TileArea &Area,
                         uint8_t Base, uint32_t Escape,
                         ArrayRef<uint8_t> Scales, uint8_t *Out) {
  if (Base == Fp4Escape) {
    std::memcpy(Out + Fp4CodeBytes, &Escape, 4);
    return Error::success();
  }
  for (int Row = 0; Row < Area.rows; ++Row)
    for (int Group = 0; Group < Area.groups(); ++Group) {
      auto [Byte, Shift] = offsetPlace(Row, Group);
      int Offset = Scales[Area.scaleAt(Layout, Row, Group)] - Base;
      if (Offset < 0 || Offset > Fp4MaxOffset)
        return llvm::createStringError(
            "the header was not planned for these scales: offset " +
            Twine(Offset) + " in row " + Twine(Area.row + Row));
      Out[Byte] = uint8_t(Out[Byte] | Offset << Shift);
    }
  return Error::success();
}

/// A plan belongs to its matrix; one that does not must not make a write.
static Error checkPlan(const MatrixLayout &Layout, const ScalePlan &Plan) {
  if (int64_t(Plan.header.size()) != Layout.headerBytes())
    return wrongBytes("header of scales", Layout.headerBytes(),
                      Plan.header.size());
  return Error::success();
}

Error packTiles(const MatrixLayout &Layout, const ScalePlan &Plan,
                int64_t First, int64_t Count, ArrayRef<uint8_t> Data,
                ArrayRef<uint8_t> Scales, MutableArrayRef<uint8_t> Out) {
  if (Error E = checkSource(Layout, Data, Scales))
    return E;
  if (Error E = checkPlan(Layout, Plan))
    return E;
  if (First < 0 || Count < 0 || First > Layout.tiles() ||
      Count > Layout.tiles() - First)
    return llvm::createStringError(
        "tiles " + Twine(First) + " and " + Twine(Count) +
        " from there: expected a part of " + Twine(Layout.tiles()));
  if (int64_t(Out.size()) != Count * Layout.tileBytes())
    return wrongBytes("packed tiles", Count * Layout.tileBytes(), Out.size());
  bool Fp4 = Layout.format() == TileFormat::Fp4;
  std::fill(Out.begin(), Out.end(), 0);
  uint32_t Escape = 0;
  if (Fp4)
    Escape = uint32_t(std::count(
        Plan.header.begin(), Plan.header.begin() + First, uint8_t(Fp4Escape)));
  for (int64_t I = 0; I < Count; ++I) {
    TileArea Area(Layout, First + I);
    uint8_t *Tile = Out.data() + I * Layout.tileBytes();
    if (Layout.format() == TileFormat::Fp8)
      if (Error E = checkCodes(Layout, Area, Data.data()))
        return E;
    packWords(Layout, Area, Data.data(), Tile);
    if (!Fp4)
      continue;
    uint8_t Base = Plan.header[First + I];
    if (Error E = packOffsets(Layout, Area, Base, Escape, Scales, Tile))
      return E;
    Escape += Base == Fp4Escape;
  }
  return Error::success();
}

Error packEscapes(const MatrixLayout &Layout, const ScalePlan &Plan,
                  ArrayRef<uint8_t> Scales, MutableArrayRef<uint8_t> Out) {
  if (int64_t(Scales.size()) != Layout.scaleBytes())
    return wrongBytes("scales", Layout.scaleBytes(), Scales.size());
  if (Error E = checkPlan(Layout, Plan))
    return E;
  if (int64_t(Out.size()) != Plan.escapes * EscapeBytes)
    return wrongBytes("escapes", Plan.escapes * EscapeBytes, Out.size());
  std::fill(Out.begin(), Out.end(), 127); // scale 1 where there is no row
  if (Layout.format() != TileFormat::Fp4)
    return Error::success();
  uint8_t *Next = Out.data();
  for (int64_t Tile = 0; Tile < Layout.tiles(); ++Tile) {
    if (Plan.header[Tile] != Fp4Escape)
      continue;
    if (Next == Out.end())
      return llvm::createStringError("the header has more escapes than the " +
                                     Twine(Plan.escapes) + " of the plan");
    TileArea Area(Layout, Tile);
    for (int Row = 0; Row < Area.rows; ++Row)
      for (int Group = 0; Group < Area.groups(); ++Group)
        Next[escapePlace(Row, Group)] =
            Scales[Area.scaleAt(Layout, Row, Group)];
    Next += EscapeBytes;
  }
  return Error::success();
}

// ---- Unpacking --------------------------------------------------------------

static void unpackWords(const MatrixLayout &Layout, const TileArea &Area,
                        const uint8_t *Tile, uint8_t *Data) {
  int Words = wordsOf(Layout.format());
  bool Fp4 = Layout.format() == TileFormat::Fp4;
  for (int Row = 0; Row < Area.rows; ++Row) {
    uint32_t Line[4 * Bf16Words] = {};
    for (int C = 0; C < TileK / ScaleK; ++C)
      for (int Q = 0; Q < Words; ++Q) {
        uint32_t Word;
        std::memcpy(&Word, Tile + tileWord(Words, Row, C, Q), 4);
        Line[C * Words + Q] = Fp4 ? moveSignsBack(Word) : Word;
      }
    std::memcpy(Data + Area.partAt(Layout, Row), Line, Area.partBytes(Layout));
  }
}

/// The scales of a tile that escaped.
static Expected<ArrayRef<uint8_t>>
escapeOf(const MatrixLayout &Layout, int64_t Tile, ArrayRef<uint8_t> Packed) {
  uint32_t Index;
  std::memcpy(&Index, Packed.data() + Layout.tileBegin(Tile) + Fp4CodeBytes, 4);
  int64_t Escapes =
      (int64_t(Packed.size()) - Layout.escapesBegin()) / EscapeBytes;
  if (Index >= Escapes)
    return llvm::createStringError("tile " + Twine(Tile) +
                                   ": expected an escape below " +
                                   Twine(Escapes) + ", found " + Twine(Index));
  ArrayRef<uint8_t> Bytes =
      Packed.slice(Layout.packedBytes(Index), EscapeBytes);
  if (llvm::is_contained(Bytes, 255))
    return llvm::createStringError("tile " + Twine(Tile) +
                                   ": scale 255 (NaN) found in its escape");
  return Bytes;
}

/// Scale (Row, C) of a tile with a base.
static Expected<uint8_t> scaleOf(int64_t Tile, int Base, const uint8_t *Bytes,
                                 int Row, int C) {
  auto [Byte, Shift] = offsetPlace(Row, C);
  int Offset = Bytes[Byte] >> Shift & 15;
  if (Base < Fp4MinBase || Base > Fp4MaxBase || Offset > Fp4MaxOffset ||
      Base + Offset > 254)
    return llvm::createStringError(
        "tile " + Twine(Tile) +
        ": expected a base of 1 to 249 and an offset of at most 11 and 254 in "
        "all, found " +
        Twine(Base) + " and " + Twine(Offset) + " in row " + Twine(Row));
  return uint8_t(Base + Offset);
}

static Error unpackScales(const MatrixLayout &Layout, int64_t Tile,
                          ArrayRef<uint8_t> Packed,
                          MutableArrayRef<uint8_t> Scales) {
  TileArea Area(Layout, Tile);
  int Base = Packed[Tile];
  ArrayRef<uint8_t> Escape;
  if (Base == Fp4Escape) {
    Expected<ArrayRef<uint8_t>> Found = escapeOf(Layout, Tile, Packed);
    if (!Found)
      return Found.takeError();
    Escape = *Found;
  }
  const uint8_t *Bytes = Packed.data() + Layout.tileBegin(Tile);
  for (int Row = 0; Row < Area.rows; ++Row)
    for (int C = 0; C < Area.groups(); ++C) {
      Expected<uint8_t> Scale =
          Escape.empty() ? scaleOf(Tile, Base, Bytes, Row, C)
                         : Expected<uint8_t>(Escape[escapePlace(Row, C)]);
      if (!Scale)
        return Scale.takeError();
      Scales[Area.scaleAt(Layout, Row, C)] = *Scale;
    }
  return Error::success();
}

Error unpackMatrix(const MatrixLayout &Layout, ArrayRef<uint8_t> Packed,
                   MutableArrayRef<uint8_t> Data,
                   MutableArrayRef<uint8_t> Scales) {
  if (Error E = checkSource(Layout, Data, Scales))
    return E;
  bool Fp4 = Layout.format() == TileFormat::Fp4;
  int64_t Escapes = 0;
  if (Fp4 && int64_t(Packed.size()) >= Layout.headerBytes())
    Escapes = std::count(Packed.begin(), Packed.begin() + Layout.tiles(),
                         uint8_t(Fp4Escape));
  if (int64_t(Packed.size()) != Layout.packedBytes(Escapes))
    return wrongBytes("packed matrix", Layout.packedBytes(Escapes),
                      Packed.size());
  for (int64_t Tile = 0; Tile < Layout.tiles(); ++Tile) {
    unpackWords(Layout, TileArea(Layout, Tile),
                Packed.data() + Layout.tileBegin(Tile), Data.data());
    if (!Fp4)
      continue;
    if (Error E = unpackScales(Layout, Tile, Packed, Scales))
      return E;
  }
  if (Layout.format() == TileFormat::Fp8)
    std::copy_n(Packed.begin(), Scales.size(), Scales.begin());
  return Error::success();
}

} // namespace dsv4::cuda
