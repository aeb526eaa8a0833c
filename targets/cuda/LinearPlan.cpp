// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes of matrix jobs and balance of their items.

#include "targets/cuda/LinearPlan.h"

#include "targets/cuda/device/layout.h"

#include <algorithm>
#include <limits>

namespace dsv4::cuda {

static int64_t ceilDiv(int64_t A, int64_t B) { return (A + B - 1) / B; }

static llvm::Error checkGroups(const MatrixLayout &Layout, int64_t XGroups,
                               int64_t Split) {
  if (XGroups < 1 || Layout.rows() % XGroups)
    return llvm::createStringError(
        "expected groups that divide %lld rows, found %lld",
        (long long)Layout.rows(), (long long)XGroups);
  if (XGroups > 1 && Layout.rows() / XGroups % TileRows)
    return llvm::createStringError(
        "expected a multiple of %d rows in each of %lld groups, found %lld: "
        "pack every group as a matrix of its own",
        TileRows, (long long)XGroups, (long long)(Layout.rows() / XGroups));
  if (XGroups > 1 && Layout.k() % TileK)
    return llvm::createStringError(
        "expected K of %lld groups to be a multiple of %d, found %lld",
        (long long)XGroups, TileK, (long long)Layout.k());
  if (Split < 1 || Split > Layout.tilesPerStrip())
    return llvm::createStringError("expected 1 to %lld parts of K, found %lld",
                                   (long long)Layout.tilesPerStrip(),
                                   (long long)Split);
  return llvm::Error::success();
}

llvm::Expected<JobSizes> planJob(const MatrixLayout &Layout, int64_t XGroups,
                                 int64_t Split) {
  if (llvm::Error E = checkGroups(Layout, XGroups, Split))
    return E;
  // Rows, blocks and header fit: there are at most 2^31 tiles.
  int64_t Bytes = Layout.format() == TileFormat::Bf16
                      ? Layout.k() * 2
                      : Layout.tilesPerStrip() * ActivationBytes;
  constexpr int64_t Most = std::numeric_limits<int32_t>::max();
  if (Bytes > Most / XGroups || Layout.rows() > Most)
    return llvm::createStringError(
        "expected a row of activations and %lld rows of weights below 2^31, "
        "found %lld groups of %lld bytes",
        (long long)Layout.rows(), (long long)XGroups, (long long)Bytes);
  return JobSizes{Layout.format(),
                  uint32_t(Layout.rows()),
                  uint32_t(Layout.tilesPerStrip()),
                  uint32_t(XGroups),
                  uint32_t(Bytes * XGroups),
                  uint32_t(Bytes),
                  uint32_t(Split),
                  uint32_t(Layout.headerBytes()),
                  Layout.escapesBegin()};
}

/// Calls Item(bytes) for each item of a copy, as LinearItems walks them.
template <typename Function>
static void forEachItem(const PhaseMatrix &M, unsigned StripsPerItem,
                        Function Item) {
  int64_t PerGroup = M.layout.strips() / M.xGroups;
  int64_t Blocks = M.layout.tilesPerStrip();
  for (int64_t Group = 0; Group < M.xGroups; ++Group)
    for (int64_t Strip = 0; Strip < PerGroup; Strip += StripsPerItem)
      for (int64_t Part = 0; Part < M.split; ++Part) {
        int64_t Tiles = Blocks * (Part + 1) / M.split - Blocks * Part / M.split;
        Item(Tiles * M.layout.tileBytes() *
             std::min<int64_t>(StripsPerItem, PerGroup - Strip));
      }
}

static llvm::Expected<int64_t> countItems(llvm::ArrayRef<PhaseMatrix> Matrices,
                                          unsigned StripsPerItem) {
  constexpr int64_t Most = std::numeric_limits<int32_t>::max();
  int64_t Items = 0;
  for (const PhaseMatrix &M : Matrices) {
    if (llvm::Error E = checkGroups(M.layout, M.xGroups, M.split))
      return E;
    // At most 2^31 strips x parts, since there are so many tiles.
    int64_t Each = M.xGroups *
                   ceilDiv(M.layout.strips() / M.xGroups, StripsPerItem) *
                   M.split;
    if (M.copies < 1 || M.copies > (Most - Items) / Each)
      return llvm::createStringError(
          "expected at least one copy and at most 2^31 items in a phase, found "
          "%lld copies of %lld items",
          (long long)M.copies, (long long)Each);
    Items += M.copies * Each;
  }
  return Items;
}

llvm::Expected<PhaseBalance> balanceOf(llvm::ArrayRef<PhaseMatrix> Matrices,
                                       unsigned Sms, unsigned StripsPerItem) {
  if (Matrices.empty() || !Sms || !StripsPerItem)
    return llvm::createStringError(
        "expected matrices, SMs and strips of an item, found %zu, %u and %u",
        Matrices.size(), Sms, StripsPerItem);
  llvm::Expected<int64_t> Items = countItems(Matrices, StripsPerItem);
  if (!Items)
    return Items.takeError();
  PhaseBalance Balance;
  Balance.items = *Items;
  std::vector<int64_t> Bytes(Sms), Count(Sms);
  size_t Sm = 0;
  for (const PhaseMatrix &M : Matrices)
    for (int64_t Copy = 0; Copy < M.copies; ++Copy)
      forEachItem(M, StripsPerItem, [&](int64_t Size) {
        Bytes[Sm] += Size;
        ++Count[Sm];
        Balance.bytes += Size;
        Sm = (Sm + 1) % Sms;
      });
  Balance.mostItems = *std::max_element(Count.begin(), Count.end());
  Balance.mostBytes = *std::max_element(Bytes.begin(), Bytes.end());
  Balance.efficiency =
      double(Balance.bytes) / (double(Sms) * double(Balance.mostBytes));
  return Balance;
}

llvm::Expected<int64_t> chooseSplit(llvm::ArrayRef<PhaseMatrix> Matrices,
                                    unsigned Sms, unsigned StripsPerItem,
                                    int64_t MaxSplit, int64_t WantedItems) {
  std::vector<PhaseBalance> Balances;
  for (int64_t Split = 1; Split <= std::max<int64_t>(MaxSplit, 1); ++Split) {
    std::vector<PhaseMatrix> Cut(Matrices.begin(), Matrices.end());
    for (PhaseMatrix &M : Cut)
      M.split = Split;
    bool Fits = llvm::all_of(Cut, [&](const PhaseMatrix &M) {
      return Split <= M.layout.tilesPerStrip();
    });
    if (!Fits && Split > 1)
      break;
    llvm::Expected<PhaseBalance> Balance = balanceOf(Cut, Sms, StripsPerItem);
    if (!Balance)
      return Balance.takeError();
    Balances.push_back(*Balance);
  }
  int64_t Enough = std::min(WantedItems, Balances.back().items);
  double Best = 0;
  for (const PhaseBalance &B : Balances)
    if (B.items >= Enough)
      Best = std::max(Best, B.efficiency);
  auto First = llvm::find_if(Balances, [&](const PhaseBalance &B) {
    return B.items >= Enough && B.efficiency >= Best - 0.03;
  });
  return First - Balances.begin() + 1;
}

} // namespace dsv4::cuda
