// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Comparisons of whole buffers that say enough to find the cause without
// another run: how many elements differ, the first of them, and how far the
// worst is from its bound.

#ifndef DSV4_TEST_UNIT_CUDA_COMPARE_H
#define DSV4_TEST_UNIT_CUDA_COMPARE_H

#include "test/unit/cuda/Executor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace dsv4::cuda::test {

constexpr size_t shownDifferences = 8;

/// "0x3f80 for 0x3f81", floats with their values.
template <class T> std::string differenceText(T got, T want) {
  char text[120];
  unsigned long long bits[2] = {};
  std::memcpy(&bits[0], &got, sizeof(T));
  std::memcpy(&bits[1], &want, sizeof(T));
  if constexpr (std::is_floating_point_v<T>)
    snprintf(text, sizeof text, "%.9g (%0*llx) for %.9g (%0*llx)", double(got),
             int(2 * sizeof(T)), bits[0], double(want), int(2 * sizeof(T)),
             bits[1]);
  else
    snprintf(text, sizeof text, "%0*llx for %0*llx", int(2 * sizeof(T)),
             bits[0], int(2 * sizeof(T)), bits[1]);
  return text;
}

/// All bits equal; `counts(i)` says which elements somebody has written.
template <class T, class Counts>
testing::AssertionResult sameWhere(const std::vector<T> &got,
                                   const std::vector<T> &want,
                                   const Counts &counts) {
  if (got.size() != want.size())
    return testing::AssertionFailure()
           << got.size() << " elements for " << want.size();
  size_t different = 0, last = 0;
  std::string first;
  for (size_t i = 0; i < got.size(); ++i)
    if (counts(i) && std::memcmp(&got[i], &want[i], sizeof(T))) {
      last = i;
      if (different++ < shownDifferences)
        first += "\n  [" + std::to_string(i) +
                 "] = " + differenceText(got[i], want[i]);
    }
  if (!different)
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << different << " of " << got.size() << " elements differ:" << first
         << "\n  last: [" << last
         << "] = " << differenceText(got[last], want[last]);
}
template <class T>
testing::AssertionResult same(const std::vector<T> &got,
                              const std::vector<T> &want) {
  return sameWhere(got, want, [](size_t) { return true; });
}

#define EXPECT_SAME(...) EXPECT_TRUE(::dsv4::cuda::test::same(__VA_ARGS__))
#define ASSERT_SAME(...) ASSERT_TRUE(::dsv4::cuda::test::same(__VA_ARGS__))

/// Elements that may differ from what is wanted by a bound of their own. On
/// hardware each may be off by `slack` more: what tensor cores drop.
class Tally {
public:
  explicit Tally(std::string what) : what(std::move(what)) {}

  template <class Where>
  void add(double got, double want, double bound, double slack,
           const Where &where) {
    double off = std::abs(got - want), allowed = bound;
    if (onHardware())
      allowed += slack;
    ++count;
    squares += off * off;
    wanted += want * want;
    bias += want < 0 ? want - got : got - want;
    sizes += std::abs(want);
    worst = std::max(worst, off / bound);
    worstOfAll = std::max(worstOfAll, off / (bound + slack));
    if (off <= allowed) // false for NaN
      return;
    char text[160];
    snprintf(text, sizeof text, ": %.9g for %.9g, off by %.3g, allowed %.3g",
             got, want, off, allowed);
    if (outside++ < shownDifferences)
      first += "\n  " + where() + text;
  }

  double rms() const { return std::sqrt(squares / wanted); }
  double worstOfBound() const { return worst; }

  /// Whether all are within; prints what was found on hardware.
  testing::AssertionResult within() const {
    char text[240];
    snprintf(text, sizeof text,
             "%s: %zu elements, rms error %.3g and bias %+.3g of their size, "
             "worst %.3g of the bound, %.3g with what tensor cores may drop",
             what.c_str(), count, rms(), bias / sizes, worst, worstOfAll);
    if (onHardware())
      printf("[   bound  ] %s\n", text);
    if (!outside)
      return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << text << "; " << outside << " outside:" << first;
  }

private:
  std::string what, first;
  size_t count = 0, outside = 0;
  double squares = 0, wanted = 0, bias = 0, sizes = 0, worst = 0,
         worstOfAll = 0;
};

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_COMPARE_H
