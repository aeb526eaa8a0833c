// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the matrix phases compute, piece by piece: jobs, and the items of a
// phase in the order in which blocks take them. Every role of a block (see
// matrix_ring.cuh) walks the same items by itself.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_MATRIX_ITEMS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_MATRIX_ITEMS_CUH

#include "targets/cuda/device/phases/products.cuh"
#include "targets/cuda/device/ptx_alu.h"

// Kernels take their parameters so: jobs are indexed where they are, without a
// copy in local memory.
#ifdef DSV4_CPU_EMU
#define DSV4_GRID_CONSTANT
#else
#define DSV4_GRID_CONSTANT __grid_constant__
#endif

namespace dsv4::cuda {

/// One product y = x W^T. W is a packed matrix (or one per expert), x blocks of
/// activations.cuh for FP8 and FP4, rows of BF16 otherwise.
struct MatrixJob {
  Global<const u8> w;
  Global<const u8> x;
  Global<u8> y;           // [row][n], BF16 or float
  Global<float> partials; // [split][row][n], where config and split say so
  WeightFormat format;
  u32 rows;       // n: rows of W
  u32 blocks;     // ceil(K / 128) of W
  u32 xGroups;    // G of kern.linear; n / G is a multiple of 64 when G > 1
  u32 xRowBytes;  // of one row of x, all groups
  u32 xBytes;     // bytes of a row and group that exist (BF16: 2 K)
  u32 split;      // parts of K; fixes the order of the sum, so never depends
                  // on the tokens of a step
  u32 tilesBegin; // bytes of the packed header
  i64 escapesBegin;
  u32 floatOut; // y is float, not BF16
};

/// A piece: up to C::groups strips of one matrix, some columns, parts of K.
struct MatrixItem {
  u32 job, strip, strips;
  u32 splitBegin, splitEnd;
  u32 xGroup;
  u32 place; // of the first row in all lists: counters of tails are by it
  u32 row, columns; // first of the rows (of a list, with experts), and how many
  Global<const u8> w;
  Global<const i32> list; // rows of this expert
};

DSV4_LAYOUT u32 ceilDiv(u32 a, u32 b) { return (a + b - 1) / b; }
/// a / b. Items of decode mostly have b = 1, and a division is 25 instructions
/// that each wait for the one before.
DSV4_LAYOUT u32 quotient(u32 a, u32 b) { return b == 1 ? a : a / b; }

/// First block of part `part` of `split`.
DSV4_LAYOUT u32 splitAt(u32 blocks, u32 split, u32 part) {
  return u32(u64(blocks) * part / split);
}

DSV4_DEVICE u32 stripsOf(const MatrixJob &job) {
  return ceilDiv(job.rows, TileRows);
}

/// Runs of strips that an item takes, none of them over two groups of x.
template <class C> DSV4_DEVICE u32 runsOf(const MatrixJob &job) {
  return job.xGroups * ceilDiv(quotient(stripsOf(job), job.xGroups), C::groups);
}

template <class C>
DSV4_DEVICE void setRun(MatrixItem &item, const MatrixJob &job, u32 run) {
  u32 perGroup = quotient(stripsOf(job), job.xGroups);
  u32 runs = ceilDiv(perGroup, C::groups);
  item.xGroup = job.xGroups == 1 ? 0 : run / runs;
  u32 at = (run - item.xGroup * runs) * C::groups, left = perGroup - at;
  item.strip = item.xGroup * perGroup + at;
  item.strips = left < C::groups ? left : C::groups;
}

template <class C>
DSV4_DEVICE void setSplits(MatrixItem &item, const MatrixJob &job, u32 part) {
  item.splitBegin = C::partials ? part : 0;
  item.splitEnd = C::partials ? part + 1 : job.split;
}

/// Item `at` of a job: runs, then parts, then tiles of columns innermost.
template <class C>
DSV4_DEVICE void setTile(MatrixItem &item, const MatrixJob &job, u32 at,
                         u32 parts, u32 tiles) {
  u32 outer = quotient(at, tiles), run = quotient(outer, parts);
  item.row = (at - outer * tiles) * C::columns;
  setSplits<C>(item, job, outer - run * parts);
  setRun<C>(item, job, run);
}

struct LinearParams {
  static constexpr u32 MaxJobs = 8;
  /// Rows of this step: &step->tokens or &step->outputs. Read before the
  /// launches before have ended, so no kernel may write it.
  Global<const i64> rows;
  u32 numJobs;
  MatrixJob jobs[MaxJobs];
};

/// Items of kern.linear: jobs, runs of strips, parts of K, columns (innermost,
/// so that a strip is near when it is needed again).
template <class C> class LinearItems {
public:
  static constexpr bool weightsWait = false;

  DSV4_DEVICE explicit LinearItems(const LinearParams &p)
      : p(p), rows(u32(i64(p.rows[0]))), tiles(ceilDiv(rows, C::columns)),
        at(blockIdX()) {}

  DSV4_DEVICE const MatrixJob &job(const MatrixItem &item) const {
    return p.jobs[item.job];
  }

  DSV4_DEVICE bool next(MatrixItem &item) {
    for (; number < p.numJobs; ++number) {
      const MatrixJob &job = p.jobs[number];
      u32 parts = C::partials ? job.split : 1;
      u32 count = runsOf<C>(job) * parts * tiles;
      if (at < count) {
        item.job = number;
        item.place = 0;
        item.w = job.w;
        setTile<C>(item, job, at, parts, tiles);
        item.columns =
            rows - item.row < C::columns ? rows - item.row : C::columns;
        at += gridDimX();
        return true;
      }
      at -= count;
    }
    return false;
  }

  /// Row of x and of y behind a column.
  DSV4_DEVICE u32 source(const MatrixItem &item, u32 column) const {
    return item.row + column;
  }
  DSV4_DEVICE u32 target(const MatrixItem &item, u32 column) const {
    return item.row + column;
  }
  DSV4_DEVICE u32 targets() const { return rows; }

private:
  const LinearParams &p;
  u32 rows, tiles, at, number = 0;
};

/// Experts of a layer that lie apart from the others, on the host. In pinned
/// memory, as on the GPU, one follows the other in the order of their numbers;
/// in the mapped file each is in its place.
struct ColdExperts {
  static constexpr u32 Most = 1024; // experts of a layer
  u32 bits[Most / 32];              // bit e % 32 of word e / 32
  u32 before[Most / 32];            // cold ones in the words before

  DSV4_LAYOUT bool has(u32 expert) const {
    return bits[expert / 32] >> expert % 32 & 1u;
  }
  /// Cold ones with a smaller number.
  DSV4_DEVICE u32 below(u32 expert) const {
    u32 word = bits[expert / 32] & ((1u << expert % 32) - 1);
    return before[expert / 32] + countBits(word);
  }
};

struct ExpertLinearParams {
  Global<const i64> rows;   // &step->tokens
  Global<const i32> lists;  // of kern.dispatch
  Global<const u8> cold[2]; // per job, experts on the host (in the file:
                            // expert 0, cold or not); null: none are
  i64 stride[2];            // per job, from an expert to the next
  ColdExperts coldExperts;
  u32 experts, expertsPerToken;
  u32 slotRows;    // x has a row per slot, not per token
  u32 numJobs;     // w, and w_other
  u32 coldInPlace; // cold ones are in the file
  MatrixJob jobs[2];
};

/// Items of kern.expert_linear: active experts, jobs, runs of strips, parts of
/// K, columns. Roles walk them by whole warps, whose lanes look at 32 active
/// experts together: a block waits once for lists, not for expert after expert.
template <class C> class ExpertItems {
public:
  static constexpr bool weightsWait = true; // which weights, dispatch decides

  DSV4_DEVICE explicit ExpertItems(const ExpertLinearParams &p)
      : p(p), active(u32(i32(p.lists[0]))), at(blockIdX()) {}

  DSV4_DEVICE const MatrixJob &job(const MatrixItem &item) const {
    return p.jobs[item.job];
  }

  DSV4_DEVICE bool next(MatrixItem &item) {
    Lists lists(*this);
    for (; number < active; ++number) {
      if (number == lists.first + 32)
        lists = Lists(*this);
      u32 begin = shfl(lists.begin, number - lists.first);
      u32 rows = shfl(lists.end, number - lists.first) - begin;
      u32 tiles = ceilDiv(rows, C::columns);
      if (inExpert(item, tiles)) {
        item.w = weightsOf(item.job, shfl(lists.expert, number - lists.first));
        item.place = begin + item.row;
        item.columns =
            rows - item.row < C::columns ? rows - item.row : C::columns;
        item.list = p.lists + (2 + 2 * i64(p.experts) + begin);
        return true;
      }
    }
    return false;
  }

  DSV4_DEVICE u32 source(const MatrixItem &item, u32 column) const {
    u32 slot = target(item, column);
    return p.slotRows ? slot : slot / p.expertsPerToken;
  }
  DSV4_DEVICE u32 target(const MatrixItem &item, u32 column) const {
    return u32(i32(item.list[i64(item.row) + column]));
  }
  DSV4_DEVICE u32 targets() const {
    return u32(i64(p.rows[0])) * p.expertsPerToken;
  }

private:
  /// An active expert for each lane, from `number` on, and its rows. What lies
  /// behind the active ones is read and not used.
  struct Lists {
    u32 first, expert = 0, begin = 0, end = 0;
    DSV4_DEVICE explicit Lists(const ExpertItems &items) : first(items.number) {
      u32 mine = first + laneId();
      auto lists = items.p.lists + 1;
      if (mine >= items.p.experts)
        return;
      expert = u32(i32(lists[i64(mine)]));
      begin = u32(i32(lists[i64(items.p.experts) + mine]));
      end = u32(i32(lists[i64(items.p.experts) + mine + 1]));
    }
  };

  DSV4_DEVICE Global<const u8> weightsOf(u32 job, u32 expert) const {
    if (!p.cold[job].raw())
      return p.jobs[job].w + i64(expert) * p.stride[job];
    u32 below = p.coldExperts.below(expert);
    return p.coldExperts.has(expert)
               ? p.cold[job] +
                     i64(p.coldInPlace ? expert : below) * p.stride[job]
               : p.jobs[job].w + i64(expert - below) * p.stride[job];
  }
  DSV4_DEVICE bool inExpert(MatrixItem &item, u32 tiles) {
    for (u32 job = 0; job < p.numJobs; ++job) {
      u32 parts = C::partials ? p.jobs[job].split : 1;
      u32 count = runsOf<C>(p.jobs[job]) * parts * tiles;
      if (skipped + count > at) {
        item.job = job;
        setTile<C>(item, p.jobs[job], at - skipped, parts, tiles);
        at += gridDimX();
        skipped -= before(job, tiles);
        return true;
      }
      skipped += count;
    }
    return false;
  }
  /// Items of the expert's jobs before `job`, so that the next search begins
  /// with its first job again.
  DSV4_DEVICE u32 before(u32 job, u32 tiles) const {
    u32 count = 0;
    for (u32 other = 0; other < job; ++other)
      count += runsOf<C>(p.jobs[other]) *
               (C::partials ? p.jobs[other].split : 1) * tiles;
    return count;
  }

  const ExpertLinearParams &p;
  u32 active, at, number = 0, skipped = 0;
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_MATRIX_ITEMS_CUH
